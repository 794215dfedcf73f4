from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from enforcement.states import NotAllowed
from errors import SettingsError
from store.review.decisions import (
    Conflict,
    assign,
    judge,
    lock_holder,
    move,
    release_lock,
    renew_lock,
    set_change_type,
    set_kind_and_type,
    take_lock,
)
from store.schema.database import Database
from store.schema.tables import AlertRow
from store.schema.user_tables import User
from tests.store.review.review_setup import ReviewSetup, later
from tests.store.sample_alerts import NOW

ONE, TWO, THREE, FOUR = (f"330106U202611000{n}" for n in (1, 2, 3, 4))
DAY = dt.date(2026, 12, 2)  # of NOW, in Shanghai


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> ReviewSetup:
    return ReviewSetup.open(database, tmp_path)


def test_one_person_has_an_alert_open_until_their_time_is_up(desk: ReviewSetup) -> None:
    desk.add(ONE)
    li, zhao = desk.viewer("li"), desk.viewer("zhao")
    lock = desk.change(lambda session: take_lock(session, desk.alert(), li, NOW, 60))
    assert lock is not None
    assert (lock.login, lock.until) == ("li", later(1))
    assert desk.change(lambda session: take_lock(session, desk.alert(), zhao, later(0.5), 60)) is None
    with desk.database.read() as session:
        holder = lock_holder(session, desk.alert(), later(0.5))
        assert holder == lock
        assert lock_holder(session, desk.alert(), later(1)) is None
    assert desk.change(lambda session: take_lock(session, desk.alert(), zhao, later(1), 60)) is not None
    assert desk.change(lambda session: renew_lock(session, desk.alert(), li, later(1.5), 60)) is None


def test_a_lock_is_renewed_and_let_go_by_who_has_it(desk: ReviewSetup) -> None:
    desk.add(ONE)
    li, zhao = desk.viewer("li"), desk.viewer("zhao")
    assert desk.change(lambda session: take_lock(session, desk.alert(), li, NOW, 60))
    renewed = desk.change(lambda session: renew_lock(session, desk.alert(), li, later(0.5), 60))
    assert renewed is not None
    assert renewed.until == later(1.5)
    assert not desk.change(lambda session: release_lock(session, desk.alert(), zhao))
    assert desk.change(lambda session: release_lock(session, desk.alert(), li))
    assert desk.change(lambda session: take_lock(session, desk.alert(), zhao, later(0.6), 60)) is not None


def test_only_who_may_see_an_alert_opens_it(desk: ReviewSetup) -> None:
    desk.add(ONE)
    with pytest.raises(NotAllowed, match="330108"):
        desk.change(lambda session: take_lock(session, desk.alert(), desk.viewer("qian"), NOW, 60))


def test_a_true_alert_is_sorted_out_and_published_in_one_go(desk: ReviewSetup) -> None:
    desk.add(ONE)
    alert = desk.judge(ONE, "true", works="partly built")
    assert (alert.state, alert.changed_at) == ("published", later(1))
    assert desk.log() == [("triaged", "li"), ("published", "li")]
    assert desk.told() == [(ONE, "state_changed", "published")]


def test_an_alert_that_was_sorted_out_before_is_published(desk: ReviewSetup) -> None:
    desk.add(ONE, state="triaged")
    assert desk.judge(ONE, "true", by="sun").state == "published"


@pytest.mark.parametrize(("verdict", "state"), [("false", "false_change"), ("bad_imagery", "bad_imagery")])
def test_what_is_not_there_is_said_with_a_reason(desk: ReviewSetup, verdict: str, state: str) -> None:
    desk.add(ONE)
    with pytest.raises(NotAllowed, match="reason"):
        desk.judge(ONE, verdict, reason="  ")
    assert desk.log() == []
    alert = desk.judge(ONE, verdict, reason=" 塑料大棚 ")
    assert (alert.state, alert.state_reason) == (state, "塑料大棚")
    assert desk.told() == [(ONE, "state_changed", state)]


def test_the_table_decides_who_judges(desk: ReviewSetup) -> None:
    desk.add(ONE)
    for login in ("wang", "chen", "sun"):
        with pytest.raises(NotAllowed):
            desk.judge(ONE, "true", by=login)
    desk.judge(ONE, "true")
    with pytest.raises(NotAllowed, match="published cannot be made"):
        desk.judge(ONE, "true", minutes=2)
    with pytest.raises(SettingsError, match="verdict"):
        desk.judge(ONE, "perhaps")
    with pytest.raises(SettingsError, match="at most 2000"):
        desk.judge(ONE, "bad_imagery", reason="x" * 2001)


