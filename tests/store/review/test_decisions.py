from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from enforcement.field_check.form import InvalidFindings
from enforcement.states import NotAllowed
from errors import SettingsError
from store.evidence.evidence_files import Owner, ReceivedFile, add_file, new_uid, object_key
from store.review.decisions import (
    Conflict,
    assign,
    judge,
    lock_holder,
    move,
    release_lock,
    renew_lock,
    set_kind_and_type,
    take_lock,
)
from store.schema.database import Database
from store.schema.tables import AlertRow
from store.schema.user_tables import User
from tests.store.review.review_setup import FINDINGS, ReviewSetup, later
from tests.store.sample_alerts import NOW

ONE, TWO, THREE, FOUR = (f"330106U202611000{n}" for n in (1, 2, 3, 4))
DAY = dt.date(2026, 12, 2)  # of NOW, in Shanghai


@pytest.fixture
def review(database: Database, tmp_path: Path) -> ReviewSetup:
    return ReviewSetup.create(database, tmp_path)


def test_one_user_holds_the_lock_until_it_expires(review: ReviewSetup) -> None:
    review.add(ONE)
    li, zhao = review.viewer("li"), review.viewer("zhao")
    lock = review.run(lambda session: take_lock(session, review.alert(), li, NOW, 60))
    assert lock is not None
    assert (lock.login, lock.until) == ("li", later(1))
    assert review.run(lambda session: take_lock(session, review.alert(), zhao, later(0.5), 60)) is None
    with review.database.read() as session:
        holder = lock_holder(session, review.alert(), later(0.5))
        assert holder == lock
        assert lock_holder(session, review.alert(), later(1)) is None
    assert review.run(lambda session: take_lock(session, review.alert(), zhao, later(1), 60)) is not None
    assert review.run(lambda session: renew_lock(session, review.alert(), li, later(1.5), 60)) is None


def test_a_lock_is_renewed_and_released_by_its_holder(review: ReviewSetup) -> None:
    review.add(ONE)
    li, zhao = review.viewer("li"), review.viewer("zhao")
    assert review.run(lambda session: take_lock(session, review.alert(), li, NOW, 60))
    renewed = review.run(lambda session: renew_lock(session, review.alert(), li, later(0.5), 60))
    assert renewed is not None
    assert renewed.until == later(1.5)
    assert not review.run(lambda session: release_lock(session, review.alert(), zhao))
    assert review.run(lambda session: release_lock(session, review.alert(), li))
    assert review.run(lambda session: take_lock(session, review.alert(), zhao, later(0.6), 60)) is not None


def test_a_lock_needs_access_to_the_alert(review: ReviewSetup) -> None:
    review.add(ONE)
    with pytest.raises(NotAllowed, match="330108"):
        review.run(lambda session: take_lock(session, review.alert(), review.viewer("qian"), NOW, 60))


def test_judging_true_triages_and_publishes_at_once(review: ReviewSetup) -> None:
    review.add(ONE)
    alert = review.judge(ONE, "true", works="partly built")
    assert (alert.state, alert.changed_at) == ("published", later(1))
    assert review.log() == [("triaged", "li"), ("published", "li")]
    assert review.events() == [(ONE, "state_changed", "published")]


def test_judging_a_triaged_alert_true_publishes_it(review: ReviewSetup) -> None:
    review.add(ONE, state="triaged")
    assert review.judge(ONE, "true", by="sun").state == "published"


@pytest.mark.parametrize(("verdict", "state"), [("false", "false_change"), ("bad_imagery", "bad_imagery")])
def test_rejecting_requires_a_reason(review: ReviewSetup, verdict: str, state: str) -> None:
    review.add(ONE)
    with pytest.raises(NotAllowed, match="reason"):
        review.judge(ONE, verdict, reason="  ")
    assert review.log() == []
    alert = review.judge(ONE, verdict, reason=" 塑料大棚 ")
    assert (alert.state, alert.state_reason) == (state, "塑料大棚")
    assert review.events() == [(ONE, "state_changed", state)]


def test_the_state_machine_decides_who_can_judge(review: ReviewSetup) -> None:
    review.add(ONE)
    for login in ("wang", "chen"):
        with pytest.raises(NotAllowed):
            review.judge(ONE, "true", by=login)
    review.judge(ONE, "true")
    with pytest.raises(NotAllowed, match="cannot move an alert from published"):
        review.judge(ONE, "true", minutes=2)
    with pytest.raises(SettingsError, match="verdict"):
        review.judge(ONE, "perhaps")
    with pytest.raises(SettingsError, match="at most 2000"):
        review.judge(ONE, "bad_imagery", reason="x" * 2001)


