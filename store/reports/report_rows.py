"""Rows of reports: find and list them, their content with corrections, their steps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from enforcement.hash_chain import Row, first_break
from enforcement.reports.content import Content
from store.access.rights import Viewer, starts_with, visible_to
from store.schema.chain.report_tables import ReportCorrectionRow, ReportRow, ReportStepRow
from store.schema.database import Database

STATES = ("planned", "draft", "prepared", "submitted", "returned", "locked")


def visible_report(session: Session, viewer: Viewer, report_id: int, *, lock: bool = False) -> ReportRow | None:
    """Return a report that the viewer may see; None: there is none for this viewer."""
    query = select(ReportRow).where(ReportRow.id == report_id, visible_to(ReportRow.area_code, viewer))
    return session.scalar(query.with_for_update() if lock else query)


def report_at(session: Session, kind: str, code: str, day: dt.date) -> ReportRow | None:
    """Return the report of an area whose period contains a day."""
    return session.scalar(
        select(ReportRow).where(
            ReportRow.kind == kind,
            ReportRow.area_code == code,
            ReportRow.first_day <= day,
            ReportRow.last_day >= day,
        )
    )


def reports_below(session: Session, kind: str, code: str, first: dt.date, last: dt.date) -> Sequence[ReportRow]:
    """List the reports of a kind under a code for exactly one period, by area."""
    query = select(ReportRow).where(
        ReportRow.kind == kind,
        starts_with(ReportRow.area_code, code),
        ReportRow.first_day == first,
        ReportRow.last_day == last,
    )
    return session.scalars(query.order_by(ReportRow.area_code)).all()


def list_reports(
    session: Session,
    viewer: Viewer,
    *,
    kind: str = "",
    area: str = "",
    day: dt.date | None = None,
    states: Collection[str] = (),
    before_id: int | None = None,
    limit: int = 50,
) -> list[ReportRow]:
    """List reports without their content, newest period first; keyset pagination by id within that order.

    Args:
        session: a read transaction.
        viewer: the current user.
        kind: of ``configs/reports/schedule.yaml``; "": all.
        area: prefix of the administrative code.
        day: of the period; None: all.
        states: of :data:`STATES`; empty: all.
        before_id: id of the last report of the page before.
        limit: most reports.
    """
    query = select(ReportRow).where(visible_to(ReportRow.area_code, viewer))
    if kind:
        query = query.where(ReportRow.kind == kind)
    if area:
        query = query.where(starts_with(ReportRow.area_code, area))
    if day is not None:
        query = query.where(ReportRow.first_day <= day, ReportRow.last_day >= day)
    if states:
        query = query.where(ReportRow.state.in_(sorted(states)))
    if before_id is not None:
        last = session.get(ReportRow, before_id)
        if last is not None:
            same = (ReportRow.last_day == last.last_day) & (ReportRow.id < last.id)
            query = query.where((ReportRow.last_day < last.last_day) | same)
    order = (ReportRow.last_day.desc(), ReportRow.id.desc())
    return list(session.scalars(query.options(defer(ReportRow.content)).order_by(*order).limit(limit)))


def corrections_of(session: Session, report_id: int) -> Sequence[ReportCorrectionRow]:
    """List all corrections of a report, oldest first."""
    query = select(ReportCorrectionRow).where(ReportCorrectionRow.report_id == report_id)
    return session.scalars(query.order_by(ReportCorrectionRow.id)).all()


def corrected_content(session: Session, row: ReportRow) -> Content:
    """Return the content of a report with the corrections in effect."""
    return corrected_contents(session, [row])[row.id]


def corrected_contents(session: Session, rows: Sequence[ReportRow]) -> dict[int, Content]:
    """Return the contents of reports with the corrections in effect, by id, by one statement."""
    latest: dict[int, dict[tuple[str, str], Any]] = {row.id: {} for row in rows}
    query = (
        select(ReportCorrectionRow).where(ReportCorrectionRow.report_id.in_(latest)).order_by(ReportCorrectionRow.id)
    )
    for correction in session.scalars(query):
        latest[correction.report_id][correction.sheet_row, correction.field] = correction.value
    return {row.id: Content.from_json(row.content).corrected(latest[row.id]) for row in rows}


def steps_of(session: Session, report_id: int) -> Sequence[ReportStepRow]:
    """List the steps of a report, oldest first."""
    query = select(ReportStepRow).where(ReportStepRow.report_id == report_id)
    return session.scalars(query.order_by(ReportStepRow.sequence)).all()


def step_fields(step: ReportStepRow) -> dict[str, Any]:
    """Return the fields of a step that its hash protects."""
    return {
        "report": step.report_id,
        "sequence": step.sequence,
        "at": step.at,
        "who": step.who,
        "what": step.what,
        "note": step.note,
        "detail": step.detail,
    }


def broken_step(steps: Sequence[ReportStepRow]) -> int | None:
    """Return the number of the first step that does not fit its hash chain; None: it is intact."""
    rows = (Row(step.sequence, step_fields(step), step.previous_hash, step.hash) for step in steps)
    found = first_break(rows)
    return None if found is None else found.sequence


def check_report_chains(database: Database) -> list[str]:
    """Verify the steps of all reports; return the problems as sentences."""
    ordered = select(ReportStepRow).order_by(ReportStepRow.report_id, ReportStepRow.sequence)
    problems = []
    with database.read() as session:
        rows = session.scalars(ordered.execution_options(yield_per=1000))
        for report_id, steps in groupby(rows, lambda step: step.report_id):
            at = broken_step(list(steps))
            if at is not None:
                problems.append(f"The log of report {report_id} is broken at step {at}")
    return problems


def is_missing(row: ReportRow, now: dt.datetime) -> bool:
    """Whether a report is overdue: it has to be submitted, the time has passed, and it was not."""
    return row.grace_until is not None and row.grace_until < now and row.state not in ("submitted", "locked")


def report_by_id(session: Session, report_id: int, *, lock: bool = False) -> ReportRow | None:
    """Return a report by its id, for whoever is allowed to see all; None: there is none."""
    query = select(ReportRow).where(ReportRow.id == report_id)
    return session.scalar(query.with_for_update() if lock else query)


def reports_without_files(session: Session, limit: int) -> list[int]:
    """List submitted reports whose files are not kept yet, by id, the latest first."""
    query = select(ReportRow.id, ReportRow.files).where(ReportRow.state.in_(("submitted", "locked")))
    latest = session.execute(query.order_by(ReportRow.id.desc()).limit(20 * limit))
    return [report_id for report_id, files in latest if not files][:limit]
