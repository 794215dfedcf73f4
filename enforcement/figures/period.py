"""Periods of figures: a week, month, quarter, year, or any days from a first to a last one."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal

from errors import SettingsError

PeriodKind = Literal["week", "month", "quarter", "year", "days"]
KINDS: tuple[PeriodKind, ...] = ("week", "month", "quarter", "year", "days")

_DAY = dt.timedelta(days=1)
_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_QUARTER = re.compile(r"(\d{4})-Q([1-4])", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)
_DAYS = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})", re.ASCII)
_MOST_DAYS = 3660


@dataclass(frozen=True)
class Period:
    """Local days from ``first`` to ``last``, inclusive."""

    kind: PeriodKind
    first: dt.date
    last: dt.date

    @property
    def name(self) -> str:
        """Name as :func:`parse_period` reads it: 2026-W48, 2026-11, 2026-Q4, 2026, 2026-11-01..2026-11-20."""
        if self.kind == "week":
            year, week, _ = self.first.isocalendar()
            return f"{year:04d}-W{week:02d}"
        if self.kind == "month":
            return f"{self.first:%Y-%m}"
        if self.kind == "quarter":
            return f"{self.first:%Y}-Q{(self.first.month + 2) // 3}"
        return f"{self.first:%Y}" if self.kind == "year" else f"{self.first}..{self.last}"

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1

    def contains(self, day: dt.date | None) -> bool:
        """Whether a day lies in the period."""
        return day is not None and self.first <= day <= self.last

    def previous(self) -> Period:
        """Return the period of the same kind and length before this one."""
        if self.kind == "days":
            return Period("days", self.first - self.days * _DAY, self.first - _DAY)
        return period_of(self.kind, self.first - _DAY)

    def year_before(self) -> Period:
        """Return the same period of the year before; of a week, that with the same number."""
        if self.kind == "week":
            return period_of("week", self.first - 52 * 7 * _DAY)
        if self.kind == "days":
            return Period("days", _year_before(self.first), _year_before(self.last))
        return period_of(self.kind, _year_before(self.first))


def period_of(kind: PeriodKind, day: dt.date) -> Period:
    """Return the week (Monday to Sunday), month, quarter or year of a day; ``days``: that day alone."""
    if kind == "week":
        first = day - day.weekday() * _DAY
        return Period(kind, first, first + 6 * _DAY)
    if kind == "month":
        return _months(kind, day.year, day.month, 1)
    if kind == "quarter":
        return _months(kind, day.year, 3 * ((day.month - 1) // 3) + 1, 3)
    if kind == "year":
        return Period(kind, dt.date(day.year, 1, 1), dt.date(day.year, 12, 31))
    return Period("days", day, day)


def parse_period(text: str) -> Period:
    """Parse the name of a period.

    Raises:
        SettingsError: it is none; the message says what was expected.
    """
    try:
        return _parse(text.strip())
    except (ValueError, OverflowError):
        raise SettingsError(
            f"{text[:40]!r} is not a period; expected one like 2026-W48, 2026-11, 2026-Q4, 2026 or "
            "2026-11-01..2026-11-20.",
            "figures.period",
            value=text[:40],
        ) from None


def periods_until(period: Period, kind: Literal["week", "month"], count: int) -> list[Period]:
    """Return the last ``count`` weeks or months up to the last day of a period, oldest first."""
    found = [period_of(kind, period.last)]
    while len(found) < count:
        found.append(found[-1].previous())
    return found[::-1]


def _parse(text: str) -> Period:
    if match := _WEEK.fullmatch(text):
        found = period_of("week", dt.date.fromisocalendar(int(match[1]), int(match[2]), 1))
    elif match := _MONTH.fullmatch(text):
        found = period_of("month", dt.date(int(match[1]), int(match[2]), 1))
    elif match := _QUARTER.fullmatch(text):
        found = period_of("quarter", dt.date(int(match[1]), 3 * int(match[2]) - 2, 1))
    elif _YEAR.fullmatch(text):
        found = period_of("year", dt.date(int(text), 1, 1))
    elif match := _DAYS.fullmatch(text):
        found = Period("days", dt.date.fromisoformat(match[1]), dt.date.fromisoformat(match[2]))
    else:
        raise ValueError(text)
    if not (found.first.year >= 1900 and found.last.year <= 2200 and 1 <= found.days <= _MOST_DAYS):
        raise ValueError(text)
    return found


def _months(kind: PeriodKind, year: int, month: int, count: int) -> Period:
    following = dt.date(year + (month + count > 12), (month + count - 1) % 12 + 1, 1)
    return Period(kind, dt.date(year, month, 1), following - _DAY)


def _year_before(day: dt.date) -> dt.date:
    leap = day.month == 2 and day.day == 29
    return day.replace(year=day.year - 1, day=28 if leap else day.day)
