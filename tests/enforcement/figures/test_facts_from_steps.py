"""The facts of an alert follow from its steps up to a moment; steps that were taken back do not count."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from enforcement.figures.facts_from_steps import LoggedStep, facts_of, steps_in_force
from tests.enforcement.figures.alert_logs import (
    DUE_DAYS,
    MONDAY,
    TO_CLOSED,
    TO_REPORT,
    TO_UNLAWFUL,
    facts,
    log_through,
    record,
)


def day(number: int) -> dt.date:
    """The day of the step with a number, in logs of one step a day."""
    return MONDAY + dt.timedelta(days=number - 1)


def test_a_closed_correction_has_all_its_days_and_areas() -> None:
    found = facts(*TO_CLOSED)
    assert (found.found_on, found.dispatched_on, found.checked_on, found.reported_on) == (
        day(1),
        day(4),
        day(6),
        day(7),
    )
    assert (found.determination, found.determined_on, found.determined_by) == ("unlawful", day(9), "unlawful-person")
    assert (found.stop_notice, found.stop_notice_on) == ("停字〔2026〕3号", dt.date(2026, 3, 10))
    assert (found.correct_by, found.corrected_on, found.closed_on) == (dt.date(2026, 4, 10), day(11), day(12))
    assert (found.total_m2, found.demolished_m2, found.regularised_m2) == (400.0, 300.0, 100.0)
    assert (found.area_m2, found.farmland_m2, found.basic_farmland_m2) == (400.0, 300.0, 200.0)
    assert (found.state, found.category, found.open) == ("closed", "closed", False)
    assert found.entered["unlawful"].date() == day(9)
    assert found.entered_values["findings"] == {"party": "某公司", "notice": False}


def test_nothing_is_determined_before_a_person_determined_nor_while_it_is_judged_again() -> None:
    assert facts(*TO_REPORT).determination is None
    assert facts(*TO_UNLAWFUL, "disputed").determination == "unlawful"
    assert facts(*TO_UNLAWFUL, "disputed", "returned").determination is None
    assert facts("new", "false_change").determination == "false_change"
    assert facts("new", "false_change", "returned").determination is None


def test_a_step_that_was_taken_back_counts_until_it_was_taken_back() -> None:
    log = log_through(*TO_UNLAWFUL)
    undone = replace(log[-1], sequence=10, day=day(10), to_state="reviewed", evidence={"undoes": 9})
    assert [step.to_state for step in steps_in_force([*log, undone])] == list(TO_UNLAWFUL[:-1])
    assert facts_of(record(), log, DUE_DAYS).determination == "unlawful"
    after = facts_of(record(), [*log, undone], DUE_DAYS)
    assert (after.state, after.determination, after.determined_on) == ("reviewed", None, None)


def test_states_left_late_are_listed_and_the_present_one_is_overdue_after_its_deadline() -> None:
    found = facts(*TO_REPORT)  # from Monday on; publication and dispatch were due the same day
    assert [entry.state for entry in found.late_entries(day(7))] == ["triaged", "published"]
    assert found.history[-1].due == dt.date(2026, 3, 11)  # three working days after Sunday the 8th
    assert (found.due, found.history[-1].owner) == (dt.date(2026, 3, 11), "township")
    assert not found.overdue(dt.date(2026, 3, 11))
    assert found.overdue(dt.date(2026, 3, 12))
    assert not facts(*TO_CLOSED).overdue(dt.date(2030, 1, 1))


def test_a_notice_that_the_check_on_the_ground_found_counts_too() -> None:
    log = log_through(*TO_REPORT)
    findings = {"notice": True, "notice_number": "停〔2026〕1号", "notice_on": "2026-03-05", "stopped": "stopped"}
    checked = LoggedStep(6, log[5].at, log[5].day, "wang", "village", "field_checked", {"findings": findings})
    found = facts_of(record(), [*log[:5], checked, log[6]], DUE_DAYS)
    assert (found.stop_notice, found.stop_notice_on, found.stopped) == (
        "停〔2026〕1号",
        dt.date(2026, 3, 5),
        "stopped",
    )
    assert found.checked_by == "wang"


def test_the_origin_is_that_of_the_first_step() -> None:
    assert facts("new", first={"tip": "X1"}).origin == "tip"
    assert facts("new", first={"patrol": "P1"}).origin == "patrol"
    assert facts("new", first={"scan": 4}).origin == "scan"
    assert facts(source="camera").found_on == MONDAY  # no step was logged


def test_basic_farmland_is_part_of_the_cultivated_land_even_where_only_its_layer_is_loaded() -> None:
    overlaps = [{"layer": "YJJBNTTB", "kind": "basic_farmland", "share": 0.5, "valid": True}]
    found = facts("new", overlaps=overlaps)
    assert (found.farmland_m2, found.basic_farmland_m2) == (200.0, 200.0)
