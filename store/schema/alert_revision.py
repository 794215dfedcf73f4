"""Which alerts were written last: one revision for all of them, raised by each transaction that writes any.

Beside it stands, for each grid, the revision at which one of its alerts was last written: so who knows the alerts as of a
revision finds out what to read again. Both are rows of ``counters``, written in the transaction that writes the alerts,
and the first is locked by it: revisions are committed in their order, and whoever sees one sees all up to it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import event, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from store.schema.tables import AlertRow, Counter

ALERTS = "alerts"
"""The counter of the revision; held by who adds alerts or ranks them."""

ALL = "*"
"""Stands for all grids, where a statement wrote alerts that are not known one by one."""

_PREFIX = f"{ALERTS}:"
_OWN = "tuban_alert_stamps"


def revision_of(session: Session) -> int:
    """The revision of the alerts as this transaction sees them; 0: none was written since there are revisions."""
    return session.scalar(select(Counter.value).where(Counter.name == ALERTS)) or 0


def grids_since(session: Session, revision: int) -> set[str]:
    """Codes of the grids in which alerts were written after a revision; with :data:`ALL`: anywhere."""
    written = select(Counter.name).where(Counter.name.startswith(_PREFIX, autoescape=True), Counter.value > revision)
    return {name.removeprefix(_PREFIX) for name in session.scalars(written)}


def wrote_alerts(session: Session) -> bool:
    """Whether this transaction itself wrote alerts: what it sees of them nobody else does yet."""
    return _OWN in session.info


def _stamp(session: Session, grids: Collection[str]) -> None:
    own: set[str] = session.info.get(_OWN, set())
    new = sorted(set(grids) - own)
    if not new:
        return
    connection = session.connection()
    make: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    if not own:
        first = make(Counter).values(name=ALERTS, value=1)
        raised = {"value": Counter.value + 1}
        connection.execute(first.on_conflict_do_update(index_elements=["name"], set_=raised))
    revision = select(Counter.value).where(Counter.name == ALERTS).scalar_subquery()
    for grid in new:
        row = make(Counter).values(name=_PREFIX + grid, value=revision)
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": row.excluded.value}))
    session.info[_OWN] = own | set(new)


def _grids_of(alert: AlertRow) -> set[str]:
    """Where it lies, and where it lay before."""
    told = inspect(alert).attrs.grid_code.history
    if told.added and not told.deleted and inspect(alert).persistent:
        return {ALL}  # where it lay before was not read
    return {code or "" for code in told.sum()} or {alert.grid_code or ""}


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, *_: object) -> None:
    written = [row for row in session.dirty if isinstance(row, AlertRow) and session.is_modified(row)]
    written += [row for row in (*session.new, *session.deleted) if isinstance(row, AlertRow)]
    _stamp(session, set().union(*map(_grids_of, written)) if written else ())


@event.listens_for(Session, "do_orm_execute")
def _before_statement(state: ORMExecuteState) -> None:
    if (state.is_insert or state.is_update or state.is_delete) and state.bind_mapper is inspect(AlertRow):
        _stamp(state.session, {ALL})


@event.listens_for(Session, "after_transaction_end")
def _after_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None or transaction.nested:
        session.info.pop(_OWN, None)
