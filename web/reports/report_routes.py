"""Pages of periodic reports: the list, one report with its table, its steps and files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from enforcement.reports.schedule import read_schedule
from enforcement.reports.sheet import shown
from errors import SettingsError
from service.context import Context
from service.reports.files import report_file, store_missing_files
from service.reports.rendering import FORMATS, MEDIA_TYPES
from store.access.rights import Viewer, may_see, visible_areas
from store.areas.areas import area_names
from store.reports.planning import fill_report, report_of
from store.reports.report_rows import STATES, is_missing, list_reports, visible_report
from store.reports.report_steps import approve, correct, lock, may_prepare, prepare, send_back
from store.schema.chain.report_tables import ReportRow
from store.schema.database import Session
from store.views.alert_view import user_names
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Forbidden, NotFound
from web.page import language_of, page
from web.plain_text import Plain
from web.reports.report_view import kind_names, report_view
from web.row_ids import BeforeId, Id

router = APIRouter(include_in_schema=False, prefix="/reports")

_PER_PAGE = 60
_LEVELS = {"village": 12, "township": 9, "county": 6}

Change = Callable[[Session, ReportRow, dt.datetime], None]
Text = Annotated[str, Form(max_length=4000)]


@router.get("")
def reports_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    kind: Annotated[str, Query(max_length=30), Plain] = "",
    area: Annotated[str, Query(max_length=12), Plain] = "",
    day: dt.date | None = None,
    state: Literal["", "planned", "draft", "prepared", "submitted", "returned", "locked", "missing"] = "",
    before: BeforeId = None,
) -> HTMLResponse:
    """Render the reports of the viewer's area by period, with what is late or missing."""
    now = context.clock()
    states = ("planned", "draft", "prepared", "returned") if state == "missing" else (state,) if state else ()
    with context.database.read() as session:
        found = list_reports(
            session, viewer, kind=kind, area=area, day=day, states=states, before_id=before, limit=_PER_PAGE + 1
        )
        names = area_names(session, {row.area_code for row in found})
        people = user_names(session, {row.prepared_by for row in found} | {row.approved_by for row in found})
        areas = [(one.code, one.name) for one in visible_areas(session, viewer) if may_see(viewer, one.code)]
    more = found[_PER_PAGE - 1].id if len(found) > _PER_PAGE else None
    found = found[:_PER_PAGE]
    late = {row.id for row in found if is_missing(row, now)}
    if state == "missing":
        found = [row for row in found if row.id in late]
    return page(
        request,
        "reports.html",
        reports=found,
        late=late,
        names=names,
        people=people,
        areas=areas,
        kinds=kind_names(language_of(request)),
        chosen={"kind": kind, "area": area, "day": day, "state": state},
        states=(*STATES, "missing"),
        more=more,
        today=context.today,
        may_make=not viewer.views_only,
    )


@router.post("")
def open_report(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    kind: Annotated[str, Form(max_length=30)],
    area: Annotated[str, Form(max_length=12)],
    day: Annotated[dt.date, Form()],
) -> Response:
    """Show the report of an area whose period contains a day; it is made and filled if there is none yet."""
    rule = read_schedule().rule(kind)
    if not may_see(viewer, area):
        raise NotFound
    if len(area) != _LEVELS[rule.level]:
        raise SettingsError(
            f"{kind} is a report of a {rule.level}; choose such an area.", "reports.level", name=rule.zh
        )
    now = context.clock()
    if day > context.today + dt.timedelta(days=31):
        raise SettingsError(f"{day} is too far in the future.", "reports.future", day=day.isoformat())
    with context.database.write() as session:
        row, _ = report_of(session, kind, area, day, now, context.settings.zone)
        if row.filled_at is None:
            if not may_prepare(viewer, row):
                raise Forbidden
            fill_report(session, row, now, context.settings.zone)
        address = f"/reports/{row.id}"
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}{address}"})


@router.get("/{report_id}")
def report_page(request: Request, context: Service, viewer: CurrentUser, report_id: Id) -> HTMLResponse:
    """Render one report."""
    return _page(request, context, viewer, report_id)


@router.post("/{report_id}/fill")
def fill(request: Request, context: Service, viewer: CurrentUser, report_id: Id) -> HTMLResponse:
    """Fill a report again from the alerts; corrections stay."""

    def change(session: Session, row: ReportRow, now: dt.datetime) -> None:
        if not may_prepare(viewer, row):
            raise Forbidden
        fill_report(session, row, now, context.settings.zone)

    return _change(request, context, viewer, report_id, change)


