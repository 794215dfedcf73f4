"""Pages of the dashboard and the ranking, the alerts behind each number, and files of what is shown."""

from __future__ import annotations

import csv
import datetime as dt
import io
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, HTMLResponse
from starlette.background import BackgroundTask

from enforcement.figures.ranking import DIGITS, Level
from enforcement.reports.sheet import Sheet
from enforcement.reports.write_xlsx import write_xlsx
from service.context import Context
from service.figures.figure_sheets import dashboard_sheets, period_words, ranking_sheet, source_words
from store.access.rights import Viewer
from store.areas.areas import list_areas
from store.figures.area_figures import AreaFigures, alerts_by_id, child_areas
from store.schema.tables import Area
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.figures.figure_view import COUNTED_ON_MAP, FigureView
from web.figures.requested_figures import Requested, RequestedFigures
from web.http_errors import InvalidInput
from web.page import chosen_language, language_of, page
from web.plain_text import Plain
from web.review.alert_list import place_choices

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Shown = Annotated[str, Query(max_length=40), Plain]
FigureName = Annotated[str, Query(max_length=60), Plain]


@router.get("/dashboard")
def dashboard_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    requested: Requested,
    map: Shown = "confirmed",  # noqa: A002
) -> HTMLResponse:
    """Render the figures of an area and a period."""
    with context.database.read() as session:
        found = AreaFigures(session, viewer, requested.scope)
        dashboard, parts = found.dashboard(), found.ranking(found.default_level)
        outlines = child_areas(session, [row.code for row in parts.areas])
        areas, area_name, figures = list_areas(session, under=viewer.code), found.area_name, found.figures
    if map not in COUNTED_ON_MAP and map not in figures.indicators:
        raise InvalidInput("error.404")
    view = _view(request, context, requested, found)
    drawn, classes = view.map(parts, outlines, map)
    return page(
        request,
        "dashboard.html",
        view=view,
        dashboard=dashboard,
        parts=parts,
        ranked=[(name, figures.indicators[name]) for name in figures.ranked(parts.level)],
        map=drawn,
        classes=classes,
        shown=map,
        **_frame(request, requested, view, areas, area_name, "/dashboard"),
    )


@router.get("/ranking")
def ranking_page(
    request: Request, context: Service, viewer: CurrentUser, requested: Requested, level: Level | None = None
) -> HTMLResponse:
    """Render the ranking of the parts of an area."""
    with context.database.read() as session:
        found = AreaFigures(session, viewer, requested.scope)
        chosen = level if level in found.levels else found.default_level
        ranking = found.ranking(chosen)
        areas, area_name, levels = list_areas(session, under=viewer.code), found.area_name, found.levels
    view = _view(request, context, requested, found)
    return page(
        request,
        "ranking.html",
        view=view,
        ranking=ranking,
        ranked=found.figures.ranked(chosen),
        levels=levels,
        interviews=[row for row in ranking.areas if row.interview],
        **_frame(request, requested, view, areas, area_name, "/ranking"),
    )


@router.get("/dashboard/alerts")
def figure_alerts_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    requested: Requested,
    figure: FigureName,
    part: Literal["of", "counted"] = "of",
    source: Shown = "",
    kind: Shown = "",
    as_of: dt.date | None = None,
    skip: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> HTMLResponse:
    """Render the alerts that a number counts, latest first."""
    only = {name: value for name, value in (("source", source), ("kind", kind)) if value}
    with context.database.read() as session:
        found = AreaFigures(session, viewer, requested.scope)
        ids = found.alert_ids(figure, part, only, as_of)[::-1]
        rows = alerts_by_id(session, ids[skip : skip + PAGE_SIZE])
        area_name = found.area_name
    named = found.figures.figure(figure)
    further = {"figure": figure, "part": part, **only, **({"as_of": as_of.isoformat()} if as_of else {})}
    following = skip + PAGE_SIZE
    return page(
        request,
        "figure_alerts.html",
        name=str(getattr(named, language_of(request))),
        shares=figure.startswith("indicators."),
        part=part,
        only=only,
        source_name=lambda key: source_words(key, language_of(request)),
        count=len(ids),
        rows=rows,
        zone=context.settings.zone,
        area_name=area_name,
        period=period_words(requested.period, language_of(request)),
        back=requested.query(),
        more=requested.query(**further, skip=str(following)) if following < len(ids) else "",
    )


