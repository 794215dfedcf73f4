"""Running numbers, and rows that are held so that one transaction goes after the other."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.schema.insert import insert_new
from store.schema.tables import Counter


def lock_counter(session: Session, name: str) -> Counter:
    """Let no other transaction past this line until this one ends; returns the counter as it is now.

    Args:
        session: of a transaction that writes. On SQLite such a one is alone anyway.
        name: of the counter; made with 0 when it is not there.
    """
    insert_new(session, Counter, {"name": name, "value": 0}, Counter.name)
    held = select(Counter).where(Counter.name == name).with_for_update().execution_options(populate_existing=True)
    return session.scalars(held).one()


def next_number(session: Session, name: str) -> int:
    """The next running number, from 1; none is given twice, and one is given back when the transaction fails."""
    counter = lock_counter(session, name)
    counter.value += 1
    session.flush()
    return counter.value
