"""Insert a row unless its key exists, on both databases, without a failed statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.schema.tables import Base

T = TypeVar("T")


def insert_new(
    session: Session, table: type[Base], values: Mapping[str, Any], returned: InstrumentedAttribute[T]
) -> T | None:
    """Insert ``values`` and return one column of the new row; None if one of its unique keys already exists."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    inserted: T | None = session.scalar(insert(table).values(**values).on_conflict_do_nothing().returning(returned))
    return inserted
