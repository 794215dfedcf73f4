"""Public holidays and make-up working days of China by year, from the package ``chinesecalendar``.

The State Council announces a year each autumn. Years that the package knows are stored in the database once, where
administrators edit them; a new version of the package never changes a stored year.
"""

from __future__ import annotations

import datetime as dt
from functools import cache

from chinese_calendar import constants

from enforcement.settings import StrictModel
from errors import SettingsError

ANNOUNCED_MONTH = 11
"""Month from which the next year's holidays are expected to be known."""

MAX_DAYS = 80
"""More free or working days in one year are a mistake."""


class CalendarYear(StrictModel):
    """Holidays (day, name) and make-up working days of one year."""

    year: int
    holidays: tuple[tuple[dt.date, str], ...] = ()
    working_days: tuple[dt.date, ...] = ()

    def validated(self) -> CalendarYear:
        """Return this year.

        Raises:
            SettingsError: a day is of another year or listed twice, or there are too many.
        """
        days = [day for day, _ in self.holidays]
        for day in (*days, *self.working_days):
            if day.year != self.year:
                raise SettingsError(
                    f"{day} is not a day of {self.year}. Correct the list of {self.year}.",
                    "calendar.other_year",
                    day=day.isoformat(),
                    year=self.year,
                )
        for day in {*days, *self.working_days}:
            if days.count(day) + self.working_days.count(day) > 1:
                raise SettingsError(
                    f"{day} is listed twice. Correct the list of {self.year}.",
                    "calendar.twice",
                    day=day.isoformat(),
                    year=self.year,
                )
        if len(days) > MAX_DAYS or len(self.working_days) > MAX_DAYS:
            raise SettingsError(
                f"The list of {self.year} has {len(days)} holidays and {len(self.working_days)} make-up days; expected "
                f"at most {MAX_DAYS} of each.",
                "calendar.too_many",
                year=self.year,
            )
        return self


@cache
def known_year(year: int) -> CalendarYear | None:
    """Return the holidays of a year as the package has them; None: not announced when the package was published."""
    if not any(day.year == year and day.month == 10 for day in constants.holidays):  # complete years have October's
        return None
    names = {holiday.value: str(holiday.chinese) for holiday in constants.Holiday}
    holidays = sorted((day, names.get(name, name)) for day, name in constants.holidays.items() if day.year == year)
    working = sorted(day for day in constants.workdays if day.year == year)
    return CalendarYear(year=year, holidays=tuple(holidays), working_days=tuple(working))


def missing_year(today: dt.date, stored: set[int]) -> int | None:
    """Return the year whose holidays are needed but neither stored nor known: this one, from November the next one."""
    needed = [today.year, *([today.year + 1] if today.month >= ANNOUNCED_MONTH else [])]
    return next((year for year in needed if year not in stored and known_year(year) is None), None)


def parse_year(year: int, holidays: str, working_days: str) -> CalendarYear:
    """Read the text fields of the calendar page.

    Args:
        year: of all days.
        holidays: one line for each holiday: a day or first and last day, and a name, like
            ``2027-10-01 2027-10-07 国庆节``.
        working_days: make-up working days, separated by spaces or lines.

    Raises:
        SettingsError: names the line or day, what was expected, and an example.
    """
    free: list[tuple[dt.date, str]] = []
    for line in filter(None, map(str.strip, holidays.splitlines())):
        words = line.split()
        days = [day for word in words[:2] if (day := _day(word)) is not None]
        if not days or (len(words) > len(days) and _looks_like_day(words[len(days)])):
            raise SettingsError(
                f"The line {line[:60]!r} is not a holiday; expected a day or a first and a last day, and a name, like "
                f"{year}-10-01 {year}-10-07 国庆节.",
                "calendar.line",
                line=line[:60],
                year=year,
            )
        name = " ".join(words[len(days) :])[:20]
        first, last = days[0], days[-1]
        if not 0 <= (last - first).days <= 30:
            raise SettingsError(
                f"The holiday {line[:60]!r} ends before it begins or is longer than 31 days.",
                "calendar.range",
                line=line[:60],
            )
        free += [(first + dt.timedelta(n), name) for n in range((last - first).days + 1)]
    working = []
    for word in working_days.replace(",", " ").replace("，", " ").replace("、", " ").split():
        found = _day(word)
        if found is None:
            raise SettingsError(
                f"{word[:30]!r} is not a day; expected a make-up working day like {year}-10-10.",
                "calendar.day",
                day=word[:30],
                year=year,
            )
        working.append(found)
    return CalendarYear(year=year, holidays=tuple(sorted(free)), working_days=tuple(sorted(working))).validated()


def format_holidays(year: CalendarYear) -> str:
    """Return the holidays as :func:`parse_year` reads them, consecutive days of one name as one line."""
    runs: list[tuple[dt.date, dt.date, str]] = []
    for day, name in year.holidays:
        if runs and runs[-1][2] == name and (day - runs[-1][1]).days == 1:
            runs[-1] = (runs[-1][0], day, name)
        else:
            runs.append((day, day, name))
    return "\n".join(f"{first} {name}" if first == last else f"{first} {last} {name}" for first, last, name in runs)


def _day(word: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(word)
    except ValueError:
        return None


def _looks_like_day(word: str) -> bool:
    return word[:4].isdigit()
