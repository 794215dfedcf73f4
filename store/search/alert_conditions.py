"""Alert filters as comparisons of columns, declared once for SQL and for in-memory columns.

:meth:`store.search.alert_filter.AlertFilter.conditions` turns them into SQL; :mod:`store.search.alert_counts` evaluates
the same comparisons on NumPy columns. A new filter is one entry of :data:`FILTERS`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

from enforcement.states import read_states
from store.access.rights import starts_with
from store.schema.tables import AlertRow

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

Operator = Literal["begins_with", "contains", "one_of", "equals", "at_least", "at_most", "below", "differs"]


@dataclass(frozen=True)
class Comparison:
    """Comparison of one column with a value. NULL never matches.

    Attributes:
        column: name of a column of :class:`store.schema.tables.AlertRow`.
        operator: ``begins_with`` and ``contains`` apply to strings, ``one_of`` takes a collection.
        value: of the column's type; times are timezone-aware.
        alternative: the condition is also met if this comparison is.
    """

    column: str
    operator: Operator
    value: Any
    alternative: Comparison | None = None

    def sql(self) -> ColumnElement[bool]:
        """Return the comparison as a condition on :class:`store.schema.tables.AlertRow`."""
        condition = _SQL[self.operator](getattr(AlertRow, self.column), self.value)
        return condition if self.alternative is None else or_(condition, self.alternative.sql())


ANY_SITE = "any"
"""Value of the filter ``site`` for all alerts that are in a site of several."""

Comparisons = tuple[Comparison, ...]
"""Comparisons joined by AND."""

_SQL: dict[Operator, Callable[[InstrumentedAttribute[Any], Any], ColumnElement[bool]]] = {
    "begins_with": starts_with,
    "contains": lambda column, value: column.contains(value, autoescape=True),
    "one_of": lambda column, value: column.in_(value),
    "equals": lambda column, value: column.is_(value) if isinstance(value, bool) else column == value,
    "at_least": lambda column, value: column >= value,
    "at_most": lambda column, value: column <= value,
    "below": lambda column, value: column < value,
    "differs": lambda column, value: column != value,
}


def under_code(code: str) -> Comparisons:
    """Return the comparisons for alerts whose responsible area has a code that begins with ``code``."""
    return (Comparison("grid_code", "begins_with", code),)


def touching(box: Box) -> Comparisons:
    """Return the comparisons for alerts whose bounds touch a box; west > east: a box across the antimeridian."""
    west, south, east, north = box
    touches_east, touches_west = Comparison("west", "at_most", east), Comparison("east", "at_least", west)
    return (
        *((touches_east, touches_west) if west <= east else (replace(touches_east, alternative=touches_west),)),
        Comparison("south", "at_most", north),
        Comparison("north", "at_least", south),
    )


def _overdue(day: dt.date) -> Comparisons:
    return Comparison("due_on", "below", day), Comparison("state", "one_of", sorted(read_states().open))


def _midnight(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone)


def _one(column: str, operator: Operator) -> Callable[[Any, dt.tzinfo], Comparisons]:
    return lambda value, _: (Comparison(column, operator, value),)


FILTERS: Mapping[str, Callable[[Any, dt.tzinfo], Comparisons]] = {
    "place": lambda code, _: under_code(code),
    "kinds": _one("kind", "one_of"),
    "types": _one("change_type", "one_of"),
    "states": _one("state", "one_of"),
    "min_score": _one("score", "at_least"),
    "min_area_m2": _one("area_m2", "at_least"),
    "max_area_m2": _one("area_m2", "at_most"),
    "since": _one("last_date", "at_least"),
    "until": _one("last_date", "at_most"),
    "created_since": lambda day, zone: (Comparison("created_at", "at_least", _midnight(day, zone)),),
    "created_until": lambda day, zone: (
        Comparison("created_at", "below", _midnight(day + dt.timedelta(days=1), zone)),
    ),
    "overdue_on": lambda day, _: _overdue(day),
    "sources_at_least": _one("sources_seen", "at_least"),
    "assignee": _one("assignee", "equals"),
    "over_cap": _one("over_cap", "equals"),
    "bbox": lambda box, _: touching(box),
    "site": lambda site, _: (
        Comparison("site", "differs", "") if site == ANY_SITE else Comparison("site", "equals", site),
    ),
    "text": lambda text, _: (Comparison("number", "contains", text.upper()),),  # alert numbers are upper case
}
"""Attribute of :class:`store.search.alert_filter.AlertFilter` → comparisons, from its value and the local time zone."""