def test_alerts_of_others_and_alerts_open_with_others_are_refused(desk: ReviewSetup) -> None:
    desk.add(ONE)
    with pytest.raises(NotAllowed, match="does not lie under 330108"):
        desk.judge(ONE, "false", by="qian", reason="shadow")
    desk.change(lambda session: take_lock(session, desk.alert(), desk.viewer("zhao"), NOW, 120))
    with pytest.raises(Conflict, match="open with Zhao"):
        desk.judge(ONE, "false", reason="shadow")
    assert desk.judge(ONE, "false", by="zhao", reason="shadow").state == "false_change"


def test_of_two_people_at_once_the_second_looks_again(desk: ReviewSetup) -> None:
    desk.add(ONE)
    seen = desk.alert()
    desk.judge(ONE, "bad_imagery", by="zhao", reason="cloud")
    for known in ({}, {"version": seen.version}):
        with pytest.raises(Conflict, match="changed by somebody else"):
            desk.change(
                lambda session, known=known: judge(  # type: ignore[misc]
                    session,
                    seen if not known else desk.alert(),
                    desk.viewer("li"),
                    "true",
                    settings=desk.settings,
                    now=later(2),
                    **known,
                )
            )
    assert desk.alert().state == "bad_imagery"


def test_of_two_transactions_at_once_the_second_is_told(postgresql: Database, tmp_path: Path) -> None:
    desk = ReviewSetup.open(postgresql, tmp_path)
    desk.add(ONE)
    loaded = threading.Event()

    def second() -> None:
        with desk.database.write() as session:
            alert = session.scalars(select(AlertRow)).one()
            loaded.set()
            judge(session, alert, desk.viewer("zhao"), "true", settings=desk.settings, now=later(2))

    with ThreadPoolExecutor(1) as pool:
        with postgresql.write() as session:
            alert = session.scalars(select(AlertRow)).one()
            judge(session, alert, desk.viewer("li"), "false", reason="x", settings=desk.settings, now=later())
            waiting = pool.submit(second)
            assert loaded.wait(30)
        with pytest.raises(Conflict, match="changed by somebody else"):
            waiting.result(30)
    assert desk.alert().state == "false_change"


def test_a_judgement_of_two_steps_is_taken_back_as_one(desk: ReviewSetup) -> None:
    desk.add(ONE)
    desk.judge(ONE, "true")
    assert desk.undo(ONE).state == "new"
    assert [state for state, _ in desk.log()] == ["triaged", "published", "new"]
    assert desk.told()[-1] == (ONE, "state_changed", "new")
    with pytest.raises(NotAllowed, match="taken back already"):
        desk.undo(ONE)


def test_only_ones_own_last_judgement_is_taken_back_and_not_for_long(desk: ReviewSetup) -> None:
    desk.add(ONE)
    with pytest.raises(NotAllowed, match="no step"):
        desk.undo(ONE)
    desk.judge(ONE, "false", reason="shadow")
    with pytest.raises(NotAllowed, match="taken by li"):
        desk.undo(ONE, by="zhao")
    with pytest.raises(NotAllowed, match="older than 10 minutes"):
        desk.undo(ONE, minutes=12)
    assert desk.undo(ONE, minutes=11).state == "new"


def test_a_later_step_stands_before_an_earlier_judgement(desk: ReviewSetup) -> None:
    desk.add(ONE)
    desk.judge(ONE, "true")
    chen = desk.viewer("chen")
    desk.change(lambda session: move(session, desk.alert(), chen, "dispatched", settings=desk.settings, now=later(2)))
    with pytest.raises(NotAllowed, match="taken by chen"):
        desk.undo(ONE)
    assert desk.undo(ONE, by="chen").state == "published"


def test_any_step_of_the_table_can_be_taken_with_its_evidence(desk: ReviewSetup) -> None:
    desk.add(ONE, state="accepted")
    wang = desk.viewer("wang")

    def check(**evidence: Any) -> AlertRow:
        return desk.change(
            lambda session: move(
                session,
                desk.alert(),
                wang,
                "field_checked",
                evidence,
                "was there",
                settings=desk.settings,
                now=later(),
            )
        )

    with pytest.raises(NotAllowed, match="photos"):
        check(works="built")
    assert check(works="built", photos=["a.jpg"]).state == "field_checked"
    with pytest.raises(NotAllowed, match="use merge or split"):
        desk.change(
            lambda session: move(
                session, desk.alert(), wang, "split", {"into": ["x"]}, settings=desk.settings, now=later(2)
            )
        )