@router.get("/dashboard/patrols")
def figure_patrols_page(
    request: Request, context: Service, viewer: CurrentUser, requested: Requested, enough: bool = False
) -> HTMLResponse:
    """Render the weeks of villages that were due, with the patrols made; ``enough``: only those with enough."""
    with context.database.read() as session:
        found = AreaFigures(session, viewer, requested.scope)
        weeks = found.village_weeks(requested.scope.moment)
        least = found.values.whole("figures.patrols_per_week")
        names = {code: name for code, name, _ in found.areas}
        area_name = found.area_name
    return page(
        request,
        "figure_patrols.html",
        weeks=[week for week in weeks if week.enough or not enough][:2000],
        count=len(weeks),
        shown=sum(week.enough or not enough for week in weeks),
        enough=sum(week.enough for week in weeks),
        least=least,
        names=names,
        area_name=area_name,
        period=period_words(requested.period, language_of(request)),
        back=requested.query(),
    )


@router.get("/dashboard/export")
def export_dashboard(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    requested: Requested,
    format: Literal["xlsx", "csv"] = "xlsx",  # noqa: A002
) -> FileResponse:
    """Return what the dashboard shows as a workbook, or its indicators as CSV."""
    language = language_of(request)
    with context.database.read() as session:
        found = AreaFigures(session, viewer, requested.scope)
        sheets = dashboard_sheets(found.dashboard(), found.ranking(found.default_level), found.area_name, language)
    return _file(request, context, viewer, requested, "dashboard", sheets, format)


@router.get("/ranking/export")
def export_ranking(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    requested: Requested,
    level: Level | None = None,
    format: Literal["xlsx", "csv"] = "xlsx",  # noqa: A002
) -> FileResponse:
    """Return the ranking as a file."""
    with context.database.read() as session:
        found = AreaFigures(session, viewer, requested.scope)
        chosen = level if level in found.levels else found.default_level
        sheet = ranking_sheet(found.ranking(chosen), found.area_name, chosen_language(request, ""))
    return _file(request, context, viewer, requested, "ranking", [sheet], format)


def csv_of(sheet: Sheet) -> str:
    """Return the rows of a sheet as CSV with a byte order mark, as spreadsheets expect it."""
    written = io.StringIO()
    writer = csv.writer(written)
    headings = [f"{column.group} {column.heading}".strip() for column in sheet.columns]
    writer.writerow(headings)
    for row in sheet.rows:
        writer.writerow(["" if cell is None else _harmless(cell) for cell in row.cells])
    return "\ufeff" + written.getvalue()


def _harmless(cell: object) -> object:
    """Return a cell that no spreadsheet evaluates: a text beginning like a formula gets an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _file(
    request: Request,
    context: Context,
    viewer: Viewer,
    requested: RequestedFigures,
    name: str,
    sheets: list[Sheet],
    kind: Literal["xlsx", "csv"],
) -> FileResponse:
    folder = Path(tempfile.mkdtemp(prefix="tuban-figures-"))
    path = folder / f"{name}-{requested.scope.code or 'all'}-{requested.period.name}.{kind}"
    try:
        if kind == "csv":
            path.write_text(csv_of(sheets[0]), "utf-8")
        else:
            write_xlsx(sheets, path)
        with context.database.write() as session:
            detail = {"period": requested.period.name, "format": kind}
            log_action(
                request, session, viewer, "exported", about=name, code=requested.scope.code or None, detail=detail
            )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    media_type = _XLSX if kind == "xlsx" else "text/csv"
    done = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(path, media_type=media_type, filename=path.name, background=done)


def _view(request: Request, context: Context, requested: RequestedFigures, found: AreaFigures) -> FigureView:
    return FigureView(requested, found.figures, language_of(request), context.settings.path_prefix)


def _frame(
    request: Request,
    requested: RequestedFigures,
    view: FigureView,
    areas: Sequence[Area],
    area_name: str,
    path: str,
) -> dict[str, Any]:
    """Return what both pages show above their figures: the choice of area and period."""
    period = requested.period
    following = view.following()
    return {
        "requested": requested,
        "places": place_choices(areas),
        "area_name": area_name,
        "period_words": period_words(period, language_of(request)),
        "periods": view.periods(requested.scope.today, path),
        "earlier": view.page(path, period.previous()),
        "later": view.page(path, following) if following else "",
        "as_of": requested.scope.moment.as_of,
        "digits": DIGITS,
        "today": dt.date.isoformat(requested.scope.today),
        "path": path,
    }
