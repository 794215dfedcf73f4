"""Parameters of OGC API - Features and of STAC, parsed leniently because clients deviate from the standards."""

from __future__ import annotations

import datetime as dt
import math
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator

from errors import Reason
from store.search.alert_filter import Box, parse_day
from web.api.coordinate_systems import CRS84, box_to_degrees
from web.http_errors import HttpError

MAX_ITEMS = 1000

BBox = Annotated[
    str,
    Query(
        description="west,south,east,north in degrees; the heights of a six-number box are ignored.",
        max_length=300,
        examples=["119.9,29.9,120.2,30.2"],
    ),
]
When = Annotated[
    str,
    Query(
        alias="datetime",
        description="A day or time (RFC 3339), or two separated by a slash; `..` or an empty end is open.",
        max_length=100,
        examples=["2026-01-01/2026-12-31", "../2026-11-30T16:00:00Z", "2026-11-20"],
    ),
]
ItemLimit = Annotated[
    int,
    Query(description="Items per page; more means the maximum.", ge=1, json_schema_extra={"maximum": MAX_ITEMS}),
    AfterValidator(lambda number: min(number, MAX_ITEMS)),
]


def parse_lenient_bbox(text: str, crs: str = CRS84) -> Box | None:
    """Parse ``bbox`` and clip it to the globe; None if empty. Points and lines are accepted as narrow boxes.

    A box whose west is beyond its east crosses the antimeridian. The box is in ``crs``, one of
    :data:`web.api.coordinate_systems.SUPPORTED`, and in its axis order.

    Raises:
        HttpError: it is not a bounding box.
    """
    if not text:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) == 4 and all(map(math.isfinite, numbers)):
        numbers = box_to_degrees(numbers, crs)
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)) or numbers[1] > numbers[3]:
        message = f"bbox is {text[:80]!r}; expected west,south,east,north in degrees, south not beyond north."
        raise HttpError(Reason(message, "query.bbox", value=text[:80]))
    west, east = (min(max(value, -180.0), 180.0) for value in numbers[::2])
    south, north = (min(max(value, -90.0), 90.0) for value in numbers[1::2])
    return west, south, east, north


def parse_datetime(text: str, zone: dt.tzinfo) -> tuple[dt.date | None, dt.date | None]:
    """Parse ``datetime`` into its first and last local day; None for an open end.

    Raises:
        HttpError: it is neither a time nor an interval.
    """
    if not text:
        return None, None
    parts = text.strip().split("/")
    if len(parts) > 2:
        message = f"datetime is {text[:80]!r}; expected a time, or two separated by one slash."
        raise HttpError(Reason(message, "query.interval", value=text[:80]))
    ends = [_day(part.strip(), zone) for part in parts]
    first, last = ends[0], ends[-1]
    if len(parts) == 1 and first is None:
        raise HttpError(Reason("datetime is open on both ends; omit it instead.", "query.open_interval"))
    if first is not None and last is not None and first > last:
        message = f"datetime is {text[:80]!r}; expected the earlier time first."
        raise HttpError(Reason(message, "query.reversed_interval", value=text[:80]))
    return first, last


def _day(part: str, zone: dt.tzinfo) -> dt.date | None:
    if part in ("", ".."):
        return None
    try:
        return parse_day(part if len(part) == 10 else _aware_time(part).astimezone(zone).date().isoformat())
    except (ValueError, OverflowError):
        message = f"datetime contains {part[:40]!r}; expected a day or time between 1900 and 2200 (RFC 3339)."
        raise HttpError(Reason(message, "query.datetime", value=part[:40])) from None


def _aware_time(text: str) -> dt.datetime:
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(text)
    return time
