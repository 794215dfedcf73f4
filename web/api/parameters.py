"""Parameters that routes of the API share."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from errors import SettingsError
from store.search.alert_filter import AlertFilter, Box, parse_bbox, parse_day
from web.auth.authentication import Service
from web.http_errors import Invalid

_DAY = r"^(\d{4}-\d{2}-\d{2})?$"
_CODE = r"^[0-9]{0,12}$"

Place = Annotated[str, Query(description="How the administrative code begins.", pattern=_CODE)]
Day = Annotated[str, Query(description="A day like 2026-11-20, included.", pattern=_DAY, examples=["2026-11-20"])]
Several = Annotated[list[str] | None, Query(description="Any of these; parted by commas or given several times.")]
Figure = Annotated[str, Query(description="A number.", max_length=30, examples=["0.5"])]
Words = Annotated[str, Query(max_length=100)]
Limit = Annotated[int, Query(description="Rows of a page.", ge=1, le=500)]
BoxText = Annotated[
    str, Query(description="west,south,east,north in degrees.", max_length=200, examples=["119.9,29.9,120.2,30.2"])
]

MOST_ID = 2**53
"""Ids are whole numbers that every JSON reader keeps exactly, and that a database has room for."""

Id = Annotated[int, Path(ge=1, le=MOST_ID)]
BeforeId = Annotated[int | None, Query(description="As the `next` of the page before gives it.", ge=1, le=MOST_ID)]
Number = Annotated[
    str,
    Path(
        description="Of the alert, as people cite it.", pattern=r"^[A-Za-z0-9_-]{1,40}$", examples=["330106W2026110001"]
    ),
]


def alert_filter(
    request: Request,
    context: Service,
    place: Place = "",
    kinds: Several = None,
    types: Several = None,
    states: Several = None,
    min_score: Figure = "",
    min_area_m2: Figure = "",
    max_area_m2: Figure = "",
    since: Day = "",
    until: Day = "",
    created_since: Day = "",
    created_until: Day = "",
    overdue_on: Day = "",
    sources_at_least: Figure = "",
    assignee: Words = "",
    over_cap: Annotated[str, Query(pattern="^(1|0|true|false)?$")] = "",
    bbox: BoxText = "",
    text: Annotated[str, Query(description="Found anywhere in the number.", max_length=40)] = "",
    sort: Annotated[str, Query(pattern="^(gravest|newest|largest|overdue)?$")] = "",
) -> AlertFilter:
    """The filter of the grid: the parameters stand here so that they are documented, and are read in one place.

    Raises:
        SettingsError: a value cannot be used.
    """
    return AlertFilter.from_query(request.query_params, context.settings.zone)


Filter = Annotated[AlertFilter, Depends(alert_filter)]


def day_asked(name: str, text: str) -> dt.date | None:
    """A day of a parameter; None: not given.

    Raises:
        SettingsError: it is none.
    """
    try:
        return parse_day(text) if text else None
    except ValueError as error:
        raise SettingsError(f"{name} is {text[:40]!r}; expected {error}.") from None


def read_box(text: str) -> Box:
    """West, south, east, north of a parameter.

    Raises:
        Invalid: it is none.
    """
    try:
        return parse_bbox(text)
    except ValueError as error:
        raise Invalid(f"bbox is {text[:80]!r}; expected {error}.") from None


def box_asked(text: str) -> Box | None:
    """The same; None: not given."""
    return read_box(text) if text else None
