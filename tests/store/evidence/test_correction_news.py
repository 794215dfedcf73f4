"""Works that went on after the stop notice are reported once per image, and stay in the log of deadlines."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select

from enforcement.messages.message_kinds import read_message_kinds
from store.access.users import add_user
from store.alerts.transitions import append_transition
from store.deadlines.alert_deadlines import deadline_log_of
from store.evidence.correction_news import report_continued_works
from store.schema.chain.message_tables import MessageRow
from store.schema.tables import AlertRow, Scan
from store.schema.user_tables import User
from tests.store.alerts.test_recording import AUTUMN, Place
from tests.store.alerts.test_recording import place as place  # a fixture
from tests.store.sample_rows import VILLAGE, change

NOTICE = dt.datetime(2026, 10, 25, 2, 0, tzinfo=dt.UTC)
STEPS = (
    ("triaged", "county"),
    ("published", "county"),
    ("dispatched", "county"),
    ("disputed", "village"),
    ("reviewed", "county"),
    ("unlawful", "county"),
    ("correcting", "township"),
)
FIRST, SECOND = dt.date(2026, 11, 5), dt.date(2026, 12, 5)


def test_growth_after_the_stop_notice_is_told_to_owner_and_county_once_per_image(place: Place) -> None:
    place.scan([change(1, 100, 100, 40)])
    with place.database.write() as session:
        for login, role, digits in (("v", "village", 12), ("t", "township", 9), ("c", "county", 6)):
            add_user(session, login=login, name="", role=role, code=VILLAGE[:digits], now=NOTICE)
        alert = session.scalars(select(AlertRow)).one()
        for state, role in STEPS:
            evidence = {"reason": "r", "basis": "b", "stop_notice": "n", "correct_by": "2026-12-20"}
            append_transition(session, alert, state, who=role, role=role, why="", at=NOTICE, evidence=evidence)
    place.scan([change(1, 100, 100, 41)], after=FIRST)  # within the accuracy of two outlines

    def told() -> list[tuple[str, str]]:
        """Report as the worker does that recorded the scan; return the messages in all."""
        with place.database.write() as session:
            scan_id = session.scalars(select(func.max(Scan.id))).one()
            report_continued_works(session, scan_id, place.settings.zone, NOTICE)
        with place.database.read() as session:
            query = select(User.login, MessageRow.content).join(User, User.id == MessageRow.person_id)
            query = query.where(MessageRow.kind == "works_went_on").order_by(MessageRow.id)
            return sorted((row[0], row[1]["day"]) for row in session.execute(query))

    assert told() == []
    place.scan([change(1, 100, 100, 60)], after=SECOND)
    expected = [("c", f"{SECOND}"), ("t", f"{SECOND}")]
    assert told() == expected
    place.scan([change(1, 100, 100, 60)], before=AUTUMN, after=SECOND)  # the same image again
    assert told() == expected
    with place.database.read() as session:
        (row,) = deadline_log_of(session, place.alert().id)
        assert (row.kind, row.from_day, row.to_day, row.who) == ("went_on", NOTICE.date(), SECOND, "system")
        assert row.detail["area_m2"] > 2 * row.detail["before_m2"]
    assert "works_went_on" not in read_message_kinds().mutable