def test_alerts_of_other_areas_and_alerts_locked_by_others_are_refused(review: ReviewSetup) -> None:
    review.add(ONE)
    with pytest.raises(NotAllowed, match="outside the area 330108"):
        review.judge(ONE, "false", by="qian", reason="shadow")
    review.run(lambda session: take_lock(session, review.alert(), review.viewer("zhao"), NOW, 120))
    with pytest.raises(Conflict, match="open with Zhao"):
        review.judge(ONE, "false", reason="shadow")
    assert review.judge(ONE, "false", by="zhao", reason="shadow").state == "false_change"


def test_of_two_people_at_once_the_second_looks_again(review: ReviewSetup) -> None:
    review.add(ONE)
    seen = review.alert()
    review.judge(ONE, "bad_imagery", by="zhao", reason="cloud")
    for known in ({}, {"version": seen.version}):
        with pytest.raises(Conflict, match="changed by another user"):
            review.run(
                lambda session, known=known: judge(  # type: ignore[misc]
                    session,
                    seen if not known else review.alert(),
                    review.viewer("li"),
                    "true",
                    settings=review.settings,
                    now=later(2),
                    **known,
                )
            )
    assert review.alert().state == "bad_imagery"


def test_the_second_of_two_concurrent_transactions_gets_a_conflict(postgresql: Database, tmp_path: Path) -> None:
    review = ReviewSetup.create(postgresql, tmp_path)
    review.add(ONE)
    loaded = threading.Event()

    def second() -> None:
        with review.database.write() as session:
            alert = session.scalars(select(AlertRow)).one()
            loaded.set()
            judge(session, alert, review.viewer("zhao"), "true", settings=review.settings, now=later(2))

    with ThreadPoolExecutor(1) as pool:
        with postgresql.write() as session:
            alert = session.scalars(select(AlertRow)).one()
            judge(session, alert, review.viewer("li"), "false", reason="shadow", settings=review.settings, now=later())
            waiting = pool.submit(second)
            assert loaded.wait(30)
        with pytest.raises(Conflict, match="changed by another user"):
            waiting.result(30)
    assert review.alert().state == "false_change"


def test_a_judgement_of_two_transitions_is_undone_as_one(review: ReviewSetup) -> None:
    review.add(ONE)
    review.judge(ONE, "true")
    assert review.undo(ONE).state == "new"
    assert [state for state, _ in review.log()] == ["triaged", "published", "new"]
    assert review.events()[-1] == (ONE, "state_changed", "new")
    with pytest.raises(NotAllowed, match="undone already"):
        review.undo(ONE)


def test_only_the_users_own_recent_judgement_can_be_undone(review: ReviewSetup) -> None:
    review.add(ONE)
    with pytest.raises(NotAllowed, match="no transition"):
        review.undo(ONE)
    review.judge(ONE, "false", reason="shadow")
    with pytest.raises(NotAllowed, match="made by li"):
        review.undo(ONE, by="zhao")
    with pytest.raises(NotAllowed, match="older than 10 minutes"):
        review.undo(ONE, minutes=12)
    assert review.undo(ONE, minutes=11).state == "new"


def test_an_earlier_judgement_cannot_be_undone_before_a_later_transition(review: ReviewSetup) -> None:
    review.add(ONE)
    review.judge(ONE, "true")
    chen = review.viewer("chen")
    review.run(
        lambda session: move(session, review.alert(), chen, "dispatched", settings=review.settings, now=later(2))
    )
    with pytest.raises(NotAllowed, match="made by chen"):
        review.undo(ONE)
    assert review.undo(ONE, by="chen").state == "published"


def test_move_takes_any_allowed_transition_with_its_evidence(review: ReviewSetup) -> None:
    review.add(ONE, state="accepted")
    wang = review.viewer("wang")

    def check(**evidence: Any) -> AlertRow:
        return review.run(
            lambda session: move(
                session,
                review.alert(),
                wang,
                "field_checked",
                evidence,
                "was there",
                settings=review.settings,
                now=later(),
            )
        )

    with pytest.raises(NotAllowed, match="photos"):
        check(works="built")
    with pytest.raises(NotAllowed, match="not a file that was uploaded"):
        check(works="built", photos=["a.jpg"])
    uids = [new_uid() for _ in range(3)]
    with review.database.write() as session:
        for uid in uids:
            photo = ReceivedFile(uid, "photo", object_key(uid, "a" * 64, "jpg"), "a" * 64, 9, "image/jpeg", "a.jpg")
            add_file(session, photo, Owner(review.alert().id), who="wang", now=later())
    with pytest.raises(NotAllowed, match="expected at least 3"):  # field.photos_least
        check(works="built", photos=[*uids[:2], uids[0]], findings=FINDINGS)
    with pytest.raises(NotAllowed, match="findings"):
        check(works="built", photos=uids)
    with pytest.raises(InvalidFindings, match="Finding is missing"):
        check(works="built", photos=uids, findings="seen")
    with pytest.raises(NotAllowed, match="10 times the alert"):
        check(works="built", photos=uids, findings=FINDINGS | {"area_mu": 100.0})
    assert check(works="built", photos=uids, findings=FINDINGS).state == "field_checked"
    with pytest.raises(NotAllowed, match="use merge or split"):
        review.run(
            lambda session: move(
                session, review.alert(), wang, "split", {"into": ["x"]}, settings=review.settings, now=later(2)
            )
        )


