"""Find days in names of files and folders, and in the values of tags.

The patterns cover the names that drones (DJI, Autel, XAG, Feima), satellites (Gaofen, Ziyuan, SuperView, Jilin-1,
Planet, Sentinel, Landsat, WorldView, Pléiades, MODIS) and people give to images. A day that can be read in two ways is
not read.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterator

EARLIEST = dt.date(1950, 1, 1)

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTH = (
    r"(JAN(?:UARY)?|FEB(?:RUARY)?|MAR(?:CH)?|APR(?:IL)?|MAY|JUNE?|JULY?|AUG(?:UST)?|SEP(?:T(?:EMBER)?)?|OCT(?:OBER)?"
    r"|NOV(?:EMBER)?|DEC(?:EMBER)?)"
)
_DIGITS = "〇一二三四五六七八九"
_CHINESE = "[〇零一二三四五六七八九十]"

_Reading = Callable[[re.Match[str]], list[tuple[int, int, int]]]
"""All readings of a match as (year, month, day), plausible or not."""


def _numbers(match: re.Match[str]) -> list[tuple[int, int, int]]:
    year, month, day = (int(match[name]) for name in ("y", "m", "d"))
    return [(year + 2000 if year < 100 else year, month, day)]


def _with_time(match: re.Match[str]) -> list[tuple[int, int, int]]:
    """Read a day with a time joined to it; the time tells it from other numbers of that length."""
    hour, minute, second = (int(match[name] or 0) for name in ("h", "min", "s"))
    return _numbers(match) if hour < 24 and minute < 60 and second <= 60 else []


def _day_of_year(match: re.Match[str]) -> list[tuple[int, int, int]]:
    number = int(match["n"])
    if not 1 <= number <= 366:
        return []
    day = dt.date(int(match["y"]), 1, 1) + dt.timedelta(days=number - 1) if int(match["y"]) else dt.date.max
    return [(day.year, day.month, day.day)]


def _month_name(match: re.Match[str]) -> list[tuple[int, int, int]]:
    year = int(match["y"])
    return [(year + 2000 if year < 100 else year, _MONTHS.index(match["m"][:3].upper()) + 1, int(match["d"]))]


def _chinese(match: re.Match[str]) -> list[tuple[int, int, int]]:
    year = "".join(str(_DIGITS.index(digit)) for digit in match["y"].replace("零", "〇"))
    return [(int(year), _chinese_number(match["m"]), _chinese_number(match["d"]))]


def _chinese_number(text: str) -> int:
    """Return a number up to 99: 五, 十, 十二, 二十, 三十一."""
    tens, ten, ones = text.rpartition("十")
    value = _DIGITS.index(ones) if ones else 0
    return value + 10 * (_DIGITS.index(tens) if tens else 1) if ten else value


def _year_last(match: re.Match[str]) -> list[tuple[int, int, int]]:
    """Read day-month-year and month-day-year."""
    first, second, year = (int(match[name]) for name in ("a", "b", "y"))
    return [(year, second, first), (year, first, second)]


def _short_year(match: re.Match[str]) -> list[tuple[int, int, int]]:
    """Read three numbers of two digits in every order; as a time of the day, they are no day at all."""
    a, b, c = (int(match[name]) for name in ("a", "b", "c"))
    if a < 24 and b < 60 and c < 60:
        return []
    return [(2000 + a, b, c), (2000 + c, b, a), (2000 + c, a, b)]


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_PATTERNS: tuple[tuple[re.Pattern[str], _Reading], ...] = (
    # LC81230322024124LGN00: sensor, path and row, year, day of the year
    (_pattern(r"(?<![a-z0-9])L[COTEM]\d\d{6}(?P<y>\d{4})(?P<n>\d{3})(?=[a-z]{3}\d\d)"), _day_of_year),
    # MOD09GA.A2024124.h27v05
    (_pattern(r"(?<![a-z0-9])A(?P<y>\d{4})(?P<n>\d{3})(?!\d)"), _day_of_year),
    # 23APR17025301-M2AS: WorldView, GeoEye, QuickBird
    (_pattern(rf"(?<![a-z0-9])(?P<y>\d{{2}})(?P<m>{_MONTH})(?P<d>\d{{2}})\d{{6}}(?!\d)"), _month_name),
    # 20240503, and with a time joined: 202405031015 (folders of DJI), 20240503101530 (DJI, Jilin-1, SuperView), with
    # fractions of a second (Pléiades)
    (
        _pattern(
            r"(?<!\d)(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:(?P<h>\d{2})(?P<min>\d{2})(?:(?P<s>\d{2})\d{0,3})?)?(?!\d)"
        ),
        _with_time,
    ),
    (_pattern(r"(?<!\d)(?P<y>\d{4})(?P<sep>[-. :/])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})(?!\d)"), _numbers),
    (_pattern(r"(?<!\d)(?P<y>\d{4})_(?P<m>\d{2})_(?P<d>\d{2})(?!\d)"), _numbers),  # not tile_2024_12_3
    # folders of years and days: 2024/0503, 202405/03
    (_pattern(r"(?<!\d)(?P<y>\d{4})/?(?P<m>\d{2})/?(?P<d>\d{2})(?!\d)"), _numbers),
    (
        _pattern(r"(?<!\d)(?P<y>\d{4}|\d{2})\s*年[\s/]*(?P<m>\d{1,2})\s*月[\s/]*(?P<d>\d{1,2})(?!\d)"),
        _numbers,
    ),
    (_pattern(r"(?<!\d)(?P<y>\d{4})\s*年[\s/]*(?P<m>\d{2})(?P<d>\d{2})(?!\d)"), _numbers),
    (_pattern(rf"(?P<y>{_CHINESE}{{4}})年(?P<m>{_CHINESE}{{1,2}})月(?P<d>{_CHINESE}{{1,3}})[日号]"), _chinese),
    (_pattern(rf"(?<![a-z0-9])(?P<d>\d{{1,2}})[-_. ]?(?P<m>{_MONTH})[-_., ]*(?P<y>\d{{4}})(?!\d)"), _month_name),
    (_pattern(rf"(?<![a-z0-9])(?P<m>{_MONTH})[-_. ]?(?P<d>\d{{1,2}})[-_., ]+(?P<y>\d{{4}})(?!\d)"), _month_name),
    (_pattern(rf"(?<!\d)(?P<y>\d{{4}})[-_. ]?(?P<m>{_MONTH})[-_. ]?(?P<d>\d{{1,2}})(?!\d)"), _month_name),
    (_pattern(r"(?<!\d)(?P<a>\d{2})(?P<sep>[-.])(?P<b>\d{2})(?P=sep)(?P<y>\d{4})(?!\d)"), _year_last),
)

_SHORT = _pattern(r"(?<![\d.-])(?P<a>\d{2})(?P<sep>[-.])(?P<b>\d{2})(?P=sep)(?P<c>\d{2})(?![\d]|[-.]\d)")
"""A year of two digits; read only in a text without any other day. Six digits without separators are never read: they
are as likely an administrative code or the number of a tile."""

_SENSED = _pattern(r"_V(?=\d{8}T\d{6}_\d{8}T)")  # in old names of Sentinel-2, after the day of processing


def days_in(text: str, today: dt.date) -> list[dt.date]:
    """Return the distinct days in a text, in the order in which they appear.

    Args:
        text: the name of a file or folder, a path with ``/`` between folders, or the value of a tag.
        today: days later than one day after it (the date line) are ignored, as are those before :data:`EARLIEST`.
    """
    text = unicodedata.normalize("NFKC", text)
    sensed = _SENSED.search(text)
    if sensed:
        text = text[sensed.end() :]
    found: list[tuple[int, dt.date]] = []
    taken: list[tuple[int, int]] = []
    for pattern, reading in _PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            days = set(_plausible(reading(match), today))
            if len(days) == 1:
                found.append((match.start(), days.pop()))
                taken.append(match.span())
    if not found:
        for match in _SHORT.finditer(text):
            days = set(_plausible(_short_year(match), today))
            if len(days) == 1:
                found.append((match.start(), days.pop()))
    return list(dict.fromkeys(day for _, day in sorted(found)))


def _plausible(readings: list[tuple[int, int, int]], today: dt.date) -> Iterator[dt.date]:
    for year, month, day in readings:
        try:
            found = dt.date(year, month, day)
        except ValueError:
            continue
        if EARLIEST <= found <= today + dt.timedelta(days=1):
            yield found
