"""The orders in which alerts are listed, and a place in such an order, from which the list goes on.

A list is read from where it was left (a keyset), not by counting rows from its beginning: its thousandth page takes no
longer than its first, and alerts that came meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, true
from sqlalchemy.orm import InstrumentedAttribute

from errors import SettingsError
from store.schema.tables import AlertRow
from store.search.alert_filter import Sort


@dataclass(frozen=True)
class SortKey:
    """One column of an order.

    Attributes:
        column: of :class:`store.schema.tables.AlertRow`.
        kind: of its values.
        down: whether the largest comes first.
        nullable: whether it may be empty; empty ones come last. Only of an ascending one.
    """

    column: InstrumentedAttribute[Any]
    kind: type
    down: bool = False
    nullable: bool = False

    def ordered(self, backwards: bool) -> ColumnElement[Any]:
        """For ORDER BY."""
        if self.nullable:
            return self.column.desc().nulls_first() if backwards else self.column.asc().nulls_last()
        return self.column.desc() if self.down != backwards else self.column.asc()

    def equal(self, value: Any) -> ColumnElement[bool]:
        """Condition: as ``value``."""
        return self.column.is_(None) if value is None else self.column == value

    def beyond(self, value: Any, backwards: bool) -> Iterator[ColumnElement[bool]]:
        """Conditions for what comes after ``value`` (before it, backwards), nearest first."""
        if value is None:  # of the nullable ones, empty is the end
            if backwards:
                yield self.column.is_not(None)
            return
        yield self.column < value if self.down != backwards else self.column > value
        if self.nullable and not backwards:
            yield self.column.is_(None)


_GRAVEST = (SortKey(AlertRow.legal_weight, int, down=True), SortKey(AlertRow.score, float, down=True), SortKey(AlertRow.id, int))

ORDERS: dict[Sort, tuple[SortKey, ...]] = {
    "gravest": _GRAVEST,
    "newest": (SortKey(AlertRow.created_at, dt.datetime, down=True), SortKey(AlertRow.id, int, down=True)),
    "largest": (SortKey(AlertRow.area_m2, float, down=True), SortKey(AlertRow.id, int)),
    "overdue": (SortKey(AlertRow.due_on, dt.date, nullable=True), *_GRAVEST),
}


@dataclass(frozen=True)
class IndexRange:
    """A part of a list that is one range of an index: its condition, and what it is ordered by."""

    condition: ColumnElement[bool]
    order: Sequence[ColumnElement[Any]]


def from_start(sort: Sort) -> IndexRange:
    """The list from its beginning."""
    return IndexRange(true(), [key.ordered(False) for key in ORDERS[sort]])


def after_position(sort: Sort, place: Sequence[Any], backwards: bool = False) -> Iterator[IndexRange]:
    """What comes after a place, nearest first, none overlapping: together they are the rest of the list.

    All in one condition with OR would be found by reading the list from its beginning.

    Args:
        sort: the order.
        place: values of its columns.
        backwards: what comes before, instead, read towards the beginning.
    """
    keys = ORDERS[sort]
    for depth in reversed(range(len(keys))):
        same = [key.equal(value) for key, value in zip(keys[:depth], place[:depth], strict=True)]
        # what is the same in all rows is not sorted by: "is empty" would hide the index that has the order
        order = [key.ordered(backwards) for key in keys[depth:]]
        for condition in keys[depth].beyond(place[depth], backwards):
            yield IndexRange(and_(*same, condition), order)


def encode_cursor(sort: Sort, place: Sequence[Any]) -> str:
    """A place in a list as a short opaque text."""
    told = [value.isoformat() if isinstance(value, dt.date) else value for value in place]
    return base64.urlsafe_b64encode(json.dumps([sort, *told]).encode()).decode().rstrip("=")


def decode_cursor(sort: Sort, cursor: str) -> list[Any]:
    """Read :func:`encode_cursor`.

    Raises:
        SettingsError: it is none, or of another order.
    """
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        name, *values = found
        if name != sort:
            raise ValueError(name)
        return [_value(key, value) for key, value in zip(ORDERS[sort], values, strict=True)]
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise SettingsError(
            f"after is {cursor[:80]!r}, no place in a list sorted by {sort}; expected what the page before gave."
        ) from None


def _value(key: SortKey, value: Any) -> Any:
    if value is None and key.nullable:
        return None
    if key.kind is dt.datetime:
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
        return moment
    if key.kind is dt.date:
        return dt.date.fromisoformat(value)
    if type(value) not in (int, float) or not abs(value) < 2**63 or key.kind(value) != value:
        raise ValueError(value)
    return key.kind(value)
