"""Jobs that apply waiting steps of phones when the desk no longer has their alert open, though no phone asks again."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.field.announced_steps import WAITING
from store.jobs.job_clock import job_time
from store.jobs.queue import add_job
from store.schema.chain.field_tables import FieldStep
from store.schema.user_tables import User

SETTLE = "field.settle"
"""Kind of the job."""


def settle_when_free(session: Session, alert_id: int, until: dt.datetime, now: dt.datetime) -> None:
    """Apply the waiting steps of an alert after another user's lock has expired.

    If the lock was renewed meanwhile, the job finds them waiting and adds the next one.

    Args:
        session: a write transaction.
        alert_id: the alert.
        until: job time at which the lock expires.
        now: current time.
    """
    wait = max(until - job_time(session, now), dt.timedelta(0)) + dt.timedelta(seconds=1)
    _add(session, alert_id, now + wait, now)


def settle_after_release(session: Session, alert_id: int, now: dt.datetime) -> None:
    """Apply the waiting steps of an alert now, because its lock was released."""
    waits = select(FieldStep.id).where(FieldStep.alert_id == alert_id, FieldStep.state == WAITING).limit(1)
    if session.scalar(waits) is not None:
        _add(session, alert_id, now, now)


def senders_of_waiting_steps(session: Session, alert_id: int) -> list[User]:
    """List the active users who have waiting steps on an alert."""
    logins = select(FieldStep.who).where(FieldStep.alert_id == alert_id, FieldStep.state == WAITING)
    return list(session.scalars(select(User).where(User.active, User.login.in_(logins)).order_by(User.id)))


def _add(session: Session, alert_id: int, at: dt.datetime, now: dt.datetime) -> None:
    key = f"{SETTLE}:{alert_id}:{at.isoformat()}"
    add_job(
        session, kind=SETTLE, queue="deliver", payload={"alert_id": alert_id}, unique_key=key, now=now, run_after=at
    )
