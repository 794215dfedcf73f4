from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import box
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from enforcement.hash_chain import START
from enforcement.states import NotAllowed
from store.alerts.transitions import BrokenChain, Closing, append_transition, closings, verify_transitions
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


def broken(database: Database) -> list[BrokenChain]:
    with database.read() as session:
        return verify_transitions(session)


def behind(database: Database, statement: str) -> None:
    with database.write() as session:
        session.execute(text(statement))


def test_a_step_is_written_with_the_hash_of_the_one_before(database: Database) -> None:
    with database.write() as session:
        alert = add_alert(session)
        first = append_transition(session, alert, "triaged", who="li", role="county", why="clear", at=NOON)
        second = append_transition(session, alert, "published", who="li", role="county", why="", at=NOON)
        assert (first.sequence, first.from_state, first.to_state) == (1, "new", "triaged")
        assert first.previous_hash == START
        assert second.previous_hash == first.hash
    with database.read() as session:
        kept = session.get(AlertRow, alert.id)
        assert kept is not None
        assert (kept.state, kept.state_reason, kept.changed_at) == ("published", "", NOON)


def test_the_log_reads_back_as_it_was_written(database: Database) -> None:
    three_steps(database)
    assert broken(database) == []


def test_the_first_step_may_tell_who_found_it(embedded: Database) -> None:
    with embedded.write() as session:
        alert = add_alert(session)
        row = append_transition(session, alert, "new", who="system", role="system", why="scan 5", at=NOON)
        assert (row.from_state, row.to_state, alert.state) == ("", "new", "new")
        with pytest.raises(NotAllowed):
            append_transition(session, alert, "new", who="system", role="system", why="scan 6", at=NOON)


def test_a_step_that_is_not_allowed_writes_nothing(embedded: Database) -> None:
    with embedded.write() as session:
        alert = add_alert(session)
        with pytest.raises(NotAllowed):
            append_transition(session, alert, "closed", who="li", role="county", why="", at=NOON)
    with embedded.read() as session:
        assert session.execute(text("SELECT count(*) FROM transitions")).scalar() == 0
        assert session.execute(text("SELECT state FROM alerts")).scalar() == "new"


def test_who_checked_is_read_from_the_log(embedded: Database) -> None:
    with embedded.write() as session:
        alert = add_alert(session)
        for to, role in (("triaged", "county"), ("published", "county"), ("dispatched", "county")):
            step(session, alert, to, role)
        step(session, alert, "accepted", "village", "wang")
        step(session, alert, "field_checked", "village", "wang", photos=["a.jpg"], works="built")
        step(session, alert, "submitted", "village", "wang")
        with pytest.raises(NotAllowed, match="another person"):
            step(session, alert, "reviewed", "township", "wang")
        step(session, alert, "reviewed", "township", "zhao")


def after(database: Database, *statements: str) -> list[BrokenChain]:
    """What is found broken after statements that are then taken back."""
    with database.read() as session:
        for statement in statements:
            session.execute(text(statement))
        return verify_transitions(session)


def test_a_row_changed_behind_the_software_is_found(database: Database) -> None:
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


def test_a_log_removed_as_a_whole_is_found(embedded: Database) -> None:
    three_steps(embedded)
    assert [chain.sequence for chain in after(embedded, "DELETE FROM transitions")] == [1]


def test_a_state_set_behind_the_software_is_found(embedded: Database) -> None:
    three_steps(embedded)
    assert [chain.sequence for chain in after(embedded, "UPDATE alerts SET state = 'closed'")] == [4]


def test_a_step_of_another_alert_does_not_fit(embedded: Database) -> None:
    first = three_steps(embedded)
    with embedded.write() as session:
        other = add_alert(session, "130131U2026110002")
        session.flush()
        other_id = other.id
    behind(embedded, f"UPDATE transitions SET alert_id = {other_id} WHERE sequence = 3")
    assert [(chain.alert_id, chain.sequence) for chain in broken(embedded)] == [(first, 3), (other_id, 1)]


def test_only_the_broken_ones_are_told(embedded: Database) -> None:
    with embedded.write() as session:
        for n in range(1, 6):
            step(session, add_alert(session, f"130131U202611000{n}"), "triaged")
        add_alert(session, "130131U2026110009")
    behind(embedded, "UPDATE transitions SET who = 'x' WHERE alert_id = (SELECT id FROM alerts WHERE number LIKE '%3')")
    assert [chain.number for chain in broken(embedded)] == ["130131U2026110003"]


def test_moments_of_every_zone_verify(embedded: Database) -> None:
    east = NOON.astimezone(ZoneInfo("Asia/Shanghai"))
    with embedded.write() as session:
        append_transition(session, add_alert(session), "triaged", who="li", role="county", why="", at=east)
    assert broken(embedded) == []


def test_evidence_is_kept_as_json_and_verifies(database: Database) -> None:
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


def test_the_end_of_an_alert_is_told_by_its_local_date(database: Database) -> None:
    evening = dt.datetime(2026, 11, 25, 20, tzinfo=dt.UTC)
    with database.write() as session:
        alert, opened = add_alert(session), add_alert(session, "130131U2026110002")
        append_transition(
            session, alert, "false_change", who="li", role="county", why="", at=evening, evidence={"reason": "shadow"}
        )
        ends = closings(session, [alert.id, opened.id], ZoneInfo("Asia/Shanghai"))
        assert ends == {alert.id: Closing(dt.date(2026, 11, 26), cleared=False)}


def test_an_alert_closed_because_nothing_was_left_is_told_as_cleared(embedded: Database) -> None:
    with embedded.write() as session:
        alert = add_alert(session)
        alert.state = "rechecked"
        step(session, alert, "closed", total_m2=400, demolished_m2=400, regularised_m2=0, agreed=True)
        assert closings(session, [alert.id], ZoneInfo("Asia/Shanghai"))[alert.id].cleared
