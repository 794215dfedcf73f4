"""Checks of reports and documents: stock counted from the logs, sums of the levels, hash chains, numbers."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.year_parts.county import Officer
from benchmarks.year_parts.legal_steps import Step, is_open
from enforcement.reports.content import Content, figures
from store.access.rights import Viewer
from store.documents.search import DocumentFilter, list_documents
from store.reports.report_rows import broken_step, list_reports, visible_report
from store.schema.chain.document_tables import DocumentRow
from store.schema.chain.report_tables import ReportRow, ReportStepRow
from store.schema.chain.tip_tables import PatrolRow
from store.schema.tables import AlertRow

WEEKLY = ("village_week", "township_week", "county_week")
BEFORE_DISPATCH = (
    "new", "triaged", "published", "suppressed", "bad_imagery", "merged", "split", "withdrawn", "transient",
    "false_change", "closed",
)  # fmt: skip
SHOWN_MU = 0.05
"""Rounding of areas over the rows of a report, mu."""


def in_stock_at(log: Sequence[Step], moment: dt.datetime) -> bool:
    """Return whether an alert waited for work outside of the desk at a moment, by its log alone."""
    kept: list[Step] = []
    for step in log:
        if step.at > moment:
            break
        if "undoes" in step.evidence:
            kept = [one for one in kept if one.sequence < step.evidence["undoes"]]
        else:
            kept.append(step)
    if not kept or not is_open(kept[-1].to_state):
        return False
    by_people = "tip" in kept[0].evidence or "patrol" in kept[0].evidence
    return by_people or any(step.to_state not in BEFORE_DISPATCH for step in kept)


def report_faults(session: Session, first: dt.date, last: dt.date, logs: Mapping[int, Sequence[Step]]) -> list[str]:
    """Return the faults of the weekly reports whose period ended within some days; ``logs`` are those of all alerts."""
    query = select(ReportRow).where(
        ReportRow.kind.in_(WEEKLY),
        ReportRow.last_day >= first,
        ReportRow.last_day <= last,
        ReportRow.state != "planned",
    )
    rows = list(session.scalars(query.order_by(ReportRow.id)))
    if not rows:
        return []
    codes = {row[0]: row[1] for row in session.execute(select(AlertRow.id, AlertRow.grid_code))}
    faults: list[str] = []
    filled: dict[tuple[str, dt.date], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    stock: dict[dt.datetime, list[str]] = {}  # codes of the alerts in stock at a moment
    for row in rows:
        where = f"{row.kind} of {row.area_code} for {row.last_day}"
        content = Content.from_json(row.content)
        found: dict[str, Any] = {**figures(content), **content.own} if row.kind != "village_week" else figures(content)
        filled[row.kind, row.last_day][row.area_code] = found
        assert row.filled_until is not None
        until = row.filled_until
        if until not in stock:
            stock[until] = [codes[alert] for alert, log in logs.items() if in_stock_at(log, until)]
        counted = sum(code.startswith(row.area_code) for code in stock[until])
        if found["closing"] != counted:
            faults.append(f"{where} has a stock of {found['closing']}; by the logs {counted}")
        if row.kind == "village_week":
            faults += _patrol_faults(session, where, row, found["patrols"])
        if row.late != (
            row.submitted_at is not None and row.grace_until is not None and row.submitted_at > row.grace_until
        ):
            faults.append(f"{where} is late: {row.late}, submitted {row.submitted_at}, due {row.grace_until}")
        if row.state in ("submitted", "locked") and row.prepared_by == row.approved_by:
            faults.append(f"{where} was prepared and approved by {row.prepared_by}")
    for (kind, day), by_code in filled.items():
        below = filled.get((WEEKLY[WEEKLY.index(kind) - 1], day), {}) if kind != "village_week" else {}
        for code, whole in by_code.items():
            parts = [one for below_code, one in below.items() if below_code.startswith(code)]
            for name in ("added", "removed", "closing") if parts else ():
                if sum(part[name] for part in parts) != whole[name]:
                    total = sum(part[name] for part in parts)
                    faults.append(f"{kind} of {code} for {day}: {name} {whole[name]}; the levels below {total}")
    return faults


def _patrol_faults(session: Session, where: str, row: ReportRow, reported: int) -> list[str]:
    """Compare the patrols of a village's week with those registered between two cutoffs at nine o'clock."""
    before = session.scalar(
        select(ReportRow.filled_until)
        .where(ReportRow.kind == row.kind, ReportRow.area_code == row.area_code, ReportRow.last_day < row.first_day)
        .order_by(ReportRow.last_day.desc())
        .limit(1)
    )
    if before is None:
        return []
    between = PatrolRow.created_at > before, PatrolRow.created_at <= row.filled_until
    of_village = PatrolRow.area_code == row.area_code
    counted = session.scalar(select(func.count()).select_from(PatrolRow).where(of_village, *between))
    return [] if counted == reported else [f"{where} has {reported} patrols; registered: {counted}"]


def chain_faults(session: Session) -> list[str]:
    """Return the reports whose log does not fit its hash chain."""
    logs: dict[int, list[ReportStepRow]] = defaultdict(list)
    query = select(ReportStepRow).order_by(ReportStepRow.report_id, ReportStepRow.sequence)
    for step in session.scalars(query.execution_options(yield_per=2000)):
        logs[step.report_id].append(step)
    return [f"log of report {report}: step {bad}" for report, log in logs.items() if (bad := broken_step(log))]


def document_number_faults(session: Session) -> list[str]:
    """Return series of document numbers with gaps or doubles, and issued documents without number or file."""
    series: dict[tuple[str, int, str], list[int]] = defaultdict(list)
    numbers: set[tuple[str, str]] = set()
    faults = []
    for row in session.scalars(select(DocumentRow)):
        if row.state in ("draft", "checked"):
            if row.number:
                faults.append(f"document {row.id} has the number {row.number} and is not issued")
            continue
        if row.issued_at is None:
            continue  # void before its issue
        if not (row.number and row.docx_sha256 and row.template_sha256 and row.series_value):
            faults.append(f"document {row.id} was issued without number, file or template")
            continue
        key = str(row.series_area), int(row.series_year or 0), str(row.series)
        series[key].append(row.series_value)
        if (key[0], row.number) in numbers:
            faults.append(f"the number {row.number} was given twice")
        numbers.add((key[0], row.number))
        if row.checked_by in (row.drafted_by, row.changed_by):
            faults.append(f"{row.number} was drafted and checked by {row.checked_by}")
    for key, values in series.items():
        if sorted(values) != list(range(1, len(values) + 1)):
            faults.append(f"series {key}: {len(values)} numbers up to {max(values)}")
    return faults


def paper_visibility_faults(session: Session, officers: Collection[Officer], today: dt.date) -> list[str]:
    """Return where one of some officers sees reports or documents of others."""
    reports = session.execute(select(ReportRow.id, ReportRow.area_code)).all()
    joined = select(DocumentRow.id, AlertRow.grid_code).join(AlertRow, AlertRow.id == DocumentRow.alert_id)
    documents = session.execute(joined).all()
    faults = []
    for viewer in (officer.viewer for officer in officers):
        who = f"{viewer.login} ({viewer.role} {viewer.code})"
        seen = [row.area_code for row in list_reports(session, viewer, limit=300)]
        mine = [code for _, code in reports if code.startswith(viewer.code)]
        if len(seen) != min(300, len(mine)) or not all(code.startswith(viewer.code) for code in seen):
            faults.append(f"{who} lists {len(seen)} reports; expected {min(300, len(mine))} of {viewer.code}")
        for report_id, code in reports[:: max(1, len(reports) // 5)]:
            if (visible_report(session, viewer, report_id) is not None) != code.startswith(viewer.code):
                faults.append(f"{who}: report {report_id} of {code}")
        faults += _document_faults(session, viewer, who, documents, today)
    return faults


def _document_faults(session: Session, viewer: Viewer, who: str, documents: Sequence[Any], today: dt.date) -> list[str]:
    allowed = {row_id for row_id, code in documents if code.startswith(viewer.code) and viewer.role != "village"}
    listed = {row.id for row, _ in list_documents(session, viewer, DocumentFilter(), today, limit=5000)}
    return [] if listed == allowed else [f"{who} lists {len(listed)} documents; expected {len(allowed)}"]
