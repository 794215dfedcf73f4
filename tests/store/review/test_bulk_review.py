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
def desk(database: Database, tmp_path: Path) -> ReviewSetup:
    return ReviewSetup.open(database, tmp_path)


def test_many_alerts_are_rejected_with_one_reason_and_the_others_told_why_not(desk: ReviewSetup) -> None:
    desk.add(ONE)
    desk.add(TWO, state="closed")
    desk.add(THREE)
    desk.add(FOUR, grid_code="330108001001")
    li, zhao = desk.viewer("li"), desk.viewer("zhao")
    desk.change(lambda s: take_lock(s, desk.alert(THREE), zhao, NOW, 600))
    done = desk.change(
        lambda s: reject_many(s, li, [TWO, ONE, THREE, FOUR, "330106U1", ONE], "蔬菜大棚", later(), desk.settings)
    )
    assert done.done == (ONE,)
    assert list(done.skipped) == [FOUR, "330106U1", TWO, THREE]
    assert done.skipped[FOUR] == done.skipped["330106U1"] == "there is no such alert"
    assert "closed cannot be made false_change" in done.skipped[TWO]
    assert "open with Zhao" in done.skipped[THREE]
    assert desk.alert(ONE).state_reason == "蔬菜大棚"


def test_alerts_rejected_together_are_taken_back_together(desk: ReviewSetup) -> None:
    for number in (ONE, TWO, THREE):
        desk.add(number)
    li = desk.viewer("li")
    done = desk.change(lambda s: reject_many(s, li, [ONE, TWO], "shadow", later(), desk.settings))
    desk.judge(THREE, "false", reason="shadow")
    desk.change(lambda s: undo(s, desk.alert(TWO), li, later(2), desk.settings))
    back = desk.change(lambda s: undo_many(s, li, done.token, later(3), desk.settings))
    assert back.done == (ONE,)
    assert "taken back already" in back.skipped[TWO]
    assert {number: alert.state for number, alert in desk.alerts().items()} == {
        ONE: "new",
        TWO: "new",
        THREE: "false_change",
    }
    assert desk.change(lambda s: undo_many(s, li, [THREE], later(4), desk.settings)).done == (THREE,)


def test_a_token_is_ones_own_and_not_old(desk: ReviewSetup) -> None:
    desk.add(ONE)
    done = desk.change(lambda s: reject_many(s, desk.viewer("li"), [ONE], "shadow", NOW, desk.settings))
    for login, token, minutes in (("zhao", done.token, 1), ("li", done.token, 11), ("li", "", 1), ("li", "x", 1)):
        with pytest.raises(SettingsError, match="token is"):
            desk.change(
                lambda s, login=login, token=token, minutes=minutes: undo_many(  # type: ignore[misc]
                    s, desk.viewer(login), token, later(minutes), desk.settings
                )
            )


def test_too_many_alerts_or_no_reason_are_refused(desk: ReviewSetup) -> None:
    li = desk.viewer("li")
    with pytest.raises(SettingsError, match="at most 200"):
        desk.change(lambda s: reject_many(s, li, [str(n) for n in range(201)], "shadow", NOW, desk.settings))
    with pytest.raises(SettingsError, match="No reason"):
        desk.change(lambda s: reject_many(s, li, ["1"], " ", NOW, desk.settings))


def figures(desk: ReviewSetup, by: str, login: str | None, day: dt.date = DAY) -> DayStatistics:
    with desk.database.read() as session:
        return day_statistics(session, desk.viewer(by), login, day, desk.settings.zone)


def test_a_day_counts_what_was_judged_and_what_is_left(desk: ReviewSetup) -> None:
    for number in (ONE, TWO, THREE):
        desk.add(number)
    desk.add(FOUR, over_cap=True)
    desk.add("330106U2026110005", state="closed")
    desk.judge(ONE, "true")
    desk.judge(TWO, "false", minutes=2, reason="shadow")
    desk.judge(THREE, "bad_imagery", by="zhao", minutes=3, reason="cloud")
    assert figures(desk, "li", "li") == (2, 0, 60.0)
    assert figures(desk, "li", None).done == 3
    assert figures(desk, "qian", None) == (0, 0, 0.0)
    assert figures(desk, "li", "li", DAY - dt.timedelta(days=1)).done == 0
    desk.undo(ONE)
    assert figures(desk, "li", "li") == (1, 1, 0.0)
    desk.judge(ONE, "true", minutes=6)
    assert figures(desk, "li", "li").done == 2


def test_each_further_alert_costs_few_statements(desk: ReviewSetup) -> None:
    said: list[str] = []

    def statements(first: int, many: int) -> int:
        numbers = [desk.add(f"330106U2026120{n:03d}", week=f"2026-W{n:02d}") for n in range(first, first + many)]
        li = desk.viewer("li")
        said.clear()
        with desk.database.write() as session:
            assert reject_many(session, li, numbers, "shadow", NOW, desk.settings).done == tuple(numbers)
        return len(said)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(desk.database.engine, "before_cursor_execute", note)
    few, more = statements(10, 2), statements(20, 12)
    event.remove(desk.database.engine, "before_cursor_execute", note)
    assert more - few <= 10 * 8  # its log is read; a step, its state and a job are written
