"""Parameters of OGC API - Features and of STAC, read as leniently as the clients that send them need it."""

from __future__ import annotations

import datetime as dt
import math
from typing import Annotated

from fastapi import Query

from store.search.alert_filter import Box, parse_day
from web.http_errors import Refusal

MOST_ITEMS = 1000

BBox = Annotated[
    str,
    Query(
        description="west,south,east,north in degrees, heights between them are ignored.",
        max_length=300,
        examples=["119.9,29.9,120.2,30.2"],
    ),
]
When = Annotated[
    str,
    Query(
        alias="datetime",
        description="A day or moment, or two parted by a slash; `..` or nothing is open (RFC 3339).",
        max_length=100,
        examples=["2026-01-01/2026-12-31", "../2026-11-30T16:00:00Z", "2026-11-20"],
    ),
]
ItemLimit = Annotated[int, Query(description="Items of a page.", ge=1, le=MOST_ITEMS)]


def box_asked(text: str) -> Box | None:
    """The box of ``bbox``, brought onto the globe; None: not given. A point or line is a very narrow box.

    Raises:
        Refusal: it is none.
    """
    if not text:
        return None
    expected = "expected west,south,east,north in degrees, west not beyond east, south not beyond north"
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)) or numbers[0] > numbers[2] or numbers[1] > numbers[3]:
        raise Refusal(f"bbox is {text[:80]!r}; {expected}.")
    west, east = (min(max(value, -180.0), 180.0) for value in numbers[::2])
    south, north = (min(max(value, -90.0), 90.0) for value in numbers[1::2])
    return west, south, east, north


def days_asked(text: str, zone: dt.tzinfo) -> tuple[dt.date | None, dt.date | None]:
    """First and last local day of ``datetime``; None: open.

    Raises:
        Refusal: it is no moment and no interval.
    """
    if not text:
        return None, None
    parts = text.strip().split("/")
    if len(parts) > 2:
        raise Refusal(f"datetime is {text[:80]!r}; expected a moment, or two parted by one slash.")
    ends = [_day(part.strip(), zone) for part in parts]
    first, last = ends[0], ends[-1]
    if len(parts) == 1 and first is None:
        raise Refusal("datetime is open on both sides; leave it out instead.")
    if first is not None and last is not None and first > last:
        raise Refusal(f"datetime is {text[:80]!r}; expected the earlier moment first.")
    return first, last


def _day(part: str, zone: dt.tzinfo) -> dt.date | None:
    if part in ("", ".."):
        return None
    try:
        return parse_day(part if len(part) == 10 else _moment(part).astimezone(zone).date().isoformat())
    except (ValueError, OverflowError):
        raise Refusal(
            f"datetime holds {part[:40]!r}; expected a day or moment between 1900 and 2200 (RFC 3339)."
        ) from None


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
