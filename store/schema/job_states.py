"""Conditions on the state of a job, in the words of the partial indexes of the table."""

from __future__ import annotations

from sqlalchemy import ColumnClause, ColumnElement, and_, literal_column

from store.schema.tables import Job

DONE: ColumnClause[str] = literal_column("'done'")
"""Written into the statement: SQLite does not use a partial index when the state is a parameter."""


def in_state(*states: str) -> ColumnElement[bool]:
    """Return the condition that a job is in one of ``states``, of which none is ``done``.

    Finished jobs are most of the rows after some weeks; no index but those of keys contains them.
    """
    assert "done" not in states
    words: list[ColumnClause[str]] = [literal_column(f"'{state}'") for state in states]
    of_states = Job.state == words[0] if len(words) == 1 else Job.state.in_(words)
    return and_(Job.state != DONE, of_states)


def unfinished() -> ColumnElement[bool]:
    """Return the condition that a job is waiting, running or dead."""
    return Job.state != DONE
