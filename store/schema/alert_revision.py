"""Revision counter of the alerts, incremented by each transaction that writes any.

For each area, a second counter holds the revision at which one of its alerts was last written, so that a cache of a
known revision can find out what to reload. Both are rows of ``counters``, written in the transaction that writes the
alerts. That transaction locks the first row: revisions are committed in order, and a reader of one sees all up to it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import event, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from store.schema.tables import AlertRow, Counter

ALERTS = "alerts"
"""Name of the revision counter, locked by transactions that add or rank alerts."""

ALL = "*"
"""Name of all areas, for statements that write alerts without loading them."""

_PREFIX = f"{ALERTS}:"
_WRITTEN = "tuban_alert_revision"


def revision_of(session: Session) -> int:
    """Return the revision of the alerts that this transaction sees; 0: none was written yet."""
    return session.scalar(select(Counter.value).where(Counter.name == ALERTS)) or 0


def grids_since(session: Session, revision: int) -> set[str]:
    """Return the codes of the areas whose alerts were written after a revision; contains :data:`ALL` for all areas."""
    names = select(Counter.name).where(Counter.name.startswith(_PREFIX, autoescape=True), Counter.value > revision)
    return {name.removeprefix(_PREFIX) for name in session.scalars(names)}


def wrote_alerts(session: Session) -> bool:
    """Return whether this transaction wrote alerts, which other transactions do not see yet."""
    return _WRITTEN in session.info


def _raise_revision(session: Session, grids: Collection[str]) -> None:
    written: set[str] = session.info.get(_WRITTEN, set())
    new = sorted(set(grids) - written)
    if not new:
        return
    connection = session.connection()
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    if not written:
        first = insert(Counter).values(name=ALERTS, value=1)
        increment = {"value": Counter.value + 1}
        connection.execute(first.on_conflict_do_update(index_elements=["name"], set_=increment))
    revision = select(Counter.value).where(Counter.name == ALERTS).scalar_subquery()
    for grid in new:
        row = insert(Counter).values(name=_PREFIX + grid, value=revision)
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": row.excluded.value}))
    session.info[_WRITTEN] = written | set(new)


def _grids_of(alert: AlertRow) -> set[str]:
    """Return the present and the previous area of an alert."""
    history = inspect(alert).attrs.grid_code.history
    if history.added and not history.deleted and inspect(alert).persistent:
        return {ALL}  # the previous area was not loaded
    return {code or "" for code in history.sum()} or {alert.grid_code or ""}


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, *_: object) -> None:
    alerts = [row for row in session.dirty if isinstance(row, AlertRow) and session.is_modified(row)]
    alerts += [row for row in (*session.new, *session.deleted) if isinstance(row, AlertRow)]
    _raise_revision(session, set().union(*map(_grids_of, alerts)) if alerts else ())


@event.listens_for(Session, "do_orm_execute")
def _before_statement(state: ORMExecuteState) -> None:
    if (state.is_insert or state.is_update or state.is_delete) and state.bind_mapper is inspect(AlertRow):
        _raise_revision(state.session, {ALL})


@event.listens_for(Session, "after_transaction_end")
def _after_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None or transaction.nested:
        session.info.pop(_WRITTEN, None)
