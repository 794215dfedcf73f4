"""Edit locks on alerts: one user at a time, until released or expired."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from enforcement.states import NotAllowed
from store.access.rights import Viewer, may_see
from store.jobs.job_clock import job_time
from store.schema.insert import insert_new
from store.schema.tables import AlertLock, AlertRow
from store.schema.user_tables import User


@dataclass(frozen=True)
class Lock:
    """A user's lock on an alert.

    Attributes:
        alert_id: id of the alert.
        person_id, login, name: of the user.
        until: job time (:mod:`store.jobs.job_clock`) at which the lock expires.
    """

    alert_id: int
    person_id: int
    login: str
    name: str
    until: dt.datetime


def take_lock(session: Session, alert: AlertRow, viewer: Viewer, now: dt.datetime, seconds: float) -> Lock | None:
    """Lock an alert, or extend the user's own lock.

    Args:
        session: a writing transaction.
        alert: the alert.
        viewer: the current user.
        now: current time.
        seconds: lifetime of the lock.

    Returns:
        the lock; None: another user holds it (:func:`lock_holder`).

    Raises:
        errors.TubanError: :class:`enforcement.states.NotAllowed`: the viewer may not see the alert.
    """
    if viewer.views_only:
        raise NotAllowed(f"{viewer.login} has only roles that view alerts and change nothing.", "step.views_only")
    if not may_see(viewer, alert.grid_code):
        raise NotAllowed(f"{alert.number} is outside the area {viewer.code} of {viewer.login}.")
    now = job_time(session, now)
    until = now + dt.timedelta(seconds=seconds)
    values = {"alert_id": alert.id, "person_id": viewer.person_id, "until": until}
    if insert_new(session, AlertLock, values, AlertLock.alert_id) is None:
        free = or_(AlertLock.person_id == viewer.person_id, AlertLock.until <= now)
        if not _acquire(session, alert, free, viewer, until):
            return None
    return Lock(alert.id, viewer.person_id, viewer.login, viewer.name, until)


def renew_lock(session: Session, alert: AlertRow, viewer: Viewer, now: dt.datetime, seconds: float) -> Lock | None:
    """Extend the user's own lock; None: it has expired and has to be taken again."""
    now = job_time(session, now)
    until = now + dt.timedelta(seconds=seconds)
    own = (AlertLock.person_id == viewer.person_id) & (AlertLock.until > now)
    if not _acquire(session, alert, own, viewer, until):
        return None
    return Lock(alert.id, viewer.person_id, viewer.login, viewer.name, until)


def release_lock(session: Session, alert: AlertRow, viewer: Viewer) -> bool:
    """Release the user's lock on an alert. Return whether the user held it."""
    own = delete(AlertLock).where(AlertLock.alert_id == alert.id, AlertLock.person_id == viewer.person_id)
    return session.scalar(own.returning(AlertLock.alert_id)) is not None


def lock_holder(session: Session, alert: AlertRow, now: dt.datetime) -> Lock | None:
    """Return the current lock on an alert; None: not locked."""
    return lock_holders(session, [alert.id], now).get(alert.id)


def lock_holders(session: Session, alert_ids: Collection[int], now: dt.datetime) -> dict[int, Lock]:
    """Return the current locks on several alerts, by id; alerts that are not locked are left out."""
    rows = session.execute(
        select(AlertLock.alert_id, User.id, User.login, User.name, AlertLock.until)
        .join(User, User.id == AlertLock.person_id)
        .where(AlertLock.alert_id.in_(alert_ids), AlertLock.until > job_time(session, now))
    )
    return {row[0]: Lock(*row) for row in rows}


def _acquire(
    session: Session, alert: AlertRow, condition: ColumnElement[bool], viewer: Viewer, until: dt.datetime
) -> bool:
    # a single statement: of two users who see it free at the same time, only the first succeeds
    statement = (
        update(AlertLock)
        .where(AlertLock.alert_id == alert.id, condition)
        .values(person_id=viewer.person_id, until=until)
        .returning(AlertLock.alert_id)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(statement) is not None
