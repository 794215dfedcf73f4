"""The audit verifies every alert's log and names the first broken row."""

from __future__ import annotations

import datetime as dt
import sqlite3

import pytest
from sqlalchemy import event, text

from errors import SettingsError
from store.alerts.audit import MOST_LISTED, Audit, audit_alert, audit_alerts, last_audit, record_audit
from store.alerts.log_verification import BrokenChain
from store.schema.database import Database
from tests.store.alerts.test_transitions import NOON, add_alert, execute, step

SECOND = "130131U2026110002"
_TRANSITION = f"alert_id = (SELECT id FROM alerts WHERE number = '{SECOND}')"
_COLUMNS = "at, who, role, from_state, to_state, why, evidence, previous_hash, hash"


def _three_alerts(database: Database) -> None:
    """Three alerts with three transitions each."""
    with database.write() as session:
        for n in (1, 2, 3):
            alert = add_alert(session, f"130131U202611000{n}")
            step(session, alert, "new", "system", "system", scan=5)
            step(session, alert, "triaged")
            step(session, alert, "false_change", reason="塑料大棚", share=1 / 3)


def _found(database: Database) -> tuple[str, int, str]:
    """Return number, position and difference of the only broken log, as found by a paginated audit."""
    audit = audit_alerts(database, page=2)
    assert (audit.alerts, audit.broken, audit.intact) == (3, 1, False)
    (chain,) = audit.listed
    assert audit_alert(database, SECOND).listed == (chain,)
    assert audit_alert(database, "130131U2026110003").intact
    return chain.number, chain.sequence, chain.difference


@pytest.mark.parametrize("page", [1, 2, 3, 500])
def test_intact_logs_are_counted(database: Database, page: int) -> None:
    _three_alerts(database)
    with database.write() as session:
        add_alert(session, "130131U2026110009")  # has no transition yet
    reported: list[tuple[int, int]] = []
    audit = audit_alerts(database, page=page, progress=lambda *seen: reported.append(seen))
    assert audit == Audit(alerts=4, transitions=9, broken=0, listed=())
    assert audit.intact
    assert reported == [(min(n, 4), 4) for n in range(page, 4 + page, page)]


def test_an_empty_database_is_intact(database: Database) -> None:
    assert audit_alerts(database) == Audit(0, 0, 0, ())


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("who = 'somebody'", "content"),
        ("role = 'city'", "content"),
        ("why = 'no reason'", "content"),
        ("evidence = '{\"a\": 1}'", "content"),
        ("at = '2020-01-01 00:00:00'", "content"),
        ("to_state = 'published'", "content"),
        ("hash = '00'", "content"),
        ("previous_hash = '00'", "link"),
        ("sequence = 9", "missing"),  # the third row is in its place then, and does not follow the first
    ],
)
def test_a_changed_field_is_found(database: Database, change: str, difference: str) -> None:
    _three_alerts(database)
    execute(database, f"UPDATE transitions SET {change} WHERE sequence = 2 AND {_TRANSITION}")
    assert _found(database) == (SECOND, 2, difference)


def test_a_renumbered_last_row_is_found(database: Database) -> None:
    _three_alerts(database)
    execute(database, f"UPDATE transitions SET sequence = 9 WHERE sequence = 3 AND {_TRANSITION}")
    assert _found(database) == (SECOND, 3, "number")


@pytest.mark.parametrize(("removed", "difference"), [(1, "missing"), (2, "missing"), (3, "state")])
def test_a_removed_row_is_found(database: Database, removed: int, difference: str) -> None:
    _three_alerts(database)
    execute(database, f"DELETE FROM transitions WHERE sequence = {removed} AND {_TRANSITION}")
    assert _found(database) == (SECOND, removed, difference)


def test_a_removed_row_is_found_where_later_rows_were_renumbered(database: Database) -> None:
    _three_alerts(database)
    execute(database, f"DELETE FROM transitions WHERE sequence = 2 AND {_TRANSITION}")
    execute(database, f"UPDATE transitions SET sequence = 2 WHERE sequence = 3 AND {_TRANSITION}")
    assert _found(database) == (SECOND, 2, "link")


@pytest.mark.parametrize(
    ("who", "place", "difference"),
    [
        ("'somebody'", 2, "content"),  # without a hash that fits
        ("who", 3, "link"),  # a copy, whose hash fits: what stood in its place does not follow it
    ],
)
def test_an_inserted_row_is_found(database: Database, who: str, place: int, difference: str) -> None:
    _three_alerts(database)
    for sequence in (3, 2):
        change = f"sequence = {sequence + 1} WHERE sequence = {sequence}"
        execute(database, f"UPDATE transitions SET {change} AND {_TRANSITION}")
    execute(
        database,
        f"INSERT INTO transitions (alert_id, sequence, {_COLUMNS}) "
        f"SELECT alert_id, 2, {_COLUMNS.replace('who', who)} FROM transitions WHERE sequence = 3 AND {_TRANSITION}",
    )
    assert _found(database) == (SECOND, place, difference)


