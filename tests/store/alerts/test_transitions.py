from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import box
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from enforcement.hash_chain import GENESIS_HASH
from enforcement.states import NotAllowed
from store.alerts.log_verification import BrokenChain, verify_log
from store.alerts.transitions import Closing, append_transition, closings, steps_of
from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow

NOON = dt.datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=dt.UTC)


@pytest.fixture
def embedded(sqlite: Database) -> Database:
    """What holds on every database is tried on the one that is there at once."""
    return sqlite


def add_alert(session: Session, number: str = "130131U2026110001") -> AlertRow:
    alert = AlertRow(
        number=number,
        kind="construction",
        state="new",
        score=0.9,
        area_m2=400.0,
        detected={},
        source="drone",
        created_at=NOON,
        changed_at=NOON,
        **bounds_of(box(116, 40, 116.001, 40.001)),
    )
    session.add(alert)
    return alert


def step(session: Session, alert: AlertRow, to: str, role: str = "county", who: str = "li", **evidence: object) -> None:
    later = alert.changed_at + dt.timedelta(minutes=1)
    append_transition(session, alert, to, who=who, role=role, why=f"因为 {to}", at=later, evidence=evidence)


def three_steps(database: Database) -> int:
    with database.write() as session:
        alert = add_alert(session)
        step(session, alert, "new", "system", "system", scan=5)
        step(session, alert, "triaged")
        step(session, alert, "false_change", reason="塑料大棚", share=1 / 3)
        return alert.id


def broken_logs(session: Session) -> list[BrokenChain]:
    """Verify the logs of all alerts as this transaction sees them."""
    alerts = session.scalars(select(AlertRow).order_by(AlertRow.id)).all()
    found = [verify_log(alert.id, alert.number, alert.state, steps_of(session, alert), "new") for alert in alerts]
    return [chain for chain in found if chain is not None]


def broken(database: Database) -> list[BrokenChain]:
    with database.read() as session:
        return broken_logs(session)


def execute(database: Database, statement: str) -> None:
    with database.write() as session:
        session.execute(text(statement))


def test_a_transition_holds_the_hash_of_the_previous_one(database: Database) -> None:
    with database.write() as session:
        alert = add_alert(session)
        first = append_transition(session, alert, "triaged", who="li", role="county", why="clear", at=NOON)
        second = append_transition(session, alert, "published", who="li", role="county", why="", at=NOON)
        assert (first.sequence, first.from_state, first.to_state) == (1, "new", "triaged")
        assert first.previous_hash == GENESIS_HASH
        assert second.previous_hash == first.hash
    with database.read() as session:
        kept = session.get(AlertRow, alert.id)
        assert kept is not None
        assert (kept.state, kept.state_reason, kept.changed_at) == ("published", "", NOON)


def test_the_log_reads_back_as_it_was_written(database: Database) -> None:
    three_steps(database)
    assert broken(database) == []


def test_the_first_transition_may_enter_the_initial_state(embedded: Database) -> None:
    with embedded.write() as session:
        alert = add_alert(session)
        row = append_transition(session, alert, "new", who="system", role="system", why="scan 5", at=NOON)
        assert (row.from_state, row.to_state, alert.state) == ("", "new", "new")
        with pytest.raises(NotAllowed):
            append_transition(session, alert, "new", who="system", role="system", why="scan 6", at=NOON)


def test_a_forbidden_transition_writes_nothing(embedded: Database) -> None:
    with embedded.write() as session:
        alert = add_alert(session)
        with pytest.raises(NotAllowed):
            append_transition(session, alert, "closed", who="li", role="county", why="", at=NOON)
    with embedded.read() as session:
        assert session.execute(text("SELECT count(*) FROM transitions")).scalar() == 0
        assert session.execute(text("SELECT state FROM alerts")).scalar() == "new"


def test_the_field_checker_is_read_from_the_log(embedded: Database) -> None:
    with embedded.write() as session:
        alert = add_alert(session)
        for to, role in (("triaged", "county"), ("published", "county"), ("dispatched", "county")):
            step(session, alert, to, role)
        step(session, alert, "accepted", "village", "wang")
        step(
            session,
            alert,
            "field_checked",
            "village",
            "wang",
            photos=["a.jpg"],
            works="built",
            findings={"use": "road"},
        )
        step(session, alert, "submitted", "village", "wang")
        with pytest.raises(NotAllowed, match="another person"):
            step(session, alert, "reviewed", "township", "wang")
        step(session, alert, "reviewed", "township", "zhao")


def after(database: Database, *statements: str) -> list[BrokenChain]:
    """Return the broken logs after executing statements, which are rolled back."""
    with database.read() as session:
        for statement in statements:
            session.execute(text(statement))
        return broken_logs(session)


