"""Rows that hold the hash of the one before: changing, removing or inserting one is seen.

It protects from a change made behind the software's back, not from someone who rewrites every later row with its hash
as well. Against that, keep the last hash elsewhere: a backup, a printed report.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

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
    previous = START
    for expected, row in enumerate(rows, 1):
        if row.sequence != expected or row.previous_hash != previous or row.hash != link(previous, row.fields):
            return expected
        previous = row.hash
    return None