@pytest.fixture
def full(database: Database, tmp_path: Path) -> ReviewSetup:
    """Two alerts within the quota of the week and two beyond it."""
    review = ReviewSetup.create(database, tmp_path, cap=2)
    for rank, number in enumerate((ONE, TWO, THREE, FOUR), 1):
        review.add(number, rank=rank, over_cap=rank > 2, score=1 - rank / 10)
    return review


def test_a_rejected_alert_frees_its_place_for_the_next_one(full: ReviewSetup) -> None:
    full.judge(ONE, "false", reason="shadow")
    assert full.week() == {ONE: (None, False), TWO: (1, False), THREE: (2, False), FOUR: (3, True)}
    assert full.events() == [(ONE, "state_changed", "false_change"), (THREE, "created", "new")]


def test_undoing_a_rejection_restores_the_place_in_the_week(full: ReviewSetup) -> None:
    full.judge(ONE, "false", reason="shadow")
    full.undo(ONE)
    assert full.week() == {ONE: (1, False), TWO: (2, False), THREE: (3, False), FOUR: (4, True)}
    assert full.events()[2:] == [(ONE, "state_changed", "new")]


def test_an_alert_beyond_the_quota_sends_no_events_until_it_is_published(full: ReviewSetup) -> None:
    full.judge(FOUR, "false", reason="shadow")
    full.undo(FOUR)
    assert full.events() == []
    full.judge(FOUR, "true", minutes=6)
    assert full.events() == [(FOUR, "state_changed", "published")]
    assert not full.alert(FOUR).over_cap
    full.undo(FOUR, minutes=7)
    assert full.events()[1:] == [(FOUR, "state_changed", "new")]
    assert full.alert(FOUR).over_cap


def test_a_returned_alert_counts_towards_the_current_week(review: ReviewSetup) -> None:
    review.add(ONE, state="false_change", rank=None, week="2026-W30")
    li = review.viewer("li")
    why = {"reason": "built on after all"}
    review.run(lambda s: move(s, review.alert(), li, "returned", why, "again", settings=review.settings, now=later()))
    assert (review.alert().week, review.alert().rank) == ("2026-W49", 1)
    assert review.events() == [(ONE, "returned", "returned")]


def test_an_alert_returned_by_a_reviewer_keeps_its_place(full: ReviewSetup) -> None:
    full.run(lambda session: setattr(session.get(AlertRow, full.alert(ONE).id), "state", "submitted"))
    chen, why = full.viewer("chen"), {"reason": "no photo of the north side"}
    full.run(lambda s: move(s, full.alert(ONE), chen, "returned", why, settings=full.settings, now=later()))
    assert full.week()[ONE] == (1, False)


def test_an_alert_is_assigned_to_an_active_user_with_access(review: ReviewSetup) -> None:
    review.add(ONE)
    li = review.viewer("li")
    for login in ("wang", "sun", ""):
        assert review.run(lambda s, login=login: assign(s, review.alert(), li, login, NOW)).assignee == login  # type: ignore[misc]
    review.run(lambda s: setattr(s.scalars(select(User).where(User.login == "chen")).one(), "active", False))
    for login in ("qian", "nobody", "chen"):
        with pytest.raises(NotAllowed, match=f"assigned to '{login}'"):
            review.run(lambda s, login=login: assign(s, review.alert(), li, login, NOW))  # type: ignore[misc]


def test_a_type_has_to_belong_to_the_alerts_kind(review: ReviewSetup) -> None:
    review.add(ONE)
    li = review.viewer("li")
    assert (
        review.run(lambda s: set_kind_and_type(s, review.alert(), li, "construction", "solar_panels", NOW)).change_type
        == "solar_panels"
    )
    with pytest.raises(SettingsError, match="pushed_soil is a type of ground"):
        review.run(lambda s: set_kind_and_type(s, review.alert(), li, "construction", "pushed_soil", NOW))
    with pytest.raises(SettingsError, match="barn"):
        review.run(lambda s: set_kind_and_type(s, review.alert(), li, "construction", "barn", NOW))
    with pytest.raises(SettingsError, match="'barn' is not a kind"):
        review.run(lambda s: set_kind_and_type(s, review.alert(), li, "barn", "", NOW))
    alert = review.run(lambda s: set_kind_and_type(s, review.alert(), li, "ground", "pushed_soil", NOW))
    assert (alert.kind, alert.change_type) == ("ground", "pushed_soil")
    assert review.run(lambda s: set_kind_and_type(s, review.alert(), li, "ground", "", NOW)).change_type == ""
