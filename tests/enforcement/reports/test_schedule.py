"""Periods of reports: Fridays, holidays, months, quarters, half-months; no gap and no overlap."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from enforcement.deadlines.working_days import Calendar
from enforcement.reports.schedule import ReportRule, period_of, periods, read_schedule

ZONE = ZoneInfo("Asia/Shanghai")
HOLIDAYS = Calendar(holidays=tuple(dt.date(2026, 10, day) for day in range(1, 8)))


def _rule(**values: object) -> ReportRule:
    base = {"zh": "x", "en": "x", "level": "village", "every": "week", "prepares": ["village"]}
    return ReportRule.model_validate(base | {"approves": ["village"], "takes": ["township"]} | values)


def _days(rule: ReportRule, first: dt.date, last: dt.date) -> list[dt.date]:
    return [period.last for period in periods(rule, HOLIDAYS, first, last, ZONE)]


def test_a_friday_on_a_holiday_moves_to_the_working_day_before() -> None:
    assert _days(_rule(), dt.date(2026, 9, 25), dt.date(2026, 10, 9)) == [
        dt.date(2026, 9, 25),
        dt.date(2026, 9, 30),
        dt.date(2026, 10, 9),
    ]
    after = _days(_rule(on_holiday="after"), dt.date(2026, 10, 1), dt.date(2026, 10, 9))
    assert after == [dt.date(2026, 10, 8), dt.date(2026, 10, 9)]


@pytest.mark.parametrize("every", ["week", "half_month", "month", "quarter", "day"])
def test_periods_follow_each_other_without_gap_or_overlap(every: str) -> None:
    found = list(periods(_rule(every=every), HOLIDAYS, dt.date(2026, 1, 1), dt.date(2026, 12, 31), ZONE))
    assert len(found) >= 4
    for before, after in pairwise(found):
        assert after.first == before.last + dt.timedelta(days=1)
        assert after.after == before.until


def test_half_monthly_reports_are_monthly_in_winter() -> None:
    rule = _rule(every="half_month", monthly_in=[11, 12, 1, 2, 3])
    days = _days(rule, dt.date(2026, 10, 1), dt.date(2026, 12, 31))
    assert days == [dt.date(2026, 10, day) for day in (15, 31)] + [dt.date(2026, 11, 30), dt.date(2026, 12, 31)]


def test_a_month_is_due_on_its_working_day_after_the_end() -> None:
    period = period_of(_rule(every="month", day=3), HOLIDAYS, dt.date(2026, 9, 20), ZONE)
    assert period.due.astimezone(ZONE).date() == dt.date(2026, 10, 12)  # after the holidays and a weekend
    assert period.until.astimezone(ZONE) == dt.datetime(2026, 10, 1, tzinfo=ZONE)


def test_all_levels_of_the_weekly_chain_count_up_to_the_same_moment() -> None:
    found = {
        period_of(read_schedule().rule(kind), HOLIDAYS, dt.date(2026, 9, 29), ZONE).until
        for kind in ("village_week", "township_week", "county_week")
    }
    assert len(found) == 1
