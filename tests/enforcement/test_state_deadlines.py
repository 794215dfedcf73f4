"""Every open alert has an owner and a deadline, whatever steps it took; each deadline shows the days that it counts."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from enforcement.deadlines.public_holidays import CalendarYear, format_holidays, known_year, missing_year, parse_year
from enforcement.deadlines.state_deadlines import (
    Deadline,
    DeadlineRules,
    Step,
    count_days,
    deadline_of,
    level_above,
    owner_of,
    read_deadline_rules,
)
from enforcement.deadlines.working_days import Calendar, merge_calendar, read_calendar
from enforcement.states import StateTable, read_states

TABLE, RULES = read_states(), read_deadline_rules()
YEAR = known_year(2026)
assert YEAR is not None
CALENDAR = merge_calendar(read_calendar(), [YEAR])


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def walk(rng: random.Random, table: StateTable) -> list[Step]:
    """Steps of one alert through the state table, some of them taken back, with and without dates in the evidence."""
    steps = [Step(1, day("2026-01-05") + dt.timedelta(rng.randrange(300)), table.initial, {})]
    for _ in range(rng.randrange(20)):
        now = steps[-1].day + dt.timedelta(rng.randrange(6))
        if rng.random() < 0.15 and len(steps) > 1 and "undoes" not in steps[-1].evidence:
            back, undone = steps[-2].to_state, steps[-1].sequence
            steps.append(Step(len(steps) + 1, now, back, {"undoes": undone}))
            continue
        ways = [rule for rule in table.transitions if steps[-1].to_state in rule.from_states]
        if not ways:
            break
        visited = {step.to_state for step in steps}
        fresh = [rule for rule in ways if rule.to in table.open and rule.to not in visited]
        ways = fresh if fresh and rng.random() < 0.85 else ways  # so that walks reach all states
        evidence: dict[str, Any] = {}
        if rng.random() < 0.5:
            evidence["correct_by"] = rng.choice(
                [(now + dt.timedelta(rng.randrange(-20, 90))).isoformat(), "soon", 5, "", "9999-12-31"]
            )
        steps.append(Step(len(steps) + 1, now, rng.choice(ways).to, evidence))
    return steps


@pytest.mark.parametrize("rules", [RULES, DeadlineRules(states={})], ids=["shipped", "none"])
def test_no_open_alert_is_without_deadline_or_owner(rules: DeadlineRules) -> None:
    rng = random.Random(18)
    reached = set()
    for _ in range(1000):
        steps = walk(rng, TABLE)
        for length in range(1, len(steps) + 1):
            state = steps[length - 1].to_state
            found = deadline_of(steps[:length], TABLE, rules, CALENDAR)
            if state not in TABLE.open:
                assert found is None
                continue
            reached.add(state)
            assert found is not None
            assert found.owner in TABLE.roles
            assert found.owner != "system"
            assert found.start <= found.due <= found.start + dt.timedelta(days=3700)
            level = level_above(found.owner, TABLE)
            assert level is None or level in TABLE.roles
            days = count_days(found, CALENDAR)
            if found.basis == "working":
                assert CALENDAR.is_working(found.due)
                counted = sum(each.counted for each in days)
                assert counted == found.allowed or (found.allowed == 0 and counted == 1)  # from a free day
    assert reached == TABLE.open


def test_every_open_state_of_the_shipped_table_has_a_rule() -> None:
    assert RULES.states.keys() == TABLE.open
    assert owner_of("dispatched", TABLE, RULES) == "village"


def steps_to_correcting(correct_by: str, entered: str = "2026-11-02") -> list[Step]:
    return [
        Step(1, day("2026-10-20"), "new", {}),
        Step(2, day(entered), "correcting", {"stop_notice": "1", "correct_by": correct_by}),
    ]


@pytest.mark.parametrize(
    ("correct_by", "due", "basis"),
    [
        ("2026-12-31", "2026-12-31", "date"),
        ("2026-10-01", "2026-11-09", "working"),  # it has passed: five working days
        ("someday", "2026-11-09", "working"),
    ],
)
def test_a_correction_is_due_on_the_date_of_its_notice(correct_by: str, due: str, basis: str) -> None:
    found = deadline_of(steps_to_correcting(correct_by), TABLE, RULES, CALENDAR)
    assert found is not None
    assert (found.due, found.basis) == (day(due), basis)


def test_a_returned_correction_keeps_its_date_while_it_is_in_the_future() -> None:
    steps = [
        *steps_to_correcting("2026-12-31"),
        Step(3, day("2026-11-20"), "rechecked", {}),
        Step(4, day("2026-11-24"), "correcting", {"reason": "x"}),
    ]
    found = deadline_of(steps, TABLE, RULES, CALENDAR)
    assert found is not None
    assert (found.due, found.start) == (day("2026-12-31"), day("2026-11-24"))


def test_an_undone_step_restores_the_former_deadline() -> None:
    steps = [
        Step(1, day("2026-11-02"), "new", {}),
        Step(2, day("2026-11-03"), "triaged", {}),
        Step(3, day("2026-11-04"), "published", {}),
        Step(4, day("2026-11-10"), "triaged", {"undoes": 3}),
    ]
    assert deadline_of(steps, TABLE, RULES, CALENDAR) == deadline_of(steps[:2], TABLE, RULES, CALENDAR)


def test_days_over_the_national_holiday_are_listed_with_their_reasons() -> None:
    found = Deadline(day("2026-10-10"), day("2026-09-29"), "village", "working", 4)
    days = {each.day: (each.counted, each.reason, each.name) for each in count_days(found, CALENDAR)}
    assert days[day("2026-09-30")] == (True, "", "")
    assert days[day("2026-10-01")] == (False, "holiday", "国庆节")
    assert days[day("2026-10-10")] == (True, "make_up", "")
    assert sum(counted for counted, _, _ in days.values()) == 4


def test_the_settings_file_takes_precedence_over_stored_years() -> None:
    base = Calendar.model_validate({"holidays": ["2026-10-08"], "working_days": ["2026-10-03"]})
    merged = merge_calendar(base, [CalendarYear(year=2026, holidays=((day("2026-10-03"), "国庆节"),))])
    assert merged.is_working(day("2026-10-03"))
    assert not merged.is_working(day("2026-10-08"))


def test_the_text_of_a_year_is_read_as_it_is_written() -> None:
    assert YEAR is not None
    working = " ".join(map(str, YEAR.working_days))
    assert parse_year(2026, format_holidays(YEAR), working) == YEAR
    assert "2026-10-01 2026-10-07 国庆节" in format_holidays(YEAR)


@pytest.mark.parametrize(
    ("today", "stored", "year"),
    [
        ("2026-10-31", set(), None),
        ("2026-11-01", set(), 2027),
        ("2026-11-01", {2027}, None),
        ("2027-03-01", set(), 2027),
    ],
)
def test_from_november_the_next_year_is_missing_until_it_is_entered(
    today: str, stored: set[int], year: int | None
) -> None:
    assert missing_year(day(today), stored) == year
