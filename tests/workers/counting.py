"""A job handler that increments a counter in the database."""

from __future__ import annotations

from sqlalchemy.orm import Session

from service.context import Commit, Context, JobRun
from store.schema.database import Database
from store.schema.tables import Counter


def counting(context: Context, job: JobRun) -> Commit:
    """Return a result that increments the counter ``done``."""
    return count


def count(session: Session) -> None:
    """Increment the counter ``done``."""
    counter = session.get(Counter, "done") or Counter(name="done", value=0)
    counter.value += 1
    session.add(counter)


def counted(database: Database) -> int:
    """Return the counter ``done``."""
    with database.read() as session:
        counter = session.get(Counter, "done")
    return counter.value if counter else 0