@pytest.mark.parametrize("sequence", [0, -1])
def test_a_row_inserted_before_the_first_is_found(database: Database, sequence: int) -> None:
    _three_alerts(database)
    execute(
        database,
        f"INSERT INTO transitions (alert_id, sequence, {_COLUMNS}) "
        f"SELECT alert_id, {sequence}, {_COLUMNS} FROM transitions WHERE sequence = 2 AND {_TRANSITION}",
    )
    assert _found(database) == (SECOND, 1, "number")


def test_an_alert_in_another_state_than_its_last_transition_is_found(database: Database) -> None:
    _three_alerts(database)
    execute(database, f"UPDATE alerts SET state = 'triaged' WHERE number = '{SECOND}'")
    assert _found(database) == (SECOND, 4, "state")
    (chain,) = audit_alerts(database).listed
    assert chain.reason.startswith("the alert is triaged, but its log ends at false_change")


def test_a_log_removed_as_a_whole_is_found(database: Database) -> None:
    _three_alerts(database)
    execute(database, f"DELETE FROM transitions WHERE {_TRANSITION}")
    assert _found(database) == (SECOND, 1, "state")


@pytest.mark.parametrize("change", ["at = 'some day'", "evidence = 'no JSON'", "evidence = '{\"share\": NaN}'"])
def test_an_unreadable_row_is_found(sqlite: Database, change: str) -> None:
    _three_alerts(sqlite)
    execute(sqlite, f"UPDATE transitions SET {change} WHERE sequence = 2 AND {_TRANSITION}")
    assert _found(sqlite) == (SECOND, 2, "content")


def test_a_removed_alert_is_found_by_its_log(sqlite: Database) -> None:
    _three_alerts(sqlite)
    path = sqlite.engine.url.database
    assert path is not None
    with sqlite3.connect(path) as anybody:  # a connection that does not switch foreign keys on
        anybody.execute(f"DELETE FROM alerts WHERE number = '{SECOND}'")
    audit = audit_alerts(sqlite)
    assert (audit.alerts, audit.transitions, audit.broken) == (2, 6, 1)
    assert audit.listed == (
        BrokenChain(2, "", 1, "alert", "the alert with id 2 was removed; 3 transitions of it are there"),
    )


def test_only_the_first_broken_logs_are_listed(sqlite: Database) -> None:
    with sqlite.write() as session:
        for n in range(MOST_LISTED + 5):
            add_alert(session, f"130131U202611{n:04}").state = "triaged"
    audit = audit_alerts(sqlite)
    assert (audit.broken, len(audit.listed)) == (MOST_LISTED + 5, MOST_LISTED)


def test_alerts_are_read_page_by_page(database: Database) -> None:
    _three_alerts(database)
    fetched: list[int] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: fetched.append("LIMIT" in given[2]))
    audit_alerts(database, page=1)
    assert sum(fetched) == 4  # three pages and one that is empty


def test_a_concurrent_transition_does_not_look_broken(database: Database) -> None:
    _three_alerts(database)

    def write(*_: object) -> None:
        with database.write() as session:
            alert = add_alert(session, f"130131U20261101{len(written):02}")
            step(session, alert, "triaged")
            written.append(alert.number)

    written: list[str] = []
    audit = audit_alerts(database, page=1, progress=lambda *_: write() if len(written) < 2 else None)
    assert (audit.alerts, audit.transitions, audit.intact) == (5, 11, True)


def test_an_unknown_alert_is_refused(sqlite: Database) -> None:
    with pytest.raises(SettingsError, match="no alert 7"):
        audit_alert(sqlite, "7")


def test_the_latest_audit_is_stored(database: Database) -> None:
    with database.read() as session:
        assert last_audit(session) is None
    _three_alerts(database)
    with database.write() as session:
        record_audit(session, audit_alerts(database), begun_at=NOON, now=NOON, origin="schedule")
    execute(database, f"UPDATE transitions SET who = 'somebody' WHERE sequence = 2 AND {_TRANSITION}")
    later = NOON + dt.timedelta(days=7)
    broken = audit_alerts(database)
    with database.write() as session:
        record_audit(session, broken, begun_at=later, now=later, origin="command")
    with database.read() as session:
        kept = last_audit(session)
        assert session.scalar(text("SELECT count(*) FROM audits")) == 2
    assert kept is not None
    assert (kept.finished_at, kept.origin, kept.alerts, kept.transitions, kept.broken) == (later, "command", 3, 9, 1)
    assert (kept.first_broken["number"], kept.first_broken["sequence"]) == (SECOND, 2)
