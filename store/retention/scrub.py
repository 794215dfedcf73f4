"""Remove what identified a purged person from every row that repeats it, except from hash chains, which are counted."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, String, Table, Text, cast, or_, select, update
from sqlalchemy.orm import Session

from store.schema.table_base import Base

REPLACEMENT = "[已清除]"

CHAINED = ("transitions", "observations")
"""Tables whose rows are hashed: they never contain an informant by design, and are never changed."""

_UNTOUCHED = ("people", "areas", "purges", "alembic_version")


@dataclass(frozen=True)
class Scrubbed:
    """How many rows were changed, and how many rows of hash chains contain a value and were left."""

    rows: int
    in_chains: int


def scrub(session: Session, values: Collection[str], about: str = "") -> Scrubbed:
    """Replace values in all text and JSON columns of all tables.

    Args:
        session: a writing transaction.
        values: phone numbers, addresses …; shorter ones than two characters are ignored.
        about: only in rows that also contain this text, like the number of a tip: for names, which others may share.
    """
    wanted = sorted({value for value in values if len(value) > 1}, key=len, reverse=True)
    rows, in_chains = 0, 0
    for table in Base.metadata.sorted_tables if wanted else ():
        if table.name in _UNTOUCHED:
            continue
        for key, changed in _changes(session, table, wanted, about):
            if table.name in CHAINED:
                in_chains += 1
            else:
                session.execute(update(table).where(*key).values(changed))
                rows += 1
    session.expire_all()
    return Scrubbed(rows, in_chains)


def _changes(session: Session, table: Table, wanted: list[str], about: str) -> list[tuple[Any, dict[str, Any]]]:
    texts = [one for one in table.columns if isinstance(one.type, String | Text | JSON)]
    columns = [one for one in texts if not (one.primary_key or one.unique or one.foreign_keys)]
    if not columns:
        return []
    found = or_(*(_contains(one, value) for one in columns for value in wanted))
    query = select(*table.primary_key.columns, *columns).where(found)
    if about:
        query = query.where(or_(*(_contains(one, about) for one in texts)))
    keys = list(table.primary_key.columns)
    changes = []
    for row in session.execute(query).all():
        changed = {}
        for column, value in zip(columns, row[len(keys) :], strict=True):
            new = _replaced(value, wanted)
            if new != value:
                changed[column.name] = new
        if changed:
            changes.append(([key == value for key, value in zip(keys, row, strict=False)], changed))
    return changes


def _contains(column: Any, value: str) -> Any:
    text = cast(column, Text) if isinstance(column.type, JSON) else column
    escaped = json.dumps(value)[1:-1]  # as JSON columns store it
    forms = {value, escaped} if isinstance(column.type, JSON) else {value}
    return or_(*(text.contains(form, autoescape=True) for form in forms))


def _replaced(value: Any, wanted: list[str]) -> Any:
    if isinstance(value, str):
        for one in wanted:
            value = value.replace(one, REPLACEMENT)
        return value
    if isinstance(value, dict):
        return {_replaced(key, wanted): _replaced(inner, wanted) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, wanted) for inner in value]
    return value
