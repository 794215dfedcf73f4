"""Periods are named, parsed and compared with the one before and that of the year before."""

from __future__ import annotations

import datetime as dt

import pytest

from enforcement.figures.period import KINDS, parse_period, period_of, periods_until
from errors import SettingsError


@pytest.mark.parametrize(
    ("name", "first", "last", "previous", "year_before"),
    [
        ("2026-W01", "2025-12-29", "2026-01-04", "2025-W52", "2025-W01"),
        ("2026-12", "2026-12-01", "2026-12-31", "2026-11", "2025-12"),
        ("2024-02", "2024-02-01", "2024-02-29", "2024-01", "2023-02"),
        ("2026-Q1", "2026-01-01", "2026-03-31", "2025-Q4", "2025-Q1"),
        ("2026", "2026-01-01", "2026-12-31", "2025", "2025"),
        ("2024-02-20..2024-02-29", "2024-02-20", "2024-02-29", "2024-02-10..2024-02-19", "2023-02-20..2023-02-28"),
    ],
)
def test_a_period_has_its_days_and_its_predecessors(
    name: str, first: str, last: str, previous: str, year_before: str
) -> None:
    period = parse_period(name)
    assert (period.name, period.first.isoformat(), period.last.isoformat()) == (name, first, last)
    assert (period.previous().name, period.year_before().name) == (previous, year_before)
    assert period.contains(period.last)
    assert not period.contains(None)


def test_every_day_lies_in_its_week_month_quarter_and_year() -> None:
    for kind in KINDS:
        for day in (dt.date(2024, 2, 29), dt.date(2026, 12, 31), dt.date(2027, 1, 1)):
            period = period_of(kind, day)
            assert period.contains(day)
            assert parse_period(period.name) == period


def test_trends_end_with_the_period() -> None:
    months = periods_until(parse_period("2026-Q1"), "month", 4)
    assert [month.name for month in months] == ["2025-12", "2026-01", "2026-02", "2026-03"]
    assert periods_until(parse_period("2026-03"), "week", 2)[-1].name == "2026-W14"


@pytest.mark.parametrize("name", ["", "2026-W54", "2026-13", "2026-Q5", "20", "2026-05-02..2026-05-01", "0001", "１2"])
def test_other_words_are_no_period(name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_period(name)
    assert refused.value.reason is not None
