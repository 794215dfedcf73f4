"""The audit finds sightings that were changed, removed or inserted outside of the software."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select, text

from store.alerts.audit import audit_alert, audit_alerts
from store.alerts.sighting_chain import remove_copies
from store.schema.database import Database
from store.schema.migrate import downgrade, upgrade
from store.schema.tables import AlertRow, Observation
from tests.store.alerts.test_transitions import execute
from tests.store.sample_alerts import add_alert, add_observation, add_village

NUMBER = "330106W2026110001"


@pytest.fixture(autouse=True)
def _alert_with_three_sightings(database: Database) -> None:
    with database.write() as session:
        add_village(session)
        alert = add_alert(session, NUMBER)
        for day, source in ((10, "satellite"), (20, "camera")):
            add_observation(session, alert, dt.date(2026, 12, day), source, 1200.0 + day)


def _fault(database: Database) -> tuple[int, str] | None:
    found = [chain for chain in audit_alerts(database).listed if chain.number == NUMBER and "sighting" in chain.reason]
    assert found == [chain for chain in audit_alert(database, NUMBER).listed if "sighting" in chain.reason]
    return (found[0].sequence, found[0].difference) if found else None


def _allow_state(database: Database) -> None:
    """Sample alerts have no transitions, which is a fault of its own."""
    execute(database, f"UPDATE alerts SET state = 'new' WHERE number = '{NUMBER}'")


def test_sightings_of_the_software_are_intact(database: Database) -> None:
    _allow_state(database)
    assert audit_alerts(database).intact
    with database.read() as session:
        rows = session.scalars(select(Observation).order_by(Observation.id)).all()
        assert [row.sequence for row in rows] == [1, 2, 3]
        assert session.scalars(select(AlertRow.sighting_hash)).one() == rows[-1].hash


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("area_m2 = 900", "content"),
        ("kind = 'ground'", "content"),
        ("score = 0.1", "content"),
        ("source = 'drone'", "content"),
        ("after_date = '2026-12-11'", "content"),
        ("scan_id = scan_id, copied_from = 'X'", "content"),
        ("evidence = '{\"a\": 1}'", "content"),
        ("outline = (SELECT outline FROM areas LIMIT 1)", "content"),
        ("previous_hash = '00'", "link"),
    ],
)
def test_a_changed_sighting_is_found(database: Database, change: str, difference: str) -> None:
    _allow_state(database)
    execute(database, f"UPDATE observations SET {change} WHERE sequence = 2")
    assert _fault(database) == (2, difference)


@pytest.mark.parametrize(("removed", "place"), [(1, 1), (2, 2), (3, 3)])
def test_a_removed_sighting_is_found(database: Database, removed: int, place: int) -> None:
    _allow_state(database)
    execute(database, f"DELETE FROM observations WHERE sequence = {removed}")
    assert _fault(database) == (place, "missing")


def test_an_inserted_sighting_is_found(database: Database) -> None:
    _allow_state(database)
    columns = [column.name for column in Observation.__table__.columns if column.name not in ("id", "sequence")]
    listed = ", ".join(columns)
    copied = f"SELECT 4, {listed} FROM observations WHERE sequence = 3"
    execute(database, f"INSERT INTO observations (sequence, {listed}) {copied}")
    assert _fault(database) == (4, "link")


def test_copies_of_a_merge_that_is_taken_back_leave_an_intact_chain(database: Database) -> None:
    _allow_state(database)
    with database.write() as session:
        alert = session.scalars(select(AlertRow)).one()
        copy = session.scalars(select(Observation).where(Observation.sequence == 2)).one()
        copy.copied_from = "330106W2026110009"
        session.flush()
        remove_copies(session, alert, [copy.copied_from])
    assert audit_alerts(database).intact
    with database.read() as session:
        assert session.scalars(select(Observation.sequence).order_by(Observation.id)).all() == [1, 2]


def test_a_migration_links_the_sightings_that_are_there(database: Database) -> None:
    _allow_state(database)
    in_order = select(Observation.id, Observation.hash).order_by(Observation.id)
    with database.read() as session:
        linked = session.execute(in_order).all()
    downgrade(database, "0012")
    upgrade(database)
    assert audit_alerts(database).intact
    with database.read() as session:
        assert session.execute(in_order).all() == linked
        assert session.execute(text("SELECT sighting_hash FROM alerts")).scalar_one() == linked[-1][1]
    assert linked[0][1] != linked[-1][1]
