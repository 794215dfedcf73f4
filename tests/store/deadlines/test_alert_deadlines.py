"""Stored deadlines follow the calendar on both databases, and what is overdue is escalated once."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from enforcement.chain_settings import ChainValues
from enforcement.deadlines.public_holidays import CalendarYear
from store.access.users import add_user, viewer_of
from store.alerts.transitions import append_transition
from store.deadlines.alert_deadlines import escalate_overdue, recompute_deadlines
from store.deadlines.calendar import calendar_of, save_year, store_known_years, year_of
from store.deadlines.daily_messages import write_daily_messages
from store.messages.inbox import inbox_messages, mark_read, unread_count
from store.schema.alert_revision import revision_of
from store.schema.chain.deadline_tables import DeadlineLogRow
from store.schema.chain.message_tables import MessageRow
from store.schema.database import Database, Session
from store.schema.tables import AlertRow
from store.schema.user_tables import User
from tests.store.alerts.test_transitions import add_alert

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = dt.datetime(2026, 9, 29, 2, 0, tzinfo=dt.UTC)  # Tuesday
HOLIDAY = CalendarYear(
    year=2026, holidays=tuple((dt.date(2026, 9, day), "") for day in (30,)), working_days=(dt.date(2026, 10, 1),)
)


def dispatched(session: Session) -> AlertRow:
    """An alert that was dispatched on the 29th: one working day to accept it."""
    alert = add_alert(session)
    alert.county_code, alert.township_code, alert.grid_code = "130131", "130131001", "130131001002"
    for state in ("new", "triaged", "published", "dispatched"):
        append_transition(
            session,
            alert,
            state,
            who="system" if state == "new" else "li",
            role="county",
            why="",
            at=NOW,
            zone=SHANGHAI,
        )
    return alert


def test_deadlines_follow_the_calendar_and_the_log_keeps_each_change(database: Database) -> None:
    with database.write() as session:
        alert = dispatched(session)
        assert alert.due_on == dt.date(2026, 9, 30)
        revision = revision_of(session)
    with database.write() as session:
        assert save_year(session, HOLIDAY, who="admin", now=NOW)
        assert not save_year(session, HOLIDAY, who="admin", now=NOW)
        assert not calendar_of(session).is_working(dt.date(2026, 9, 30))
    with database.write() as session:
        assert recompute_deadlines(session, SHANGHAI, kind="calendar", who="admin", now=NOW) == 1
    with database.write() as session:  # the second time nothing moves
        assert recompute_deadlines(session, SHANGHAI, kind="calendar", who="admin", now=NOW) == 0
        (row,) = session.scalars(select(DeadlineLogRow))
        assert (row.from_day, row.to_day, row.who) == (dt.date(2026, 9, 30), dt.date(2026, 10, 1), "admin")
        assert session.scalars(select(AlertRow.due_on)).one() == dt.date(2026, 10, 1)
        assert revision_of(session) > revision  # cached columns are loaded again


def test_known_years_are_stored_once_and_never_changed_by_the_program(database: Database) -> None:
    with database.write() as session:
        assert store_known_years(session, dt.date(2026, 11, 24), NOW) == [2025, 2026]
        save_year(session, HOLIDAY, who="admin", now=NOW)
        assert store_known_years(session, dt.date(2026, 11, 24), NOW) == []
        assert year_of(session, 2026) == HOLIDAY


def test_an_alert_of_an_earlier_version_gets_a_deadline(database: Database) -> None:
    with database.write() as session:
        dispatched(session)
        session.execute(update(AlertRow).values(due_on=None))
    with database.write() as session:
        assert recompute_deadlines(session, SHANGHAI, kind="rules", who="system", now=NOW, only_missing=True) == 1
        assert session.scalars(select(AlertRow.due_on)).one() == dt.date(2026, 9, 30)


def test_overdue_is_escalated_and_told_once_to_owner_and_level_above(database: Database) -> None:
    with database.write() as session:
        dispatched(session)
        for login, role, code in (("v", "village", "130131001002"), ("t", "township", "130131001")):
            add_user(session, login=login, name="", role=role, code=code, now=NOW)
        assert escalate_overdue(session, dt.date(2026, 9, 30), NOW) == []  # its last day
        later = NOW + dt.timedelta(days=10)
        for day in (8, 9):
            write_daily_messages(session, dt.date(2026, 10, day), later, ChainValues(), SHANGHAI)
        query = select(User.login, MessageRow.kind).join(User, User.id == MessageRow.person_id)
        assert sorted(session.execute(query).all()) == [("t", "overdue_below"), ("v", "overdue")]
        (row,) = session.scalars(select(DeadlineLogRow).where(DeadlineLogRow.kind == "escalated"))
        assert row.detail == {"owner": "village", "level": "township", "state": "dispatched"}
        village = viewer_of(session.scalars(select(User).where(User.login == "v")).one())
        assert [each.alerts for each in inbox_messages(session, village)] == [("130131U2026110001",)]
        assert unread_count(session, village) == 1
        assert mark_read(session, village, later) == 1
        assert unread_count(session, village) == 0
