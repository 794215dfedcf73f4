"""Who has an alert open: one person at a time, until they let go of it or their time is up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from enforcement.states import NotAllowed
from store.access.rights import Viewer, may_see
from store.schema.insert import insert_new
from store.schema.tables import AlertLock, AlertRow
from store.schema.user_tables import User


@dataclass(frozen=True)
class Lock:
    """An alert that a person has open.

    Attributes:
        alert_id: of the alert.
        person_id, login, name: of the person.
        until: when it ends by itself.
    """

    alert_id: int
    person_id: int
    login: str
    name: str
    until: dt.datetime


def take_lock(session: Session, alert: AlertRow, viewer: Viewer, now: dt.datetime, seconds: float) -> Lock | None:
    """Open an alert; who has it open already has it for longer.

    Args:
        session: a transaction that writes.
        alert: the alert.
        viewer: who opens it.
        now: the moment.
        seconds: until it ends by itself.

    Returns:
        None: somebody else has it open (:func:`lock_holder` says who).

    Raises:
        errors.TubanError: :class:`enforcement.states.NotAllowed`: the alert is not theirs.
    """
    if not may_see(viewer, alert.grid_code):
        raise NotAllowed(f"{alert.number} does not lie under {viewer.code}, the code of {viewer.login}.")
    until = now + dt.timedelta(seconds=seconds)
    values = {"alert_id": alert.id, "person_id": viewer.person_id, "until": until}
    if insert_new(session, AlertLock, values, AlertLock.alert_id) is None:
        free = or_(AlertLock.person_id == viewer.person_id, AlertLock.until <= now)
        if not _change(session, alert, free, viewer, until):
            return None
    return Lock(alert.id, viewer.person_id, viewer.login, viewer.name, until)


def renew_lock(session: Session, alert: AlertRow, viewer: Viewer, now: dt.datetime, seconds: float) -> Lock | None:
    """Have it open for longer; None: they have it open no longer, and should take it anew."""
    until = now + dt.timedelta(seconds=seconds)
    own = (AlertLock.person_id == viewer.person_id) & (AlertLock.until > now)
    if not _change(session, alert, own, viewer, until):
        return None
    return Lock(alert.id, viewer.person_id, viewer.login, viewer.name, until)


def release_lock(session: Session, alert: AlertRow, viewer: Viewer) -> bool:
    """Let go of an alert; whether they had it."""
    own = delete(AlertLock).where(AlertLock.alert_id == alert.id, AlertLock.person_id == viewer.person_id)
    return session.scalar(own.returning(AlertLock.alert_id)) is not None


def lock_holder(session: Session, alert: AlertRow, now: dt.datetime) -> Lock | None:
    """Who has it open at this moment; None: nobody."""
    return lock_holders(session, [alert.id], now).get(alert.id)


def lock_holders(session: Session, alert_ids: Collection[int], now: dt.datetime) -> dict[int, Lock]:
    """The same of several alerts, by id; those that nobody has open are left out."""
    rows = session.execute(
        select(AlertLock.alert_id, User.id, User.login, User.name, AlertLock.until)
        .join(User, User.id == AlertLock.person_id)
        .where(AlertLock.alert_id.in_(alert_ids), AlertLock.until > now)
    )
    return {row[0]: Lock(*row) for row in rows}


def _change(
    session: Session, alert: AlertRow, condition: ColumnElement[bool], viewer: Viewer, until: dt.datetime
) -> bool:
    # one statement: of two that find it free at once, the second one finds it taken
    taken = (
        update(AlertLock)
        .where(AlertLock.alert_id == alert.id, condition)
        .values(person_id=viewer.person_id, until=until)
        .returning(AlertLock.alert_id)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(taken) is not None
