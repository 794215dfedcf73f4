"""A report as its page and API show it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from enforcement.reports.build import columns_of
from enforcement.reports.bulletin import Bulletin
from enforcement.reports.content import Content
from enforcement.reports.fields import SOURCES
from enforcement.reports.layout import Table, read_layout
from enforcement.reports.schedule import read_schedule
from enforcement.reports.sheet import Check, Sheet
from service.reports.rendering import checks_of, shown_report
from store.access.rights import Viewer
from store.reports.report_rows import broken_step, corrections_of, is_missing, steps_of
from store.reports.report_steps import EDITABLE, may_approve, may_prepare, may_take
from store.schema.chain.report_tables import ReportCorrectionRow, ReportRow, ReportStepRow
from store.schema.database import Session

MAX_CHOICES = 500
"""Rows offered for correction; the API corrects any."""

_FIXED = ("serial", "movement")


@dataclass(frozen=True)
class ReportView:
    """A report with everything that its page shows.

    Attributes:
        row: the report.
        shown: sheet or bulletin; None: it is not filled yet.
        checks: in words.
        corrections: oldest first.
        steps: oldest first; ``broken``: first one that does not fit the hash chain.
        rows, fields: (value, label) of cells that may be corrected.
        may: names of the steps that the viewer may take now.
        own: the viewer prepared it, and so may not approve it.
        missing: whether it is overdue.
    """

    row: ReportRow
    shown: Sheet | Bulletin | None
    checks: Sequence[Check]
    corrections: Sequence[ReportCorrectionRow]
    steps: Sequence[ReportStepRow]
    broken: int | None
    rows: Sequence[tuple[str, str]]
    fields: Sequence[tuple[str, str]]
    may: frozenset[str]
    own: bool
    missing: bool

    @property
    def is_sheet(self) -> bool:
        """Whether it is one table."""
        return isinstance(self.shown, Sheet)


def report_view(
    session: Session, row: ReportRow, viewer: Viewer, language: str, zone: dt.tzinfo, now: dt.datetime
) -> ReportView:
    """Return a report for a viewer who may see it."""
    filled = row.filled_at is not None
    steps = steps_of(session, row.id)
    return ReportView(
        row,
        shown_report(session, row, language, zone) if filled else None,
        checks_of(row, language),
        corrections_of(session, row.id),
        steps,
        broken_step(steps),
        _rows(row) if filled else (),
        _fields(row, language) if filled else (),
        allowed_steps(row, viewer, now),
        row.state == "prepared" and row.prepared_by == viewer.login,
        is_missing(row, now),
    )


def allowed_steps(row: ReportRow, viewer: Viewer, now: dt.datetime) -> frozenset[str]:
    """Return the steps that a viewer may take: fill, correct, prepare, approve, return, lock."""
    found: set[str] = set()
    if may_prepare(viewer, row):
        if row.state in ("planned", *EDITABLE):
            found.add("fill")
        if row.state in EDITABLE:
            found.add("correct")
            if row.filled_until is not None and row.filled_until <= now:
                found.add("prepare")
    if row.state == "prepared" and may_approve(viewer, row):
        found |= {"approve", "return"}
    if row.state == "submitted" and may_take(viewer, row):
        found |= {"return", "lock"}
    return frozenset(found)


def kind_names(language: str) -> dict[str, str]:
    """Return the kinds of reports with their names."""
    return {name: getattr(rule, language) for name, rule in read_schedule().reports.items()}


def _rows(row: ReportRow) -> list[tuple[str, str]]:
    content = Content.from_json(row.content)
    found = []
    for table, rows in content.tables.items():
        for number, one in enumerate(rows[:MAX_CHOICES], 1):
            name = one.values.get("number") or one.values.get("area") or one.values.get("what") or one.key
            found.append((f"{table}/{one.key}", f"{number}. {name if isinstance(name, str) else one.key}"[:80]))
    return found[:MAX_CHOICES]


def _fields(row: ReportRow, language: str) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for table in read_layout(row.kind).tables():
        found |= {name: label for name, label in _of_table(table, language) if name not in found}
    return list(found.items())


def _of_table(table: Table, language: str) -> list[tuple[str, str]]:
    pairs = zip(table.columns, columns_of(table, language), strict=True)
    return [
        (shown.field, f"{column.group} {column.heading}".strip())
        for shown, column in pairs
        if shown.field in SOURCES[table.rows] and shown.field not in _FIXED
    ]
