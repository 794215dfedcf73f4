"""The to-do list: who an alert waits for, and steps of many alerts of which each succeeds or says why not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from enforcement.states import read_states
from errors import SettingsError
from store.alerts.transitions import append_transition, steps_of
from store.chain_settings import change_chain_setting
from store.review.bulk_steps import OWN_OFFICER, BulkSteps, step_many
from store.review.decisions import undo_many
from store.review.todo import TodoFilter, todo_counts, todo_page
from store.schema.database import Database
from store.schema.user_tables import User
from tests.store.review.review_setup import ReviewSetup, later
from tests.store.sample_alerts import NOW

ONE, TWO, THREE, FOUR, FIVE = (f"330106U202611000{n}" for n in (1, 2, 3, 4, 5))
DAY = dt.date(2026, 12, 2)


@pytest.fixture
def review(sqlite: Database, tmp_path: Path) -> ReviewSetup:
    return ReviewSetup.create(sqlite, tmp_path, cap=10)


def _listed(review: ReviewSetup, login: str, **chosen: str) -> list[str]:
    with review.database.read() as session:
        page = todo_page(session, review.viewer(login), DAY, NOW, TodoFilter(**chosen))
        assert page.counts == todo_counts(session, review.viewer(login), DAY)
        return [item.row.number for item in page.items]


def _step(review: ReviewSetup, login: str, numbers: list[str], to: str, minutes: float = 1, **given: Any) -> BulkSteps:
    viewer = review.viewer(login)
    return review.run(
        lambda s: step_many(s, viewer, numbers, to, settings=review.settings, now=later(minutes), **given)
    )


def test_alerts_wait_for_the_owner_of_their_state_by_deadline(review: ReviewSetup) -> None:
    review.add(ONE, state="new", due_on=DAY)
    review.add(TWO, state="reviewed", due_on=DAY - dt.timedelta(days=1))
    review.add(THREE, state="dispatched", due_on=DAY + dt.timedelta(days=1))
    review.add(FOUR, state="submitted", due_on=DAY - dt.timedelta(days=3))
    review.add(FIVE, state="new", grid_code="330108001001")
    assert _listed(review, "li") == [FOUR, TWO, ONE]  # the township is late, so the county sees FOUR too
    assert _listed(review, "li", only="escalated") == [FOUR]
    assert _listed(review, "li", only="overdue") == [FOUR, TWO]
    assert _listed(review, "li", state="new") == [ONE]
    assert _listed(review, "chen") == [FOUR]
    assert _listed(review, "wang") == [THREE]
    assert _listed(review, "qian") == [FIVE]


def test_what_was_assigned_and_reported_waits_for_the_next_level_only(review: ReviewSetup) -> None:
    for number, state in ((ONE, "dispatched"), (TWO, "submitted"), (THREE, "correcting")):
        review.add(number, state=state, due_on=DAY, assignee="wang")
    assert _listed(review, "wang") == [ONE, THREE]  # the recheck of a correction may be the officer's
    assert _listed(review, "wang", only="mine") == [ONE, THREE]
    assert TWO in _listed(review, "chen")


def test_where_a_role_is_not_filled_the_next_level_acts(review: ReviewSetup) -> None:
    review.add(ONE, state="dispatched")
    with review.database.write() as session:
        session.query(User).filter(User.login == "wang").one().active = False
    assert _listed(review, "chen") == [ONE]
    with review.database.write() as session:
        session.query(User).filter(User.login == "zhao").one().other_roles = ["village"]
    assert (_listed(review, "chen"), _listed(review, "zhao")) == ([], [ONE])  # zhao is both county and village


def test_a_leader_sees_all_open_alerts_and_may_do_nothing(review: ReviewSetup) -> None:
    review.add(ONE, state="new")
    review.add(TWO, state="closed")
    with review.database.write() as session:
        session.add(User(login="chief", name="", role="leader", code="330106", created_at=NOW))
    with review.database.read() as session:
        page = todo_page(session, review.viewer("chief"), DAY, NOW, TodoFilter())
    assert [(item.row.number, item.steps) for item in page.items] == [(ONE, ())]
    with pytest.raises(Exception, match="change nothing"):
        _step(review, "chief", [ONE], "published")


def test_fifty_are_dispatched_at_once_and_a_refused_one_blocks_no_other(review: ReviewSetup) -> None:
    numbers = [review.add(f"330106U20261101{n:02d}", state="published") for n in range(50)]
    review.add(ONE, state="closed")
    review.add(TWO, grid_code="330108001001", state="published")
    done = _step(review, "li", [ONE, *numbers[:25], TWO, *numbers[25:]], "dispatched", assignee=OWN_OFFICER)
    assert list(done.done) == numbers
    assert {number: reason.code for number, reason in done.skipped.items()} == {
        ONE: "step.not_listed",
        TWO: "alert.missing",
    }
    assert {alert.assignee for number, alert in review.alerts().items() if number in numbers} == {"wang"}
    undone = review.run(lambda s: undo_many(s, review.viewer("li"), done.token, later(3), review.settings))
    assert len(undone.done) == 50
    assert review.alert(numbers[0]).state == "published"


def test_the_steps_of_a_path_are_all_logged_or_none(review: ReviewSetup) -> None:
    review.add(ONE, state="new")
    _step(review, "li", [ONE], "dispatched")
    assert [state for state, _ in review.log(ONE)] == ["triaged", "published", "dispatched"]
    missing = _step(review, "wang", [ONE], "submitted", 2, evidence={})
    assert (missing.done, missing.skipped[ONE].code) == ((), "step.evidence")
    assert review.alert(ONE).state == "dispatched"
    review.add(TWO, state="reviewed")
    order = {"basis": "违法用地认定书第 3 号", "stop_notice": "责停字 7 号", "correct_by": "2026-12-30"}
    assert _step(review, "li", [TWO], "correcting", 3, evidence=order).done == (TWO,)
    with review.database.read() as session:
        ordered, noticed = steps_of(session, review.alert(TWO))
    assert ordered.evidence["basis"] == order["basis"]
    assert "stop_notice" not in ordered.evidence
    assert noticed.evidence["correct_by"] == order["correct_by"]
    assert (ordered.who, noticed.who) == ("li", "li")


def test_four_eyes_hold_for_people_with_several_roles(review: ReviewSetup) -> None:
    review.add(ONE, state="dispatched")
    with review.database.write() as session:
        session.query(User).filter(User.login == "chen").one().other_roles = ["village"]
    found = {"photos": ["a.jpg"], "works": "built", "findings": {"use": "factory"}}
    for state, evidence in (("accepted", {}), ("field_checked", found), ("submitted", {})):
        role = read_states().acting_role(review.alert(ONE).state, state, ("township", "village"))
        review.run(
            lambda s, to=state, given=evidence, role=role: append_transition(
                s, s.merge(review.alert(ONE)), to, who="chen", role=role, why="", at=later(), evidence=given
            )
        )
    refused = _step(review, "chen", [ONE], "reviewed", 2)
    assert refused.skipped[ONE].code == "step.another_person"
    assert _step(review, "li", [ONE], "reviewed", 3).done == (ONE,)


def test_judging_first_keeps_new_alerts_out_of_bulk_dispatch(review: ReviewSetup) -> None:
    for number in (ONE, TWO):
        review.add(number, state="new")
    assert {reason.code for reason in _step(review, "li", [ONE, TWO], "dispatched").skipped.values()} == {
        "step.one_by_one"
    }
    with review.database.write() as session:
        change_chain_setting(session, "steps.judge_first", False, who="li", now=NOW)
        change_chain_setting(session, "steps.bulk_most", 2, who="li", now=NOW)
    assert _step(review, "li", [ONE, TWO], "dispatched", 2).done == (ONE, TWO)
    with pytest.raises(SettingsError, match="at most 2"):
        _step(review, "li", [ONE, TWO, THREE], "dispatched")
