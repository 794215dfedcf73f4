"""Hash chain: each row stores the hash of the previous one, so that changed, removed or inserted rows are detected.

The chain does not protect against someone who rewrites all later rows with their hashes as well. Against that, keep the
last hash elsewhere: in a backup or a printed report.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

GENESIS_HASH = "0" * 64
"""Previous hash of the first row."""


class Row(NamedTuple):
    """One row of a chain.

    Attributes:
        sequence: 1, 2, 3 …
        fields: the hashed content.
        previous_hash: hash of the previous row; :data:`GENESIS_HASH` for the first.
        hash: hash of this row.
    """

    sequence: int
    fields: Mapping[str, Any]
    previous_hash: str
    hash: str


Difference = Literal["missing", "number", "link", "content"]


class Break(NamedTuple):
    """The first inconsistent row of a chain.

    Attributes:
        sequence: expected sequence number, from 1.
        difference: ``missing``: the row is missing. ``number``: its sequence number is wrong. ``link``: its previous
            hash is not that of the previous row. ``content``: its hash does not match its fields.
        found: sequence number of the row at this position.
    """

    sequence: int
    difference: Difference
    found: int


def _encode_datetime(value: Any) -> str:
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone")
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
    raise TypeError(f"{type(value).__name__} cannot be hashed: expected a JSON type or a timezone-aware datetime")


def canonical_json(value: Any) -> bytes:
    """Encode a value as canonical JSON: sorted keys, no spaces, ASCII; aware times in UTC, in microseconds.

    Raises:
        TypeError: the value contains a type unknown to JSON, or a time without a time zone.
        ValueError: the value contains a number that is not finite.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=_encode_datetime
    )
    return text.encode("ascii")


def row_hash(previous_hash: str, fields: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hexadecimal, of the previous row's hash and this row's fields."""
    return hashlib.sha256(canonical_json([previous_hash, dict(fields)])).hexdigest()


def verify(rows: Iterable[Row]) -> int | None:
    """Return the sequence number of the first inconsistent row; None: the chain is consistent.

    Args:
        rows: rows of one chain, by sequence. A chain truncated at its end is consistent: compare its last hash with a
            copy kept elsewhere.
    """
    broken = first_break(rows)
    return None if broken is None else broken.sequence


def _hash_matches(row: Row) -> bool:
    try:
        return row.hash == row_hash(row.previous_hash, row.fields)
    except (TypeError, ValueError, RecursionError):  # such a row was never hashed
        return False


def first_break(rows: Iterable[Row]) -> Break | None:
    """Return the first inconsistent row and the kind of difference; None: the chain is consistent.

    Args:
        rows: as of :func:`verify`. A row that cannot be hashed is inconsistent.
    """
    previous = GENESIS_HASH
    for expected, row in enumerate(rows, 1):
        if row.sequence != expected:
            # a row that continues the chain was renumbered; any other row follows a gap
            gap = row.sequence > expected and row.previous_hash != previous
            return Break(expected, "missing" if gap else "number", row.sequence)
        if row.previous_hash != previous:
            return Break(expected, "link", row.sequence)
        if not _hash_matches(row):
            return Break(expected, "content", row.sequence)
        previous = row.hash
    return None
