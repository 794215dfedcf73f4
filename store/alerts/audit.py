"""Audit: verification of the hash chains of all alerts' logs and sightings, page by page, and its stored results.

Detected: rows that were changed, inserted or removed outside the software. Not detected: a log of which all later rows
were rewritten with matching hashes, and an alert removed together with its whole log. To detect these, keep a latest
hash on paper or in a backup.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal, Protocol

from shapely.errors import GEOSException
from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from enforcement.states import StateTable, read_states
from errors import SettingsError
from store.alerts.log_verification import BrokenChain, verify_log
from store.alerts.sighting_chain import verify_sightings
from store.schema.audit_tables import AuditRow
from store.schema.database import Database
from store.schema.tables import AlertRow, Observation, Transition

PAGE = 500
"""Number of alerts per page."""

MOST_LISTED = 100
"""Number of broken logs listed with their first broken row; further ones are only counted."""

Origin = Literal["command", "schedule"]
Progress = Callable[[int, int], None]
"""Called after each page with the number of verified alerts and the total number."""


class Readable(Protocol):
    """A database, or an open transaction in its place."""

    def read(self) -> AbstractContextManager[Session]:
        """Open a read transaction."""


_STEPS = Transition.__table__.columns
_SIGHTINGS = Observation.__table__.columns
_ALERT = (AlertRow.id, AlertRow.number, AlertRow.state, AlertRow.sighting_hash)
_UNREADABLE = (ValueError, TypeError, RecursionError)  # SQLite also stores invalid times and invalid JSON


@dataclass(frozen=True)
class Audit:
    """Result of an audit.

    Attributes:
        alerts: number of verified alerts.
        transitions: number of verified transitions.
        broken: number of alerts whose log, or chain of sightings, is broken.
        listed: the first :data:`MOST_LISTED` of them, each with its first broken row.
    """

    alerts: int
    transitions: int
    broken: int
    listed: tuple[BrokenChain, ...]

    @property
    def intact(self) -> bool:
        """Whether no log and no chain of sightings is broken."""
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
    database: Readable, *, progress: Progress | None = None, table: StateTable | None = None, page: int = PAGE
) -> Audit:
    """Verify the logs of all alerts.

    Each page is one short transaction with a consistent snapshot, so that concurrent transitions do not look broken and
    neither writers nor the database's maintenance wait for a long audit.

    Args:
        database: the database.
        progress: called after each page.
        table: the state machine, which defines the initial state; None: ``configs/states.yaml``.
        page: number of alerts per page.
    """
    initial = (table or read_states()).initial
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(AlertRow)) or 0
    found = _PartialAudit()
    after = 0
    while True:
        with database.read() as session:
            wanted = select(*_ALERT).where(AlertRow.id > after).order_by(AlertRow.id).limit(page)
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
        SettingsError: there is no alert with this number.
    """
    with database.read() as session:
        alerts = session.execute(select(*_ALERT).where(AlertRow.number == number)).all()
        if not alerts:
            raise SettingsError(f"There is no alert {number}.", "alert.not_found", alert=number)
        found = _PartialAudit()
        _verify(session, alerts, (table or read_states()).initial, found)
    return found.audit


def record_audit(session: Session, audit: Audit, *, begun_at: dt.datetime, now: dt.datetime, origin: Origin) -> None:
    """Store the result of an audit of all alerts, in the caller's transaction."""
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
    """Return the latest audit of all alerts; None: there was none yet."""
    row = session.scalar(select(AuditRow).order_by(AuditRow.finished_at.desc(), AuditRow.id.desc()).limit(1))
    if row is None:
        return None
    return AuditStatistics(row.finished_at, row.origin, row.alerts, row.transitions, row.broken, row.first_broken)


class _PartialAudit:
    """Intermediate result of an audit."""

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


def _verify(session: Session, alerts: Sequence[Row[int, str, str, str]], initial: str, found: _PartialAudit) -> None:
    """Verify the logs and sightings of alerts (id, number, state, hash of the latest sighting) by id."""
    wanted = select(*_STEPS).where(Transition.alert_id.between(alerts[0].id, alerts[-1].id))
    try:
        rows = session.execute(_ordered(wanted)).all()
    except _UNREADABLE:  # at least one row is unreadable: each log is then read on its own
        logs = None
    else:
        logs = {alert_id: list(log) for alert_id, log in groupby(rows, key=lambda row: row.alert_id)}
    sightings = _sightings(session, alerts[0].id, alerts[-1].id)
    for alert_id, number, state, latest in alerts:
        found.alerts += 1
        try:
            log = logs.get(alert_id, []) if logs is not None else _log(session, alert_id)
        except _UNREADABLE:
            found.add(_unreadable(session, alert_id, number))
            continue
        fault = verify_log(alert_id, number, state, log, initial)
        found.transitions += len(log)
        if fault is None:
            bad = verify_sightings(number, latest, sightings.get(alert_id, []))
            fault = BrokenChain(alert_id, number, *bad) if bad else None
        if fault is not None:
            found.add(fault)


def _sightings(session: Session, first: int, last: int) -> dict[int, Sequence[Any]]:
    """Return the sightings of alerts by their ids; of unreadable ones, those that can be read, so that some miss."""
    wanted = select(*_SIGHTINGS).where(Observation.alert_id.between(first, last))
    try:
        rows = session.execute(wanted.order_by(Observation.alert_id, Observation.sequence)).all()
    except (*_UNREADABLE, GEOSException):
        rows = []
        ids = select(Observation.id).where(Observation.alert_id.between(first, last))
        for sighting_id in session.scalars(ids.order_by(Observation.alert_id, Observation.sequence)).all():
            with suppress(*_UNREADABLE, GEOSException):
                rows.append(session.execute(select(*_SIGHTINGS).where(Observation.id == sighting_id)).one())
    return {alert_id: list(chain) for alert_id, chain in groupby(rows, key=lambda row: row.alert_id)}


def _ordered(wanted: Select[Any]) -> Select[Any]:
    return wanted.order_by(Transition.alert_id, Transition.sequence)


def _log(session: Session, alert_id: int) -> Sequence[Row[Any]]:
    return session.execute(_ordered(select(*_STEPS).where(Transition.alert_id == alert_id))).all()


def _unreadable(session: Session, alert_id: int, number: str) -> BrokenChain:
    """Find the first unreadable transition of a log."""
    ids = session.scalars(_ordered(select(Transition.id).where(Transition.alert_id == alert_id))).all()
    for place, step_id in enumerate(ids, 1):
        try:
            session.execute(select(*_STEPS).where(Transition.id == step_id)).one()
        except _UNREADABLE as error:
            cause = " ".join(str(error).split())[:200]
            reason = f"transition {place} was changed: it cannot be read ({cause})"
            return BrokenChain(alert_id, number, place, "content", reason)
    raise AssertionError(f"every transition of alert {alert_id} can be read by itself, and not all together")


def _find_without_alert(session: Session, found: _PartialAudit) -> None:
    """Find logs whose alert was removed, which is possible only with foreign keys switched off."""
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
