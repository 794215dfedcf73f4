from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from errors import SettingsError
from store.review.decisions import DayStatistics, day_statistics, reject_many, take_lock, undo, undo_many
from store.schema.database import Database
from tests.store.review.review_setup import ReviewSetup, later
from tests.store.sample_alerts import NOW

ONE, TWO, THREE, FOUR = (f"330106U202611000{n}" for n in (1, 2, 3, 4))
DAY = dt.date(2026, 12, 2)  # of NOW, in Shanghai


@pytest.fixture
def review(database: Database, tmp_path: Path) -> ReviewSetup:
    return ReviewSetup.create(database, tmp_path)


def test_bulk_rejection_uses_one_reason_and_reports_skipped_alerts(review: ReviewSetup) -> None:
    review.add(ONE)
    review.add(TWO, state="closed")
    review.add(THREE)
    review.add(FOUR, grid_code="330108001001")
    li, zhao = review.viewer("li"), review.viewer("zhao")
    review.run(lambda s: take_lock(s, review.alert(THREE), zhao, NOW, 600))
    done = review.run(
        lambda s: reject_many(s, li, [TWO, ONE, THREE, FOUR, "330106U1", ONE], "蔬菜大棚", later(), review.settings)
    )
    assert done.done == (ONE,)
    assert list(done.skipped) == [FOUR, "330106U1", TWO, THREE]
    assert done.skipped[FOUR] == done.skipped["330106U1"] == "there is no such alert"
    assert "from closed to false_change" in done.skipped[TWO]
    assert "open with Zhao" in done.skipped[THREE]
    assert review.alert(ONE).state_reason == "蔬菜大棚"


def test_a_bulk_rejection_is_undone_by_its_token(review: ReviewSetup) -> None:
    for number in (ONE, TWO, THREE):
        review.add(number)
    li = review.viewer("li")
    done = review.run(lambda s: reject_many(s, li, [ONE, TWO], "shadow", later(), review.settings))
    review.judge(THREE, "false", reason="shadow")
    review.run(lambda s: undo(s, review.alert(TWO), li, later(2), review.settings))
    back = review.run(lambda s: undo_many(s, li, done.token, later(3), review.settings))
    assert back.done == (ONE,)
    assert "undone already" in back.skipped[TWO]
    assert {number: alert.state for number, alert in review.alerts().items()} == {
        ONE: "new",
        TWO: "new",
        THREE: "false_change",
    }
    assert review.run(lambda s: undo_many(s, li, [THREE], later(4), review.settings)).done == (THREE,)


def test_a_token_is_valid_for_its_own_user_and_ten_minutes(review: ReviewSetup) -> None:
    review.add(ONE)
    done = review.run(lambda s: reject_many(s, review.viewer("li"), [ONE], "shadow", NOW, review.settings))
    for login, token, minutes in (("zhao", done.token, 1), ("li", done.token, 11), ("li", "", 1), ("li", "x", 1)):
        with pytest.raises(SettingsError, match="token is"):
            review.run(
                lambda s, login=login, token=token, minutes=minutes: undo_many(  # type: ignore[misc]
                    s, review.viewer(login), token, later(minutes), review.settings
                )
            )


def test_too_many_alerts_or_no_reason_are_refused(review: ReviewSetup) -> None:
    li = review.viewer("li")
    with pytest.raises(SettingsError, match="at most 200"):
        review.run(lambda s: reject_many(s, li, [str(n) for n in range(201)], "shadow", NOW, review.settings))
    with pytest.raises(SettingsError, match="No reason"):
        review.run(lambda s: reject_many(s, li, ["1"], " ", NOW, review.settings))


def statistics(review: ReviewSetup, by: str, login: str | None, day: dt.date = DAY) -> DayStatistics:
    with review.database.read() as session:
        return day_statistics(session, review.viewer(by), login, day, review.settings.zone)


def test_day_statistics_count_judged_and_remaining_alerts(review: ReviewSetup) -> None:
    for number in (ONE, TWO, THREE):
        review.add(number)
    review.add(FOUR, over_cap=True)
    review.add("330106U2026110005", state="closed")
    review.judge(ONE, "true")
    review.judge(TWO, "false", minutes=2, reason="shadow")
    review.judge(THREE, "bad_imagery", by="zhao", minutes=3, reason="cloud")
    assert statistics(review, "li", "li") == (2, 0, 60.0)
    assert statistics(review, "li", None).done == 3
    assert statistics(review, "qian", None) == (0, 0, 0.0)
    assert statistics(review, "li", "li", DAY - dt.timedelta(days=1)).done == 0
    review.undo(ONE)
    assert statistics(review, "li", "li") == (1, 1, 0.0)
    review.judge(ONE, "true", minutes=6)
    assert statistics(review, "li", "li").done == 2


def test_the_rate_counts_decisions_of_at_least_a_minute_of_work(review: ReviewSetup) -> None:
    for number in (ONE, TWO, THREE, FOUR):
        review.add(number)
    li = review.viewer("li")
    review.run(lambda s: reject_many(s, li, [ONE, TWO, THREE], "shadow", NOW, review.settings))
    assert statistics(review, "li", "li").per_hour == 0  # one decision, whose three alerts have the same time
    review.judge(FOUR, "true", minutes=0.01)
    assert statistics(review, "li", "li").per_hour == 0


def test_a_bulk_rejection_needs_few_statements_per_alert(review: ReviewSetup) -> None:
    executed: list[str] = []

    def statements(first: int, many: int) -> int:
        numbers = [review.add(f"330106U2026120{n:03d}", week=f"2026-W{n:02d}") for n in range(first, first + many)]
        li = review.viewer("li")
        executed.clear()
        with review.database.write() as session:
            assert reject_many(session, li, numbers, "shadow", NOW, review.settings).done == tuple(numbers)
        return len(executed)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)

    event.listen(review.database.engine, "before_cursor_execute", note)
    few, more = statements(10, 2), statements(20, 12)
    event.remove(review.database.engine, "before_cursor_execute", note)
    assert more - few <= 10 * 8  # reads the log; writes a transition, the alert's state and a job
