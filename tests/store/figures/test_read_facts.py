"""Facts are read by a fixed number of statements, and those of a past moment do not change afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from store.alerts.transitions import undo_transition
from store.figures.read_facts import facts_of_alerts, read_facts
from store.schema.chain.deadline_tables import DeadlineLogRow, SupervisionRow
from store.schema.chain.tip_tables import PatrolFinding, PatrolRow, TipRow
from store.schema.database import Database, Session
from store.schema.tables import AlertRow
from tests.store.alerts.test_transitions import NOON, add_alert, step

VILLAGE = "130131001002"
DAY = NOON.astimezone(dt.timezone(dt.timedelta(hours=8))).date()


def placed_alert(session: Session, number: str, grid: str = VILLAGE) -> AlertRow:
    """An alert with its responsible areas and its first steps, one minute apart."""
    alert = add_alert(session, number)
    alert.county_code, alert.township_code, alert.grid_code = grid[:6], grid[:9], grid
    step(session, alert, "new", "system", "system", scan=5)
    step(session, alert, "triaged")
    return alert


@contextmanager
def counted_statements(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are executed."""
    statements: list[str] = []
    engine = database.engine
    listener = lambda *given: statements.append(given[2])  # noqa: E731
    event.listen(engine, "before_cursor_execute", listener)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", listener)


def test_facts_of_an_area_are_those_of_its_alerts_at_the_moment(database: Database) -> None:
    with database.write() as session:
        alert = placed_alert(session, "130131U2026110001")
        placed_alert(session, "130131U2026110002", "130132001002")
        before = alert.changed_at
        step(session, alert, "false_change", reason="塑料大棚")
        decided = alert.changed_at
        undo_transition(
            session,
            alert,
            who="li",
            role="county",
            at=decided + dt.timedelta(minutes=1),
            within=dt.timedelta(hours=1),
        )
    with database.read() as session:
        (then,) = read_facts(session, "130131", before)
        (rejected,) = read_facts(session, VILLAGE, decided)
        (now,) = facts_of_alerts(session, [alert.id])
        assert read_facts(session, "", NOON - dt.timedelta(seconds=1)) == []
        assert [found.number[:6] for found in read_facts(session, "")] == ["130131", "130131"]
    assert (then.state, then.determination, then.found_on) == ("triaged", None, DAY)
    assert (rejected.state, rejected.determination) == ("false_change", "false_change")
    assert (now.state, now.determination) == ("triaged", None)


def test_tips_patrols_escalations_and_supervision_are_read_with_few_statements(sqlite: Database) -> None:
    with sqlite.write() as session:
        alerts = [placed_alert(session, f"130131U20261100{number:02d}") for number in range(20)]
        session.flush()
        alert = alerts[3]
        session.add(
            TipRow(
                number="X1", origin="desk", channel="letter", state="received", area_code=VILLAGE, summary="s",
                received_on=DAY, alert_id=alert.id, created_at=NOON, changed_at=NOON,
            )
        )  # fmt: skip
        patrol = PatrolRow(
            number="P1", area_code=VILLAGE, day=DAY, people="li", found=True, created_by="li", created_at=NOON
        )
        session.add(patrol)
        session.flush()
        session.add(PatrolFinding(patrol_id=patrol.id, sequence=1, fields={}, alert_id=alert.id))
        for kind, to_day in (("escalated", None), ("went_on", DAY), ("calendar", DAY)):
            session.add(
                DeadlineLogRow(
                    alert_id=alert.id, at=NOON, who="system", kind=kind, from_day=DAY, to_day=to_day, detail={}
                )
            )
        session.add(
            SupervisionRow(
                alert_id=alert.id, listed_by="li", level="county", listed_at=NOON, listed_on=DAY, duty_unit="u",
                requirements="r", due_on=DAY, progress_due=DAY, state="open",
            )
        )  # fmt: skip
        number = alert.number
    with sqlite.read() as session, counted_statements(sqlite) as statements:
        found = {facts.number: facts.related for facts in read_facts(session, "1301")}
        assert len([text for text in statements if text.startswith("SELECT")]) <= 7
    related = found.pop(number)
    assert (related.tips, related.patrols, related.escalated, related.went_on) == (("X1",), ("P1",), 1, (DAY,))
    assert (related.supervised_on, related.supervision_due, related.supervision_open) == (DAY, DAY, True)
    assert all(other.tips == () and not other.supervision_open for other in found.values())
