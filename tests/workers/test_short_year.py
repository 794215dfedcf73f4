"""Three weeks of a small simulated county: legal steps, right deadlines, own rows, numbers and messages once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from benchmarks.year_parts.checks import Checks
from benchmarks.year_parts.county import Scale
from benchmarks.year_parts.legal_steps import Step, slow_deadline, step_faults
from benchmarks.year_parts.numbers_and_messages import series_faults
from benchmarks.year_parts.paper_checks import in_stock_at
from benchmarks.year_parts.run import Year
from store.schema.database import Database
from tests.databases import embedded_database

SMALL = Scale(townships=2, villages=4, officers=18, nights=9, days=21, sites=90.0, tips=120, flights=1)


def run_weeks(database: Database, home: Path) -> tuple[Year, Checks]:
    """Run three weeks with checks, and return them."""
    year, checks = Year(database, home, 1, SMALL), Checks(viewers=5)
    year.run(checks.week)
    checks.end(year)
    return year, checks


@pytest.mark.slow
def test_three_weeks_of_a_county_are_without_fault(tmp_path: Path) -> None:
    database = embedded_database(tmp_path / "tuban.db")
    year, checks = run_weeks(database, tmp_path)
    database.close()
    assert checks.faults == []
    assert checks.weeks == 3
    assert sum(year.casework.taken.values()) > 25
    assert len(year.service.post.received) > 40
    assert year.four_eyes.refused.get("submitted")  # people tried to approve their own checks
    assert year.sharing.letters
    assert year.sharing.holds


NOON = dt.datetime(2026, 3, 2, 4, 0, tzinfo=dt.UTC)
PEOPLE = {"li": ("county",), "wang": ("village",), "chen": ("township",)}


def log(*steps: tuple[str, str, str, dict[str, Any]]) -> list[Step]:
    """Return a log of (who, role, state entered, evidence), one step per hour."""
    found: list[Step] = []
    for number, (who, role, state, evidence) in enumerate(steps, 1):
        before = found[-1].to_state if found else ""
        found.append(Step(number, NOON + dt.timedelta(hours=number), who, role, before, state, evidence))
    return found


FOUND = ("system", "system", "new", {"scan": 1})
DISPATCHED: list[Any] = [
    FOUND,
    ("li", "county", "triaged", {}),
    ("li", "county", "published", {}),
    ("li", "county", "dispatched", {}),
]
CHECKED: list[Any] = [
    *DISPATCHED,
    ("wang", "village", "accepted", {}),
    ("wang", "village", "field_checked", {"photos": [1], "works": "built", "findings": {"use": "road"}}),
    ("wang", "village", "submitted", {}),
]


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        (CHECKED, ""),
        ([FOUND, ("li", "county", "closed", {})], "is not listed"),
        ([*DISPATCHED[:3], ("wang", "village", "dispatched", {})], "by the role village"),
        ([*CHECKED[:5], ("wang", "village", "field_checked", {"works": "built"})], "without photos"),
        ([*CHECKED, ("wang", "township", "reviewed", {})], "has no role township"),
        ([*CHECKED, ("chen", "township", "submitted", {"undoes": 7})], "undoes what it may not"),
    ],
)
def test_the_checks_find_an_illegal_step(steps: list[Any], fault: str) -> None:
    faults = step_faults("330199U2026030001", log(*steps), PEOPLE)
    assert [one for one in faults if fault in one] if fault else faults == []


def test_deadlines_are_counted_over_the_holidays_of_the_new_year() -> None:
    at = dt.datetime(2026, 2, 12, 4, tzinfo=dt.UTC)  # a Thursday; the holidays are from the 15th to the 23rd
    accepted = Step(1, at, "wang", "village", "dispatched", "accepted", {})
    assert slow_deadline([accepted]) == dt.date(2026, 2, 24)


def test_numbers_with_a_gap_or_given_twice_are_found() -> None:
    numbers = ["330199U2026030001", "330199U2026030002", "330199U2026030002", "330199U2026030004"]
    assert series_faults("alert", numbers[:2], 6) == []
    assert series_faults("alert", numbers, 6) == ["alert 330199U202603: twice [2], missing [3]"]


def test_stock_is_counted_from_the_dispatch_and_as_of_a_moment() -> None:
    steps = log(*CHECKED)
    assert not in_stock_at(steps, NOON + dt.timedelta(hours=3))
    assert in_stock_at(steps, NOON + dt.timedelta(hours=4))
