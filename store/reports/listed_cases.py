"""Alerts under listed supervision in a period, as rows of the quarterly bulletin."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from configs.texts import LANGUAGES, text
from enforcement.reports.content import ContentRow
from enforcement.reports.schedule import Period
from enforcement.units import mu
from store.access.rights import starts_with
from store.reports.report_facts import ReportFacts
from store.schema.chain.deadline_tables import SupervisionRow
from store.schema.tables import AlertRow


def listed_rows(session: Session, code: str, period: Period, facts: ReportFacts) -> list[ContentRow]:
    """Return the supervisions of alerts under a code that were in progress in the period, the oldest first."""
    query = (
        select(SupervisionRow, AlertRow.number, AlertRow.grid_code, AlertRow.area_m2)
        .join(AlertRow, AlertRow.id == SupervisionRow.alert_id)
        .where(starts_with(AlertRow.grid_code, code), SupervisionRow.listed_at <= period.until)
        .where(or_(SupervisionRow.ended_at.is_(None), SupervisionRow.ended_at > period.after))
        .order_by(SupervisionRow.id)
    )
    rows = []
    for serial, (row, number, grid_code, area_m2) in enumerate(session.execute(query), 1):
        ended = row.ended_at is not None and row.ended_at <= period.until
        key = "reports.supervision_ended" if ended else "reports.supervision_open"
        values = {
            "serial": serial,
            "number": number,
            "area": facts.names.get(grid_code, grid_code),
            "area_mu": round(mu(area_m2), 2),
            "unit": row.duty_unit,
            "listed_on": row.listed_on.isoformat(),
            "due_on": row.due_on.isoformat(),
            "state": {language: text(key, language) for language in LANGUAGES},
            "result": row.result if ended else "",
        }
        rows.append(ContentRow(str(row.id), values, f"/supervision/{row.id}"))
    return rows
