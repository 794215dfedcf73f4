"""Alerts that were decided before a period and not touched since are in none of its reports, and are not read."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from shapely.geometry import box
from sqlalchemy import select

from enforcement.reports.schedule import period_of, read_schedule
from store.deadlines.calendar import calendar_of
from store.figures.read_facts import read_facts, read_recent_facts
from store.reports.filling import fill_content
from store.reports.report_facts import ReportFacts
from store.schema.chain.tip_tables import PatrolFinding, PatrolRow
from store.schema.database import Database, Session
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Area, Transition
from tests.store.figures.test_fact_tables import BEGUN, GRIDS, ZONE, add_random_alerts

COUNTY = "130131"


class AllFacts(ReportFacts):
    """Facts of all alerts, however long ago they were decided."""

    def at(self, moment: dt.datetime, code: str, since: dt.datetime | None = None) -> dict[int, object]:  # type: ignore[override]
        return super().at(moment, code)  # type: ignore[return-value]


def fill(session: Session) -> None:
    """Add areas, alerts in the state of their last step, and patrols that found some of them."""
    rng = random.Random(11)
    for code in sorted({*GRIDS, *(grid[:9] for grid in GRIDS), COUNTY}):
        level = {6: "county", 9: "township", 12: "village"}[len(code)]
        session.add(Area(code=code, name=code, level=level, loaded_at=BEGUN, **bounds_of(box(114, 37, 115, 38))))
    add_random_alerts(session, 120, rng)
    for alert in session.scalars(select(AlertRow).order_by(AlertRow.id)):
        last = select(Transition.to_state).where(Transition.alert_id == alert.id)
        alert.state = session.scalars(last.order_by(Transition.sequence.desc()).limit(1)).one()
    for number in range(30):
        day = BEGUN.date() + dt.timedelta(days=rng.randrange(120))
        patrol = PatrolRow(
            number=f"XC{number}", area_code=GRIDS[0], day=day, unit="u", people="p", region="r", opinion="", remarks="",
            created_at=BEGUN, created_by="li", found=True,
        )  # fmt: skip
        session.add(patrol)
        session.flush()
        session.add(PatrolFinding(patrol_id=patrol.id, sequence=1, fields={}, alert_id=rng.randrange(1, 120)))
    session.flush()


@pytest.mark.parametrize("kind", ["village_week", "township_week", "county_week", "month", "ledger"])
def test_reports_are_the_same_as_from_the_facts_of_all_alerts(database: Database, kind: str) -> None:
    with database.write() as session:
        fill(session)
    rule = read_schedule().rule(kind)
    codes = {"village": GRIDS[:2], "township": (GRIDS[0][:9],), "county": (COUNTY,)}[rule.level]
    rows = 0
    with database.read() as session:
        for days in range(3, 130, 9):
            period = period_of(rule, calendar_of(session), BEGUN.date() + dt.timedelta(days=days), ZONE)
            for code in codes:
                found = [
                    fill_content(session, kind, code, period, facts(session, COUNTY, ZONE)).to_json()
                    for facts in (ReportFacts, AllFacts)
                ]
                assert found[0] == found[1]
                rows += sum(len(table) for table in found[0]["tables"].values())
    assert rows > 20


def test_facts_of_alerts_decided_long_ago_are_not_read(database: Database) -> None:
    with database.write() as session:
        fill(session)
    end = BEGUN + dt.timedelta(days=200)
    with database.read() as session:
        everything = read_facts(session, COUNTY, end)
        recent = read_recent_facts(session, COUNTY, end, end - dt.timedelta(days=7))
    assert {facts.number for facts in recent} == {facts.number for facts in everything if facts.open}
    assert 0 < len(recent) < len(everything)
