"""Which reports are due when: ``configs/reports/schedule.yaml`` and the calendar of working days.

The period of a report begins where the one before ended, so that nothing falls between two of them, however holidays
move their days. Its moments are ``after`` (exclusive) and ``until`` (inclusive).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from configs.service import WEEKDAYS, Weekday
from enforcement.deadlines.working_days import DAY, Calendar
from enforcement.settings import BilingualName, StrictModel, read_settings
from errors import SettingsError

Level = Literal["village", "township", "county"]
Clock = Annotated[str, Field(pattern=r"([01]\d|2[0-3]):[0-5]\d|24:00")]

CODE_DIGITS = {"village": 12, "township": 9, "county": 6}


class ReportRule(BilingualName):
    """One kind of report; the fields are described in ``configs/reports/schedule.yaml``."""

    level: Level
    sums: str = ""
    every: Literal["week", "half_month", "month", "quarter", "day"]
    weekday: Weekday = "friday"
    day: Annotated[int, Field(ge=1, le=20)] = 1
    monthly_in: Annotated[list[Annotated[int, Field(ge=1, le=12)]], Field(default_factory=list)]
    on_holiday: Literal["before", "after", "same"] = "before"
    cutoff: Clock = "24:00"
    due: Clock = "18:00"
    grace_hours: Annotated[float, Field(ge=0, le=240)] = 0
    required: bool = True
    prepares: Annotated[list[str], Field(min_length=1)]
    approves: Annotated[list[str], Field(min_length=1)]
    takes: Annotated[list[str], Field(min_length=1)]


class ReportSchedule(StrictModel):
    """All of ``configs/reports/schedule.yaml``."""

    reports: dict[str, ReportRule]

    @model_validator(mode="after")
    def _validate_sums(self) -> ReportSchedule:
        for name, rule in self.reports.items():
            if rule.sums and rule.sums not in self.reports:
                raise ValueError(f"{name} sums up {rule.sums!r}; expected one of {', '.join(self.reports)}")
            if len(name) > 30:
                raise ValueError(f"the name {name!r} is longer than 30 letters")
        return self

    def rule(self, kind: str) -> ReportRule:
        """Return the rule of a kind.

        Raises:
            SettingsError: there is no such kind.
        """
        found = self.reports.get(kind)
        if found is None:
            raise SettingsError(
                f"There is no report {kind[:40]!r}; expected {', '.join(self.reports)}.",
                "reports.unknown_kind",
                kind=kind[:40],
                known="、".join(self.reports),
            )
        return found


@dataclass(frozen=True)
class Period:
    """The period of one report.

    Attributes:
        first, last: local days, for the heading.
        after, until: moments; things count after the first, up to and including the last.
        due: moment until which it has to be submitted.
        grace_until: moment from which it is late.
    """

    first: dt.date
    last: dt.date
    after: dt.datetime
    until: dt.datetime
    due: dt.datetime
    grace_until: dt.datetime


def periods(rule: ReportRule, calendar: Calendar, first: dt.date, last: dt.date, zone: dt.tzinfo) -> Iterator[Period]:
    """Yield the periods that end from ``first`` to ``last``, oldest first.

    Args:
        rule: of the report.
        calendar: of working days.
        first, last: local days.
        zone: time zone of local days.
    """
    ends = _ends(rule, calendar, first - dt.timedelta(days=130), last)
    for before, end in pairwise(ends):
        if first <= end <= last:
            day = end
            if rule.every in ("half_month", "month", "quarter"):
                day = _nth_working_day(end, rule.day, calendar)
            due = _moment(day, rule.due, zone)
            if rule.every == "day":
                due += DAY
            yield Period(
                before + DAY,
                end,
                _moment(before, rule.cutoff, zone),
                _moment(end, rule.cutoff, zone),
                due,
                due + dt.timedelta(hours=rule.grace_hours),
            )


def period_of(rule: ReportRule, calendar: Calendar, day: dt.date, zone: dt.tzinfo) -> Period:
    """Return the period that contains a day.

    Raises:
        SettingsError: there is none: the calendar has no working day within two months.
    """
    for period in periods(rule, calendar, day, day + dt.timedelta(days=100), zone):
        if period.first <= day:
            return period
    raise SettingsError(f"No period of a report contains {day}.", "reports.no_period", day=day.isoformat())


def _ends(rule: ReportRule, calendar: Calendar, first: dt.date, last: dt.date) -> list[dt.date]:
    """Return the last days of all periods from ``first`` on, the first after ``last`` as well, without doubles."""
    found: list[dt.date] = []
    day = first
    stop = last + dt.timedelta(days=130)
    while day <= stop and not (found and found[-1] > last):
        if _is_end(rule, day):
            moved = _moved(rule, calendar, day) if rule.every in ("week", "day") else day
            if not found or moved > found[-1]:
                found.append(moved)
        day += DAY
    return found


def _is_end(rule: ReportRule, day: dt.date) -> bool:
    month_ends = (day + DAY).day == 1
    if rule.every == "week":
        return day.weekday() == WEEKDAYS.index(rule.weekday)
    if rule.every == "day":
        return True
    if rule.every == "half_month":
        return month_ends or (day.day == 15 and day.month not in rule.monthly_in)
    return month_ends and (rule.every == "month" or day.month % 3 == 0)


def _moved(rule: ReportRule, calendar: Calendar, day: dt.date) -> dt.date:
    step = {"before": -DAY, "after": DAY, "same": dt.timedelta(0)}[rule.on_holiday]
    moved = day
    for _ in range(60):
        if not step or calendar.is_working(moved):
            return moved
        moved += step
    return day


def _nth_working_day(end: dt.date, count: int, calendar: Calendar) -> dt.date:
    day = end
    for _ in range(count):
        day += DAY
        for _ in range(60):
            if calendar.is_working(day):
                break
            day += DAY
    return day


def _moment(day: dt.date, clock: str, zone: dt.tzinfo) -> dt.datetime:
    if clock == "24:00":
        return dt.datetime.combine(day + DAY, dt.time(0), zone).astimezone(dt.UTC)
    return dt.datetime.combine(day, dt.time.fromisoformat(clock), zone).astimezone(dt.UTC)


@cache
def read_schedule(path: Path = Path("reports/schedule.yaml")) -> ReportSchedule:
    """Read ``configs/reports/schedule.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, ReportSchedule)
