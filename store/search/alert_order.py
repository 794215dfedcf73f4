"""Sort orders of alert lists, and keyset pagination in them.

A page starts after the position where the previous one ended (a keyset), not at a row count: the thousandth page takes
no longer than the first, and alerts added meanwhile shift nothing.
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
    """One column of a sort order.

    Attributes:
        column: of :class:`store.schema.tables.AlertRow`.
        kind: Python type of its values.
        descending: whether the largest value comes first.
        nullable: whether values may be NULL, which sort last. Only for ascending columns.
    """

    column: InstrumentedAttribute[Any]
    kind: type
    descending: bool = False
    nullable: bool = False

    def ordered(self, backwards: bool) -> ColumnElement[Any]:
        """Return the ORDER BY term."""
        if self.nullable:
            return self.column.desc().nulls_first() if backwards else self.column.asc().nulls_last()
        return self.column.desc() if self.descending != backwards else self.column.asc()

    def equal(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that the column equals ``value``."""
        return self.column.is_(None) if value is None else self.column == value

    def after(self, value: Any, backwards: bool) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions of the rows after ``value`` (before it if ``backwards``), nearest first."""
        if value is None:  # NULL sorts last: nothing comes after it
            if backwards:
                yield self.column.is_not(None)
            return
        yield self.column < value if self.descending != backwards else self.column > value
        if self.nullable and not backwards:
            yield self.column.is_(None)


_GRAVEST = (
    SortKey(AlertRow.legal_weight, int, descending=True),
    SortKey(AlertRow.score, float, descending=True),
    SortKey(AlertRow.id, int),
)

ORDERS: dict[Sort, tuple[SortKey, ...]] = {
    "gravest": _GRAVEST,
    "newest": (SortKey(AlertRow.created_at, dt.datetime, descending=True), SortKey(AlertRow.id, int, descending=True)),
    "largest": (SortKey(AlertRow.area_m2, float, descending=True), SortKey(AlertRow.id, int)),
    "overdue": (SortKey(AlertRow.due_on, dt.date, nullable=True), *_GRAVEST),
}


@dataclass(frozen=True)
class IndexRange:
    """A part of a list that is one range of an index: its condition and its ORDER BY terms."""

    condition: ColumnElement[bool]
    order: Sequence[ColumnElement[Any]]


def from_start(sort: Sort) -> IndexRange:
    """Return the whole list, from its beginning."""
    return IndexRange(true(), [key.ordered(False) for key in ORDERS[sort]])


def after_position(sort: Sort, position: Sequence[Any], backwards: bool = False) -> Iterator[IndexRange]:
    """Yield the disjoint index ranges that make up the list after a position, nearest first.

    A single condition joined by OR would make the database scan the list from its beginning.

    Args:
        sort: the order.
        position: values of the order's columns.
        backwards: yield the list before the position instead, read towards the beginning.
    """
    keys = ORDERS[sort]
    for depth in reversed(range(len(keys))):
        same = [key.equal(value) for key, value in zip(keys[:depth], position[:depth], strict=True)]
        # columns equal in all rows are left out of ORDER BY: sorting by "IS NULL" would keep the index from being used
        order = [key.ordered(backwards) for key in keys[depth:]]
        for condition in keys[depth].after(position[depth], backwards):
            yield IndexRange(and_(*same, condition), order)


def encode_cursor(sort: Sort, position: Sequence[Any]) -> str:
    """Encode a position in a list as a short opaque string."""
    values = [value.isoformat() if isinstance(value, dt.date) else value for value in position]
    return base64.urlsafe_b64encode(json.dumps([sort, *values]).encode()).decode().rstrip("=")


def decode_cursor(sort: Sort, cursor: str) -> list[Any]:
    """Decode a cursor of :func:`encode_cursor`.

    Raises:
        SettingsError: the cursor is invalid or belongs to another order.
    """
    try:
        name, *values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if name != sort:
            raise ValueError(name)
        return [_value(key, value) for key, value in zip(ORDERS[sort], values, strict=True)]
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise SettingsError(
            f"after is {cursor[:80]!r}, not a cursor of a list sorted by {sort}; expected the one of the previous page."
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