@pytest.fixture
def full(database: Database, tmp_path: Path) -> ReviewSetup:
    """Two alerts that were given out, and two that exceed the share of the week."""
    desk = ReviewSetup.open(database, tmp_path, cap=2)
    for rank, number in enumerate((ONE, TWO, THREE, FOUR), 1):
        desk.add(number, rank=rank, over_cap=rank > 2, score=1 - rank / 10)
    return desk


def test_a_rejected_alert_gives_its_place_to_the_next_which_is_announced(full: ReviewSetup) -> None:
    full.judge(ONE, "false", reason="shadow")
    assert full.week() == {ONE: (None, False), TWO: (1, False), THREE: (2, False), FOUR: (3, True)}
    assert full.told() == [(ONE, "state_changed", "false_change"), (THREE, "created", "new")]


def test_an_alert_whose_rejection_is_taken_back_has_its_place_again(full: ReviewSetup) -> None:
    full.judge(ONE, "false", reason="shadow")
    full.undo(ONE)
    assert full.week() == {ONE: (1, False), TWO: (2, False), THREE: (3, False), FOUR: (4, True)}
    assert full.told()[2:] == [(ONE, "state_changed", "new")]


def test_nobody_is_told_of_an_alert_that_exceeds_the_week_until_it_is_published(full: ReviewSetup) -> None:
    full.judge(FOUR, "false", reason="shadow")
    full.undo(FOUR)
    assert full.told() == []
    full.judge(FOUR, "true", minutes=6)
    assert full.told() == [(FOUR, "state_changed", "published")]
    assert not full.alert(FOUR).over_cap
    full.undo(FOUR, minutes=7)
    assert full.told()[1:] == [(FOUR, "state_changed", "new")]
    assert full.alert(FOUR).over_cap


def test_a_rejected_alert_that_is_brought_back_takes_a_place_of_this_week(desk: ReviewSetup) -> None:
    desk.add(ONE, state="false_change", rank=None, week="2026-W30")
    li = desk.viewer("li")
    why = {"reason": "built on after all"}
    desk.change(lambda s: move(s, desk.alert(), li, "returned", why, "again", settings=desk.settings, now=later()))
    assert (desk.alert().week, desk.alert().rank) == ("2026-W49", 1)
    assert desk.told() == [(ONE, "returned", "returned")]


def test_an_alert_sent_back_by_a_reviewer_keeps_its_place(full: ReviewSetup) -> None:
    full.change(lambda session: setattr(session.get(AlertRow, full.alert(ONE).id), "state", "submitted"))
    chen, why = full.viewer("chen"), {"reason": "no photo of the north side"}
    full.change(lambda s: move(s, full.alert(ONE), chen, "returned", why, settings=full.settings, now=later()))
    assert full.week()[ONE] == (1, False)


def test_an_alert_is_given_to_an_active_person_under_whose_code_it_lies(desk: ReviewSetup) -> None:
    desk.add(ONE)
    li = desk.viewer("li")
    for login in ("wang", "sun", ""):
        assert desk.change(lambda s, login=login: assign(s, desk.alert(), li, login, NOW)).assignee == login  # type: ignore[misc]
    desk.change(lambda s: setattr(s.scalars(select(User).where(User.login == "chen")).one(), "active", False))
    for login in ("qian", "nobody", "chen"):
        with pytest.raises(NotAllowed, match=f"given to '{login}'"):
            desk.change(lambda s, login=login: assign(s, desk.alert(), li, login, NOW))  # type: ignore[misc]


def test_a_type_is_one_of_the_alerts_kind(desk: ReviewSetup) -> None:
    desk.add(ONE)
    li = desk.viewer("li")
    assert (
        desk.change(lambda s: set_change_type(s, desk.alert(), li, "solar_panels", NOW)).change_type == "solar_panels"
    )
    with pytest.raises(SettingsError, match="pushed_soil is a type of ground"):
        desk.change(lambda s: set_change_type(s, desk.alert(), li, "pushed_soil", NOW))
    with pytest.raises(SettingsError, match="barn"):
        desk.change(lambda s: set_change_type(s, desk.alert(), li, "barn", NOW))
    with pytest.raises(SettingsError, match="No kind"):
        desk.change(lambda s: set_kind_and_type(s, desk.alert(), li, "barn", "", NOW))
    alert = desk.change(lambda s: set_kind_and_type(s, desk.alert(), li, "ground", "pushed_soil", NOW))
    assert (alert.kind, alert.change_type) == ("ground", "pushed_soil")
    assert desk.change(lambda s: set_change_type(s, desk.alert(), li, "", NOW)).change_type == ""
