"""Audit: verify the hash chain of every alert's log, page by page, and keep when that was done with what result.

Found are rows that were changed, inserted or removed behind the software's back. Not found are a log of which all later
rows were rewritten with their hashes, and an alert that was removed together with its whole log: against these, keep a
last hash on paper or in a backup.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from enforcement.states import StateTable, read_states
from errors import SettingsError
from store.alerts.transitions import BrokenChain, broken_chain
from store.schema.audit_tables import AuditRow
from store.schema.database import Database
from store.schema.tables import AlertRow, Transition

PAGE = 500
"""Alerts that are read at once."""

MOST_LISTED = 100
"""Broken logs that are kept with their first broken row; further ones are counted."""

Origin = Literal["command", "schedule"]
Progress = Callable[[int, int], None]
"""Called after each page with the number of alerts verified so far, and of all."""

_STEPS = Transition.__table__.columns
_UNREADABLE = (ValueError, TypeError, RecursionError)  # SQLite keeps also what is no moment, or no JSON


@dataclass(frozen=True)
class Audit:
    """Result of an audit.

    Attributes:
        alerts: how many were verified.
        transitions: how many rows of their logs were verified.
        broken: alerts whose log is broken.
        listed: the first :data:`MOST_LISTED` of these, each with its first broken row.
    """

    alerts: int
    transitions: int
    broken: int
    listed: tuple[BrokenChain, ...]

    @property
    def whole(self) -> bool:
        """Whether every log is as it was written."""
        return not self.broken


@dataclass(frozen=True)
class AuditStatistics:
    """The last audit: when it ended, what it verified, and the first broken row as :class:`BrokenChain`; {}: none."""

    finished_at: dt.datetime
    origin: str
    alerts: int
    transitions: int
    broken: int
    first_broken: dict[str, Any]


def audit_alerts(
    database: Database, *, progress: Progress | None = None, table: StateTable | None = None, page: int = PAGE
) -> Audit:
    """Verify the logs of all alerts.

    Each page is one short transaction that sees one state of things, so that a step that is written meanwhile does not
    look broken, and neither writers nor the database's own upkeep wait for a long audit.

    Args:
        database: reads.
        progress: told of each page.
        table: which state is the initial one; ``configs/states.yaml``, if None.
        page: how many alerts are read at once.
    """
    initial = (table or read_states()).initial
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(AlertRow)) or 0
    found = _Found()
    after = 0
    while True:
        with database.read() as session:
            wanted = (
                select(AlertRow.id, AlertRow.number, AlertRow.state)
                .where(AlertRow.id > after)
                .order_by(AlertRow.id)
                .limit(page)
            )
            alerts = session.execute(wanted).all()
            if not alerts:
                break
            _verify(session, alerts, initial, found)
        after = alerts[-1].id
        if progress is not None:
            progress(found.alerts, max(total, found.alerts))
    with database.read() as session:
        _find_without_alert(session, found)
    return found.audit


def audit_alert(database: Database, number: str, table: StateTable | None = None) -> Audit:
    """Verify the log of one alert.

    Raises:
        SettingsError: there is no alert of that number.
    """
    with database.read() as session:
        alerts = session.execute(
            select(AlertRow.id, AlertRow.number, AlertRow.state).where(AlertRow.number == number)
        ).all()
        if not alerts:
            raise SettingsError(f"There is no alert {number}.")
        found = _Found()
        _verify(session, alerts, (table or read_states()).initial, found)
    return found.audit


def record_audit(session: Session, audit: Audit, *, begun_at: dt.datetime, now: dt.datetime, origin: Origin) -> None:
    """Keep the result of an audit of all alerts, in the caller's transaction."""
    session.add(
        AuditRow(
            origin=origin,
            begun_at=begun_at,
            finished_at=now,
            alerts=audit.alerts,
            transitions=audit.transitions,
            broken=audit.broken,
            first_broken=asdict(audit.listed[0]) if audit.listed else {},
        )
    )


def last_audit(session: Session) -> AuditStatistics | None:
    """Return the audit of all alerts that ended last; None: there was none yet."""
    row = session.scalar(select(AuditRow).order_by(AuditRow.finished_at.desc(), AuditRow.id.desc()).limit(1))
    if row is None:
        return None
    return AuditStatistics(row.finished_at, row.origin, row.alerts, row.transitions, row.broken, row.first_broken)


class _Found:
    """What was counted and found so far."""

    def __init__(self) -> None:
        self.alerts = self.transitions = self.broken = 0
        self.listed: list[BrokenChain] = []

    def add(self, fault: BrokenChain) -> None:
        self.broken += 1
        if len(self.listed) < MOST_LISTED:
            self.listed.append(fault)

    @property
    def audit(self) -> Audit:
        return Audit(self.alerts, self.transitions, self.broken, tuple(self.listed))


def _verify(session: Session, alerts: Sequence[Row[int, str, str]], initial: str, found: _Found) -> None:
    """Verify the logs of alerts (id, number, state) by id."""
    wanted = select(*_STEPS).where(Transition.alert_id.between(alerts[0].id, alerts[-1].id))
    try:
        rows = session.execute(_ordered(wanted)).all()
    except _UNREADABLE:  # one of them; each log is then read by itself
        logs = None
    else:
        logs = {alert_id: list(log) for alert_id, log in groupby(rows, key=lambda row: row.alert_id)}
    for alert_id, number, state in alerts:
        found.alerts += 1
        try:
            log = logs.get(alert_id, []) if logs is not None else _log(session, alert_id)
        except _UNREADABLE:
            found.add(_unreadable(session, alert_id, number))
            continue
        fault = broken_chain(alert_id, number, state, log, initial)
        found.transitions += len(log)
        if fault is not None:
            found.add(fault)


def _ordered(wanted: Select[Any]) -> Select[Any]:
    return wanted.order_by(Transition.alert_id, Transition.sequence)


def _log(session: Session, alert_id: int) -> Sequence[Row[Any]]:
    return session.execute(_ordered(select(*_STEPS).where(Transition.alert_id == alert_id))).all()


def _unreadable(session: Session, alert_id: int, number: str) -> BrokenChain:
    """The first transition of a log that cannot be read."""
    ids = session.scalars(_ordered(select(Transition.id).where(Transition.alert_id == alert_id))).all()
    for place, step_id in enumerate(ids, 1):
        try:
            session.execute(select(*_STEPS).where(Transition.id == step_id)).one()
        except _UNREADABLE as error:
            cause = " ".join(str(error).split())[:200]
            reason = f"transition {place} was changed: it cannot be read ({cause})"
            return BrokenChain(alert_id, number, place, "content", reason)
    raise AssertionError(f"every transition of alert {alert_id} can be read by itself, and not all together")


def _find_without_alert(session: Session, found: _Found) -> None:
    """Find logs whose alert was removed: databases refuse that, unless their foreign keys are switched off."""
    rows = session.execute(
        select(Transition.alert_id, func.count())
        .outerjoin(AlertRow, AlertRow.id == Transition.alert_id)
        .where(AlertRow.id.is_(None))
        .group_by(Transition.alert_id)
        .order_by(Transition.alert_id)
    )
    for alert_id, steps in rows:
        reason = f"the alert with id {alert_id} was removed; {steps} transitions of it are there"
        found.add(BrokenChain(alert_id, "", 1, "alert", reason))
