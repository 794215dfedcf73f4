"""The alert filter of the pages and of the API, and its URL parameters."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func
from sqlalchemy.orm import Session

from enforcement.change_types import KINDS, read_change_types
from enforcement.states import read_states
from errors import SettingsError
from store.schema.column_types import SRID
from store.schema.tables import AlertRow
from store.search.alert_conditions import FILTERS, Comparisons, touching
from store.search.alert_conditions import Box as Box

_SMALL_BOX = 0.25  # degrees
Sort = Literal["gravest", "newest", "largest", "overdue"]
SORTS: tuple[Sort, ...] = get_args(Sort)

ZONE = ZoneInfo("Asia/Shanghai")
"""Default time zone of local days, as in ``configs/service.yaml``."""


@dataclass(frozen=True)
class AlertFilter:
    """Conditions on alerts, and their order. An attribute at its default sets no condition.

    Attributes:
        place: prefix of the administrative code of the responsible area.
        kinds, types, states: any of these.
        min_score: 0…1.
        min_area_m2, max_area_m2: inclusive range, m².
        since, until: inclusive range of the day of the latest image.
        created_since, created_until: inclusive range of the local day on which the alert was created.
        overdue_on: due before this day and still open.
        sources_at_least: minimum number of different sources that observed it.
        assignee: login of the user to whom it is assigned.
        over_cap: whether it exceeds the weekly quota.
        bbox: box that the alert's bounds touch; west > east: across the antimeridian.
        text: substring of the number, case-insensitive.
        site: of this site, named by its first alert's number; ``any``: of a site of several alerts.
        sort: ``gravest`` (farmland first, then by score), ``newest``, ``largest`` or ``overdue`` (longest first).
        zone: time zone of ``created_…``; not a URL parameter.
    """

    place: str = ""
    kinds: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    min_score: float | None = None
    min_area_m2: float | None = None
    max_area_m2: float | None = None
    since: dt.date | None = None
    until: dt.date | None = None
    created_since: dt.date | None = None
    created_until: dt.date | None = None
    overdue_on: dt.date | None = None
    sources_at_least: int | None = None
    assignee: str = ""
    over_cap: bool | None = None
    bbox: Box | None = None
    text: str = ""
    site: str = ""
    sort: Sort = "gravest"
    zone: dt.tzinfo = ZONE

    @classmethod
    def from_query(cls, query: Mapping[str, str | Sequence[str]], zone: dt.tzinfo = ZONE) -> AlertFilter:
        """Parse URL parameters, named like the attributes; lists are comma-separated or repeated parameters.

        Empty values are ignored, and so are names that are not in :data:`PARAMETERS`.

        Raises:
            SettingsError: a value is invalid; names the parameter, what was found and what was expected.
        """
        given: dict[str, Any] = {}
        for name, parse in _PARSERS.items():
            text = _text_of(query, name)
            if text:
                try:
                    given[name] = parse(text)
                except ValueError as error:
                    raise SettingsError(
                        f"{name} is {text[:80]!r}; expected {error}.", "filter.value", name=name, value=text[:80]
                    ) from None
        for low, high in (("since", "until"), ("created_since", "created_until"), ("min_area_m2", "max_area_m2")):
            if low in given and high in given and given[low] > given[high]:
                raise SettingsError(
                    f"{low} is {given[low]}; expected at most {high}, which is {given[high]}.",
                    "filter.order",
                    low=given[low],
                    high=given[high],
                )
        return cls(**given, zone=zone)

    def to_query(self) -> dict[str, str]:
        """Return the URL parameters that :meth:`from_query` parses; attributes at their default are left out."""
        parameters = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _PARSERS and value != field.default:
                parameters[field.name] = _format_value(value)
        return parameters

    def comparisons(self, exclude: Collection[str] = ()) -> dict[str, Comparisons]:
        """Return the comparisons of each attribute, without those in ``exclude`` and those at their default."""
        given = {name: getattr(self, name) for name in FILTERS if name not in exclude}
        return {name: FILTERS[name](value, self.zone) for name, value in given.items() if _is_set(value)}

    def conditions(self, session: Session, exclude: Collection[str] = ()) -> list[ColumnElement[bool]]:
        """Return :meth:`comparisons` as conditions on :class:`store.schema.tables.AlertRow`."""
        conditions = {name: _all_of(comparisons) for name, comparisons in self.comparisons(exclude).items()}
        if "bbox" in conditions and self.bbox is not None:
            conditions["bbox"] = touches(session, self.bbox)  # the same alerts, found by a spatial index
        return list(conditions.values())


def _all_of(comparisons: Comparisons) -> ColumnElement[bool]:
    return and_(*(comparison.sql() for comparison in comparisons))


def touches(session: Session, bbox: Box) -> ColumnElement[bool]:
    """Return the condition that the bounds of the alert touch ``bbox``.

    On PostgreSQL, a small box uses the spatial index of the outlines. A large one uses an ordinary index that covers
    the columns of a zoomed-out map, which needs no outlines.
    """
    west, south, east, north = bbox
    within = _all_of(touching(bbox))
    if session.get_bind().dialect.name != "postgresql" or west > east or max(east - west, north - south) > _SMALL_BOX:
        return within
    return and_(AlertRow.__table__.c.outline.op("&&")(func.ST_MakeEnvelope(west, south, east, north, SRID)), within)


def _is_set(value: Any) -> bool:
    return value is not None and value not in ("", ())


def _text_of(query: Mapping[str, str | Sequence[str]], name: str) -> str:
    several = getattr(query, "getlist", None)  # multi-dict of the web framework: get() returns the last value only
    value = several(name) if several is not None else query.get(name, "")
    return value.strip() if isinstance(value, str) else ",".join(one.strip() for one in value if one.strip())


def _format_value(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(_format_value(one) for one in value)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, dt.date):
        return value.isoformat()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _code(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise ValueError("the beginning of an administrative code, 1 to 12 digits")
    return text


def _any_of(known: Callable[[], Collection[str]]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
        if not names or not set(names) <= set(known()):
            raise ValueError(f"one or more of {', '.join(known())}, separated by commas")
        return names

    return read


def _number(least: float, most: float = math.inf) -> Callable[[str], float]:
    expected = f"a number from {least:g} to {most:g}" if most < math.inf else f"a number not below {least:g}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(expected) from None
        if not (math.isfinite(value) and least <= value <= most):
            raise ValueError(expected)
        return value

    return read


def _positive_int(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) >= 1 and len(text) < 9):
        raise ValueError("a whole number from 1")
    return int(text)


def parse_day(text: str) -> dt.date:
    """Parse a day like ``2026-11-20``.

    Raises:
        ValueError: invalid, or outside the range of the databases; the message says what was expected.
    """
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError("a day like 2026-11-20") from None
    if not 1900 <= day.year <= 2200:  # databases do not accept every day that Python does
        raise ValueError("a day between 1900 and 2200, like 2026-11-20")
    return day


def _yes_or_no(text: str) -> bool:
    known = {"1": True, "true": True, "0": False, "false": False}
    if text.lower() not in known:
        raise ValueError("1 or 0")
    return known[text.lower()]


def parse_bbox(text: str) -> Box:
    """Parse ``west,south,east,north`` in degrees.

    Raises:
        ValueError: invalid; the message says what was expected.
    """
    expected = "west,south,east,north in degrees, west before east and south before north"
    try:
        west, south, east, north = (float(value) for value in text.split(","))
    except ValueError:
        raise ValueError(expected) from None
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise ValueError(expected)
    return west, south, east, north


def _text(length: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > length or not text.isprintable():
            raise ValueError(f"at most {length} characters")
        return text

    return read


def _sort(text: str) -> Sort:
    for sort in SORTS:
        if sort == text:
            return sort
    raise ValueError(f"one of {', '.join(SORTS)}")


_PARSERS: dict[str, Callable[[str], Any]] = {
    "place": _code,
    "kinds": _any_of(lambda: KINDS),
    "types": _any_of(lambda: read_change_types().types),
    "states": _any_of(lambda: read_states().states),
    "min_score": _number(0, 1),
    "min_area_m2": _number(0),
    "max_area_m2": _number(0),
    "since": parse_day,
    "until": parse_day,
    "created_since": parse_day,
    "created_until": parse_day,
    "overdue_on": parse_day,
    "sources_at_least": _positive_int,
    "assignee": _text(100),
    "over_cap": _yes_or_no,
    "bbox": parse_bbox,
    "text": _text(40),
    "site": _text(40),
    "sort": _sort,
}

PARAMETERS = tuple(_PARSERS)
"""Names of the URL parameters."""
