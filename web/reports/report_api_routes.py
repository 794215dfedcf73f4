"""API of periodic reports: list, one with its table, files."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from enforcement.reports.sheet import Sheet
from service.reports.rendering import MEDIA_TYPES
from store.reports.report_rows import is_missing, list_reports, visible_report
from store.schema.chain.report_tables import ReportRow
from web.addresses import next_page
from web.api.parameters import Limit
from web.api.schemas import COMMON_ERRORS, NOT_FOUND
from web.auth.authentication import CurrentUser, Service
from web.http_errors import NotFound
from web.page import chosen_language
from web.plain_text import Plain
from web.reports.report_routes import file_response
from web.reports.report_view import report_view
from web.row_ids import BeforeId, Id

router = APIRouter(prefix="/api/reports", tags=["reports"], responses=COMMON_ERRORS)

Language = Annotated[Literal["zh", "en", ""], Query(description="empty: that of the user")]


class Report(BaseModel):
    """A periodic report, without its table."""

    id: int
    kind: Annotated[str, Field(description="of configs/reports/schedule.yaml")]
    area: str
    first_day: dt.date
    last_day: dt.date
    due_at: dt.datetime | None
    state: Annotated[str, Field(description="planned, draft, prepared, submitted, returned, locked")]
    missing: Annotated[bool, Field(description="past its time and not submitted")]
    late: Annotated[bool, Field(description="submitted after its time")]
    prepared_by: str
    approved_by: str
    submitted_at: dt.datetime | None
    locked_at: dt.datetime | None
    files: Annotated[dict[str, str], Field(description="SHA-256 of the kept files by format")]


class ReportCheck(BaseModel):
    """A check with its numbers in words."""

    key: str
    passed: bool
    words: str
    reason: str


class ReportTable(BaseModel):
    """A table of a report."""

    title: str
    columns: list[dict[str, str]]
    rows: list[list[Any]]
    totals: list[dict[str, Any]]


class ReportDetail(Report):
    """A report with its tables, checks and corrections."""

    checks: list[ReportCheck]
    tables: list[ReportTable]
    corrections: list[dict[str, Any]]
    steps: list[dict[str, Any]]


class ReportList(BaseModel):
    """A page of reports, the latest period first."""

    reports: list[Report]
    next: str | None


@router.get("")
def list_all(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    kind: Annotated[str, Query(max_length=30), Plain] = "",
    area: Annotated[str, Query(max_length=12), Plain] = "",
    day: Annotated[dt.date | None, Query(description="of the period")] = None,
    limit: Limit = 50,
    before: BeforeId = None,
) -> ReportList:
    """List reports, the latest period first."""
    now = context.clock()
    with context.database.read() as session:
        found = list_reports(session, viewer, kind=kind, area=area, day=day, before_id=before, limit=limit + 1)
    cursor = found[limit - 1].id if len(found) > limit else None
    return ReportList(
        reports=[Report(**_fields(row, now)) for row in found[:limit]],
        next=next_page(request, context, "before", cursor),
    )


@router.get("/{report_id}", responses=NOT_FOUND)
def one(
    request: Request, context: Service, viewer: CurrentUser, report_id: Id, language: Language = ""
) -> ReportDetail:
    """Return a report with its tables; values are those of the page, corrected ones included."""
    now = context.clock()
    with context.database.read() as session:
        row = visible_report(session, viewer, report_id)
        if row is None:
            raise NotFound
        words = chosen_language(request, language)
        view = report_view(session, row, viewer, words, context.settings.zone, now)
    sheets: list[Sheet] = []
    if isinstance(view.shown, Sheet):
        sheets = [view.shown]
    elif view.shown is not None:
        sheets = [section.sheet for section in view.shown.sections if section.sheet is not None]
    return ReportDetail(
        **_fields(row, now),
        checks=[
            ReportCheck(key=check.key, passed=check.passed, words=check.words, reason=check.reason)
            for check in view.checks
        ],
        tables=[_table(sheet) for sheet in sheets],
        corrections=[
            {
                "row": each.sheet_row,
                "field": each.field,
                "original": each.original,
                "value": each.value,
                "reason": each.reason,
                "who": each.who,
                "at": each.at,
            }
            for each in view.corrections
        ],
        steps=[
            {"at": step.at, "who": step.who, "what": step.what, "note": step.note, "hash": step.hash}
            for step in view.steps
        ],
    )


@router.get(
    "/{report_id}/file",
    response_class=Response,
    responses={
        200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()}},
        **NOT_FOUND,
    },
)
def file(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    report_id: Id,
    format: Literal["xlsx", "docx", "pdf"] = "pdf",  # noqa: A002  (the word of the field)
    language: Language = "",
) -> Response:
    """Return a report as a file. The Chinese files of a submitted report are the kept ones."""
    return file_response(context, viewer, report_id, format, chosen_language(request, language))


def _table(sheet: Sheet) -> ReportTable:
    return ReportTable(
        title=sheet.title,
        columns=[
            {"key": column.key, "label": column.label, "group": column.group, "unit": column.unit, "kind": column.kind}
            for column in sheet.columns
        ],
        rows=[list(row.cells) for row in sheet.rows],
        totals=[dict(total.values) for total in sheet.totals],
    )


def _fields(row: ReportRow, now: dt.datetime) -> dict[str, Any]:
    own = ("area", "missing", "files", "checks", "tables", "corrections", "steps")
    found = {name: getattr(row, name) for name in Report.model_fields if name not in own}
    checksums = {name: str(each["sha256"]) for name, each in row.files.items()}
    return found | {"area": row.area_code, "missing": is_missing(row, now), "files": checksums}
