"""Deadlines in working days.

A day is the local date; a moment becomes one by ``moment.astimezone(settings.zone).date()``. The day on which a clock
starts is not counted, and a deadline lasts to the end of its day.
"""

from __future__ import annotations

import datetime as dt
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from enforcement.settings import Strict, read_checked
from enforcement.states import StateTable

DAY = dt.timedelta(days=1)
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Holiday(Strict):
    """Free days in a row, both ends included."""

    first: Annotated[dt.date, Field(alias="from")]
    last: Annotated[dt.date, Field(alias="to")]
    name: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> Holiday:
        if not dt.timedelta(0) <= self.last - self.first <= dt.timedelta(days=60):
            raise ValueError(f"a holiday from {self.first} to {self.last} is none: expected 1 to 61 days")
        return self


class Calendar(Strict):
    """The whole of ``configs/calendar.yaml``."""

    weekend: Annotated[tuple[Weekday, ...], Field(max_length=6)] = ("saturday", "sunday")
    holidays: tuple[Holiday | dt.date, ...] = ()
    working_days: tuple[dt.date, ...] = ()

    @cached_property
    def free(self) -> frozenset[dt.date]:
        """Every day of a holiday."""
        days: set[dt.date] = set()
        for holiday in self.holidays:
            first, last = (holiday, holiday) if isinstance(holiday, dt.date) else (holiday.first, holiday.last)
            days |= {first + n * DAY for n in range((last - first).days + 1)}
        return frozenset(days)

    @model_validator(mode="after")
    def _no_day_is_both(self) -> Calendar:
        if both := sorted(self.free & set(self.working_days)):
            raise ValueError(f"both a holiday and a working day: {', '.join(map(str, both))}")
        return self

    def is_working(self, day: dt.date) -> bool:
        """Whether ``day`` counts."""
        if day in self.working_days:
            return True
        return day not in self.free and WEEKDAYS[day.weekday()] not in self.weekend


def deadline(start: dt.date, working_days: int, calendar: Calendar) -> dt.date:
    """The last day on which something is in time.

    Args:
        start: local date on which the clock starts.
        working_days: how many working days after it; 0: the same day, or the next working day where it is free.
        calendar: which days count.
    """
    if working_days < 0:
        raise ValueError(f"{working_days} working days: expected 0 or more")
    day, left = start, working_days
    while left > 0 or not calendar.is_working(day):
        day += DAY
        if left > 0 and calendar.is_working(day):
            left -= 1
    return day


def overdue(due: dt.date, today: dt.date, calendar: Calendar) -> int:
    """Working days by which something is late on ``today``; 0: in time. On free days after ``due`` nothing grows."""
    return sum(calendar.is_working(due + n * DAY) for n in range(1, (today - due).days + 1))


def answers(role: str, late: int, table: StateTable) -> tuple[str, ...]:
    """Who sees an alert that is late: ``role`` and, when it is overdue, the one level above it."""
    above = table.roles[role].escalates if late > 0 else None
    return (role,) if above is None else (role, above)


@cache
def read_calendar(path: Path = Path("calendar.yaml")) -> Calendar:
    """Read ``configs/calendar.yaml``, once for each process.

    Raises:
        SettingsError: it cannot be used.
    """
    return read_checked(path, Calendar)
