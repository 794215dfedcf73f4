"""Deadlines in working days.

Days are local dates: ``time.astimezone(settings.zone).date()``. The start day is not counted, and a deadline ends with
its day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from configs.service import WEEKDAYS, Weekday
from enforcement.deadlines.public_holidays import CalendarYear
from enforcement.settings import StrictModel, read_settings
from enforcement.states import StateTable

DAY = dt.timedelta(days=1)


class Holiday(StrictModel):
    """Consecutive holidays, from the first to the last day inclusive."""

    first: Annotated[dt.date, Field(alias="from")]
    last: Annotated[dt.date, Field(alias="to")]
    name: str = ""

    @model_validator(mode="after")
    def _validate_range(self) -> Holiday:
        if not dt.timedelta(0) <= self.last - self.first <= dt.timedelta(days=60):
            raise ValueError(f"a holiday from {self.first} to {self.last} is invalid: expected 1 to 61 days")
        return self


class Calendar(StrictModel):
    """All of ``configs/calendar.yaml``."""

    weekend: Annotated[tuple[Weekday, ...], Field(max_length=6)] = ("saturday", "sunday")
    holidays: tuple[Holiday | dt.date, ...] = ()
    working_days: tuple[dt.date, ...] = ()

    @cached_property
    def names(self) -> dict[dt.date, str]:
        """Names of all days of all holidays; "" where a holiday has none."""
        named: dict[dt.date, str] = {}
        for holiday in self.holidays:
            if isinstance(holiday, dt.date):
                named[holiday] = ""
            else:
                days = (holiday.last - holiday.first).days + 1
                named |= {holiday.first + n * DAY: holiday.name for n in range(days)}
        return named

    @cached_property
    def worked(self) -> frozenset[dt.date]:
        """All make-up working days."""
        return frozenset(self.working_days)

    @cached_property
    def free(self) -> frozenset[dt.date]:
        """All days of all holidays."""
        return frozenset(self.names)

    @model_validator(mode="after")
    def _validate_disjoint(self) -> Calendar:
        if conflicts := sorted(self.free & set(self.working_days)):
            raise ValueError(f"both a holiday and a working day: {', '.join(map(str, conflicts))}")
        return self

    def is_working(self, day: dt.date) -> bool:
        """Whether ``day`` is a working day."""
        if day in self.worked:
            return True
        return day not in self.free and WEEKDAYS[day.weekday()] not in self.weekend


def merge_calendar(base: Calendar, years: Iterable[CalendarYear]) -> Calendar:
    """Return a calendar with the holidays of years; days that the settings file lists take precedence."""
    holidays: list[Holiday | dt.date] = list(base.holidays)
    working = list(base.working_days)
    for year in years:
        holidays += [
            Holiday.model_validate({"from": day, "to": day, "name": name})
            for day, name in year.holidays
            if day not in base.worked and day not in base.free
        ]
        working += [day for day in year.working_days if day not in base.free and day not in base.worked]
    return Calendar(weekend=base.weekend, holidays=tuple(holidays), working_days=tuple(working))


def deadline(start: dt.date, working_days: int, calendar: Calendar) -> dt.date:
    """Return the last day on time.

    Args:
        start: local date from which the deadline counts.
        working_days: number of working days after it; 0: the same day, or the next working day if it is free.
        calendar: defines the working days.
    """
    if working_days < 0:
        raise ValueError(f"{working_days} working days: expected 0 or more")
    day, remaining = start, working_days
    while remaining > 0 or not calendar.is_working(day):
        day += DAY
        if remaining > 0 and calendar.is_working(day):
            remaining -= 1
    return day


def days_overdue(due: dt.date, today: dt.date, calendar: Calendar) -> int:
    """Return the number of working days after ``due`` up to ``today``; 0: on time."""
    return sum(calendar.is_working(due + n * DAY) for n in range(1, (today - due).days + 1))


def responsible_roles(role: str, days_late: int, table: StateTable) -> tuple[str, ...]:
    """Return the roles that see an alert: ``role`` and, if the alert is overdue, the next higher level."""
    higher = table.roles[role].escalates if days_late > 0 else None
    return (role,) if higher is None else (role, higher)


@cache
def read_calendar(path: Path = Path("calendar.yaml")) -> Calendar:
    """Read ``configs/calendar.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, Calendar)
