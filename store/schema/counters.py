"""Sequential numbers, and counter rows that serve as locks between transactions."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.schema.insert import insert_new
from store.schema.tables import Counter


def lock_counter(session: Session, name: str) -> Counter:
    """Lock a counter until the transaction ends and return its current row.

    Args:
        session: a write transaction. On SQLite, write transactions are exclusive anyway.
        name: of the counter; created with the value 0 if it does not exist.
    """
    insert_new(session, Counter, {"name": name, "value": 0}, Counter.name)
    locked = select(Counter).where(Counter.name == name).with_for_update().execution_options(populate_existing=True)
    return session.scalars(locked).one()


def next_number(session: Session, name: str) -> int:
    """Return the next sequential number, from 1. No number is used twice; a rollback releases it."""
    counter = lock_counter(session, name)
    counter.value += 1
    session.flush()
    return counter.value