def test_a_changed_row_is_found(database: Database) -> None:
    three_steps(database)
    changes = [
        "who = 'somebody'",
        "role = 'city'",
        "from_state = 'published'",
        "to_state = 'published'",
        "why = 'no reason'",
        "evidence = '{}'",
        "previous_hash = '00'",
        "hash = '00'",
        "sequence = 9",
        "at = '2020-01-01 00:00:00'",
    ]
    found = {
        change: [chain.sequence for chain in after(database, f"UPDATE transitions SET {change} WHERE sequence = 3")]
        for change in changes
    }
    assert found == {change: [3] for change in changes}


def test_a_removed_row_is_found(database: Database) -> None:
    alert_id = three_steps(database)
    for sequence in (1, 2, 3):
        (found,) = after(database, f"DELETE FROM transitions WHERE sequence = {sequence}")
        assert (found.alert_id, found.number, found.sequence) == (alert_id, "130131U2026110001", sequence)


def test_a_removed_last_row_is_found_by_the_state_of_the_alert(embedded: Database) -> None:
    three_steps(embedded)
    (found,) = after(embedded, "DELETE FROM transitions WHERE sequence = 3")
    assert "is false_change" in found.reason
    assert "ends at triaged" in found.reason


def test_a_renumbered_alert_is_found(embedded: Database) -> None:
    three_steps(embedded)
    assert [chain.sequence for chain in after(embedded, "UPDATE alerts SET number = 'other'")] == [1]


def test_a_removed_log_is_found(embedded: Database) -> None:
    three_steps(embedded)
    assert [chain.sequence for chain in after(embedded, "DELETE FROM transitions")] == [1]


def test_a_changed_state_is_found(embedded: Database) -> None:
    three_steps(embedded)
    assert [chain.sequence for chain in after(embedded, "UPDATE alerts SET state = 'closed'")] == [4]


def test_a_transition_of_another_alert_is_found(embedded: Database) -> None:
    first = three_steps(embedded)
    with embedded.write() as session:
        other = add_alert(session, "130131U2026110002")
        session.flush()
        other_id = other.id
    execute(embedded, f"UPDATE transitions SET alert_id = {other_id} WHERE sequence = 3")
    assert [(chain.alert_id, chain.sequence) for chain in broken(embedded)] == [(first, 3), (other_id, 1)]


def test_only_broken_logs_are_reported(embedded: Database) -> None:
    with embedded.write() as session:
        for n in range(1, 6):
            step(session, add_alert(session, f"130131U202611000{n}"), "triaged")
        add_alert(session, "130131U2026110009")
    execute(
        embedded, "UPDATE transitions SET who = 'x' WHERE alert_id = (SELECT id FROM alerts WHERE number LIKE '%3')"
    )
    assert [chain.number for chain in broken(embedded)] == ["130131U2026110003"]


def test_times_of_any_zone_verify(embedded: Database) -> None:
    east = NOON.astimezone(ZoneInfo("Asia/Shanghai"))
    with embedded.write() as session:
        append_transition(session, add_alert(session), "triaged", who="li", role="county", why="", at=east)
    assert broken(embedded) == []


def test_evidence_is_stored_as_json_and_verifies(database: Database) -> None:
    evidence = {"numbers": (1, 2.5, 1e-7), "when": NOON, "部门": {"b": None, "a": True}}
    with database.write() as session:
        row = append_transition(
            session, add_alert(session), "triaged", who="li", role="county", why="", at=NOON, evidence=evidence
        )
        assert row.evidence["numbers"] == [1, 2.5, 1e-7]
    assert broken(database) == []


def test_two_processes_cannot_both_move_one_alert(postgresql: Database) -> None:
    with postgresql.write() as session:
        alert = add_alert(session)
    with postgresql.write() as late:
        seen = late.get_one(AlertRow, alert.id)
        with postgresql.write() as early:
            step(early, early.get_one(AlertRow, alert.id), "triaged")
        with pytest.raises((StaleDataError, IntegrityError)):
            step(late, seen, "false_change", reason="shadow")
        late.rollback()
    assert broken(postgresql) == []


def test_the_closing_date_is_local(database: Database) -> None:
    evening = dt.datetime(2026, 11, 25, 20, tzinfo=dt.UTC)
    with database.write() as session:
        alert, opened = add_alert(session), add_alert(session, "130131U2026110002")
        append_transition(
            session, alert, "false_change", who="li", role="county", why="", at=evening, evidence={"reason": "shadow"}
        )
        ends = closings(session, [alert.id, opened.id], ZoneInfo("Asia/Shanghai"))
        assert ends == {alert.id: Closing(dt.date(2026, 11, 26), cleared=False)}


def test_an_alert_closed_after_full_demolition_is_cleared(embedded: Database) -> None:
    with embedded.write() as session:
        alert = add_alert(session)
        alert.state = "rechecked"
        step(session, alert, "closed", total_m2=400, demolished_m2=400, regularised_m2=0, agreed=True)
        assert closings(session, [alert.id], ZoneInfo("Asia/Shanghai"))[alert.id].cleared
