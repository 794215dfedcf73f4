"""Rows that hold the hash of the one before: changing, removing or inserting one is seen.

It protects from a change made behind the software's back, not from someone who rewrites every later row with its hash
as well. Against that, keep the last hash elsewhere: a backup, a printed report.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

START = "0" * 64
"""Stands before the first row."""


class Row(NamedTuple):
    """One row of a chain.

    Attributes:
        sequence: 1, 2, 3 …
        fields: everything that was hashed.
        previous_hash: that of the row before, :data:`START` for the first.
        hash: its own.
    """

    sequence: int
    fields: Mapping[str, Any]
    previous_hash: str
    hash: str


Difference = Literal["missing", "number", "link", "content"]


class Break(NamedTuple):
    """The first row of a chain that is not as it was written.

    Attributes:
        sequence: its place in the chain, from 1.
        difference: ``missing``: the row is not there. ``number``: it carries another number. ``link``: it does not
            hold the hash of the row before. ``content``: its fields do not give its hash.
        found: the number that the row at this place carries.
    """

    sequence: int
    difference: Difference
    found: int


def _plain(value: Any) -> str:
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone")
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
    raise TypeError(f"{type(value).__name__} cannot be hashed: expected what JSON knows, or an aware datetime")


def canonical(value: Any) -> bytes:
    """One and only one JSON text for a value: sorted names, no spaces, ASCII; aware moments in UTC to the microsecond.

    Raises:
        TypeError: it holds something that JSON does not know, or a moment without a zone.
        ValueError: it holds a number that is not finite.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_plain)
    return text.encode("ascii")


def link(previous_hash: str, fields: Mapping[str, Any]) -> str:
    """Hash of a row: SHA-256, hexadecimal, over the hash of the row before and this one's fields."""
    return hashlib.sha256(canonical([previous_hash, dict(fields)])).hexdigest()


def verify(rows: Iterable[Row]) -> int | None:
    """Return the sequence of the first row that is missing or not as it was written; None: the chain is whole.

    Args:
        rows: of one chain, by sequence. A chain cut off at its end is whole: its last hash must be compared
            elsewhere.
    """
    broken = first_break(rows)
    return None if broken is None else broken.sequence


def _fits(row: Row) -> bool:
    try:
        return row.hash == link(row.previous_hash, row.fields)
    except (TypeError, ValueError, RecursionError):  # nothing that was ever hashed
        return False


def first_break(rows: Iterable[Row]) -> Break | None:
    """Return the first row that is not as it was written, and what differs; None: the chain is whole.

    Args:
        rows: as of :func:`verify`. One that cannot be hashed is not as it was written.
    """
    previous = START
    for expected, row in enumerate(rows, 1):
        if row.sequence != expected:
            # a row that continues the chain was renumbered; any other one stands after a gap
            gap = row.sequence > expected and row.previous_hash != previous
            return Break(expected, "missing" if gap else "number", row.sequence)
        if row.previous_hash != previous:
            return Break(expected, "link", row.sequence)
        if not _fits(row):
            return Break(expected, "content", row.sequence)
        previous = row.hash
    return None