@router.post("/{report_id}/correct")
def correct_cell(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    report_id: Id,
    row: Annotated[str, Form(max_length=80)],
    field: Annotated[str, Form(max_length=60)],
    value: Text = "",
    reason: Text = "",
    undo: Annotated[bool, Form()] = False,
) -> HTMLResponse:
    """Correct a cell, or take its corrections back."""

    def change(session: Session, report: ReportRow, now: dt.datetime) -> None:
        words = None if undo else value
        correct(session, report, viewer, address=row, field=field, words=words, reason=reason, now=now)

    return _change(request, context, viewer, report_id, change)


@router.post("/{report_id}/prepare")
def prepare_report(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    report_id: Id,
    stock: Text = "",
    farmland: Text = "",
    lower: Text = "",
    complete: Text = "",
    note: Text = "",
) -> HTMLResponse:
    """Sign a report (填报人); the fields are the reasons for checks that failed."""
    reasons = {"stock": stock, "farmland": farmland, "lower": lower, "complete": complete}

    def change(session: Session, row: ReportRow, now: dt.datetime) -> None:
        prepare(session, row, viewer, reasons, now, note)

    return _change(request, context, viewer, report_id, change)


@router.post("/{report_id}/approve")
def approve_report(
    request: Request, context: Service, viewer: CurrentUser, report_id: Id, note: Text = ""
) -> HTMLResponse:
    """Approve and submit a report (审核人), and keep its files with their checksums."""

    def change(session: Session, row: ReportRow, now: dt.datetime) -> None:
        approve(session, row, viewer, now, note=note)

    _apply(context, viewer, report_id, change)
    store_missing_files(context, report_id)
    return _page(request, context, viewer, report_id)


@router.post("/{report_id}/return")
def return_report(
    request: Request, context: Service, viewer: CurrentUser, report_id: Id, reason: Text = ""
) -> HTMLResponse:
    """Return a report with a reason."""

    def change(session: Session, row: ReportRow, now: dt.datetime) -> None:
        send_back(session, row, viewer, reason, now)

    return _change(request, context, viewer, report_id, change)


@router.post("/{report_id}/lock")
def lock_report(request: Request, context: Service, viewer: CurrentUser, report_id: Id) -> HTMLResponse:
    """Lock a submitted report."""

    def change(session: Session, row: ReportRow, now: dt.datetime) -> None:
        lock(session, row, viewer, now)

    store_missing_files(context, report_id)
    return _change(request, context, viewer, report_id, change)


@router.get("/{report_id}/file")
def file(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    report_id: Id,
    format: Literal["xlsx", "docx", "pdf"] = "pdf",  # noqa: A002  (the word of the field)
) -> Response:
    """Return a report as a file: the kept one if it was submitted, in the user's language otherwise."""
    return file_response(context, viewer, report_id, format, language_of(request))


def file_response(context: Context, viewer: Viewer, report_id: int, file_format: str, language: str) -> Response:
    """Return a file of a report.

    Raises:
        NotFound: there is no such report for this viewer, or it is not filled yet.
    """
    with context.database.read() as session:
        row = visible_report(session, viewer, report_id)
        if row is None or row.filled_at is None:
            raise NotFound
        name, content = report_file(context, session, row, file_format, language)
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return Response(content, media_type=MEDIA_TYPES[file_format], headers=headers)


def _apply(context: Context, viewer: Viewer, report_id: int, change: Change) -> None:
    with context.database.write() as session:
        row = visible_report(session, viewer, report_id, lock=True)
        if row is None:
            raise NotFound
        change(session, row, context.clock())


def _change(request: Request, context: Context, viewer: Viewer, report_id: int, change: Change) -> HTMLResponse:
    _apply(context, viewer, report_id, change)
    return _page(request, context, viewer, report_id)


def _page(request: Request, context: Context, viewer: Viewer, report_id: int) -> HTMLResponse:
    language = language_of(request)
    with context.database.read() as session:
        row = visible_report(session, viewer, report_id)
        if row is None:
            raise NotFound
        view = report_view(session, row, viewer, language, context.settings.zone, context.clock())
        name = area_names(session, [row.area_code]).get(row.area_code, row.area_code)
        logins = {row.prepared_by, row.approved_by, *(step.who for step in view.steps)}
        people = user_names(session, logins | {one.who for one in view.corrections})
    return page(
        request,
        "report_page.html",
        view=view,
        report=row,
        area=name,
        people=people,
        kind=kind_names(language).get(row.kind, row.kind),
        formats=FORMATS,
        shown=shown,
    )
