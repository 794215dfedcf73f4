"""Query and path parameters shared by the API routes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator

from enforcement.change_types import KINDS, read_change_types
from enforcement.states import read_states
from errors import Reason, SettingsError
from store.search.alert_filter import AlertFilter, Box, parse_bbox, parse_day
from web.auth.authentication import Service
from web.http_errors import InvalidInput

_DAY = r"^(\d{4}-\d{2}-\d{2})?$"
_CODE = r"^[0-9]{0,12}$"

Place = Annotated[str, Query(description="Prefix of the administrative code.", pattern=_CODE)]
Day = Annotated[str, Query(description="A day like 2026-11-20, inclusive.", pattern=_DAY, examples=["2026-11-20"])]
Values = Annotated[list[str] | None, Query(description="One or more values; comma-separated or repeated.")]


def _one_of(names: Sequence[str]) -> Callable[[dict[str, Any]], None]:
    """Describe a list by its possible values; it is parsed by the filter itself."""

    def describe(schema: dict[str, Any]) -> None:
        schema.pop("anyOf", None)
        schema.pop("default", None)
        schema.update(type="array", items={"type": "string", "enum": list(names)})

    return describe


def _number(schema: dict[str, Any]) -> None:
    """Describe a number; it is parsed by the filter itself, which accepts an empty text as none."""
    for name in ("default", "maxLength"):
        schema.pop(name, None)
    schema.update(type="number", examples=[0.5])


Kinds = Annotated[Values, Query(json_schema_extra=_one_of(KINDS))]
Types = Annotated[Values, Query(json_schema_extra=_one_of(tuple(read_change_types().types)))]
States = Annotated[Values, Query(json_schema_extra=_one_of(tuple(read_states().states)))]
NumberText = Annotated[str, Query(description="A number.", max_length=30, json_schema_extra=_number)]
ShortText = Annotated[str, Query(max_length=100)]
MAX_ROWS = 500
Limit = Annotated[
    int,
    Query(description="Rows per page; larger numbers mean the maximum.", ge=1, json_schema_extra={"maximum": MAX_ROWS}),
    AfterValidator(lambda number: min(number, MAX_ROWS)),
]
BoxText = Annotated[
    str, Query(description="west,south,east,north in degrees.", max_length=200, examples=["119.9,29.9,120.2,30.2"])
]

Number = Annotated[
    str,
    Path(description="The alert's number.", pattern=r"^[A-Za-z0-9_-]{1,40}$", examples=["330106W2026110001"]),
]


def alert_filter(
    request: Request,
    context: Service,
    place: Place = "",
    kinds: Kinds = None,
    types: Types = None,
    states: States = None,
    min_score: NumberText = "",
    min_area_m2: NumberText = "",
    max_area_m2: NumberText = "",
    since: Day = "",
    until: Day = "",
    created_since: Day = "",
    created_until: Day = "",
    overdue_on: Day = "",
    sources_at_least: NumberText = "",
    assignee: ShortText = "",
    over_cap: Annotated[str, Query(pattern="^(1|0|true|false)?$")] = "",
    bbox: BoxText = "",
    text: Annotated[str, Query(description="Any part of the number.", max_length=40)] = "",
    site: Annotated[str, Query(description="Number of a site, or any: of a site of several.", max_length=40)] = "",
    sort: Annotated[str, Query(pattern="^(gravest|newest|largest|overdue)?$")] = "",
) -> AlertFilter:
    """Read the alert filter. The parameters are declared only to document them; ``from_query`` parses them.

    Raises:
        SettingsError: a value is invalid.
    """
    return AlertFilter.from_query(request.query_params, context.settings.zone)


Filter = Annotated[AlertFilter, Depends(alert_filter)]


def parse_day_parameter(name: str, text: str) -> dt.date | None:
    """Parse a day; None for an empty parameter.

    Raises:
        SettingsError: it is not a day.
    """
    try:
        return parse_day(text) if text else None
    except ValueError as error:
        message = f"{name} is {text[:40]!r}; expected {error}."
        raise SettingsError(message, "filter.value", name=name, value=text[:40]) from None


def parse_bbox_parameter(text: str) -> Box:
    """Parse a bounding box: west, south, east, north in degrees.

    Raises:
        InvalidInput: it is not a bounding box.
    """
    try:
        return parse_bbox(text)
    except ValueError as error:
        raise InvalidInput(Reason(f"bbox is {text[:80]!r}; expected {error}.", "query.bbox", value=text[:80])) from None


def parse_optional_bbox(text: str) -> Box | None:
    """Parse a bounding box as :func:`parse_bbox_parameter` does; None for an empty parameter."""
    return parse_bbox_parameter(text) if text else None
