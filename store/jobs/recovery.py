"""Jobs that no worker knows of: the message was lost, the worker died, the broker was away, a pause is over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, and_, exists, or_, select, true, update
from sqlalchemy.orm import Session

from store.scans.failed_scans import fail_scans
from store.schema.tables import Job

PROCESS_DIED = "the process that worked on it died"


def due_jobs(
    session: Session,
    now: dt.datetime,
    republish_seconds: float,
    limit: int,
    *,
    busy: Collection[str] = (),
    attempts: int | None = None,
    minutes: Mapping[str, float] | None = None,
    lease_seconds: float = 0.0,
) -> list[tuple[int, str]]:
    """Find jobs that workers are to be told of, again or for the first time.

    These are jobs that wait and are due, unless they were published lately, and jobs whose lease ended. One whose
    lease ended on its last attempt becomes dead here.

    Args:
        session: of a transaction that writes.
        now: this moment.
        republish_seconds: messages younger than this are taken to be under way.
        limit: how many at most, the oldest first.
        busy: queues whose broker still holds messages: what was published there once is not published again.
        attempts: how often a job is begun; None: without end.
        minutes: how long a job of each queue may take: one that died later than that took too long.
        lease_seconds: as given to :func:`claim`; with ``minutes`` tells when a dead process was last heard of.

    Returns:
        (id, queue), to be given to :func:`mark_published` and published.
    """
    lapsed = and_(Job.state == "running", Job.lease_until < now)
    if attempts is not None:
        taken = select(Job).where(lapsed, Job.attempts >= attempts).with_for_update(skip_locked=True)
        worn = session.scalars(taken).all()
        for job in worn:
            job.state, job.finished_at, job.lease_token = "dead", now, ""
            job.error = _why_died(job, minutes or {}, lease_seconds)
            job.lease_until = None
        session.flush()
        fail_scans(session, worn, now)
    never: ColumnElement[bool] = Job.published_at.is_(None)
    silent = Job.published_at <= now - dt.timedelta(seconds=republish_seconds)
    if busy:
        silent = and_(silent, Job.queue.not_in(tuple(busy)))
    found = session.execute(
        select(Job.id, Job.queue)
        .where(
            or_(
                and_(Job.state == "waiting", Job.run_after <= now, or_(never, silent)),
                and_(lapsed, or_(never, Job.published_at < Job.lease_until, silent)),
            )
        )
        .order_by(Job.run_after, Job.id)
        .limit(limit)
    )
    return [(row.id, row.queue) for row in found]


def mark_published(session: Session, ids: Collection[int], now: dt.datetime | None) -> None:
    """Note that messages were sent; None: that they could not be."""
    session.execute(
        update(Job).where(Job.id.in_(tuple(ids))).values(published_at=now).execution_options(synchronize_session=False)
    )


def has_unpublished_jobs(session: Session, now: dt.datetime) -> bool:
    """Whether a job may begin that no message tells of: a pause is over, the broker was away, a lease was ended."""
    waiting = and_(Job.state == "waiting", Job.run_after <= now)
    lapsed = and_(Job.state == "running", Job.lease_until < now)
    found = session.scalar(select(exists().where(or_(waiting, lapsed), Job.published_at.is_(None))))
    return bool(found)


def expire_leases(session: Session, owner: str, now: dt.datetime) -> int:
    """End the leases of a worker that is known to be dead, so that its jobs need not wait for them to end.

    Args:
        session: of a transaction that writes.
        owner: the worker as ``host:process``; "": every worker.
        now: this moment.

    Returns:
        How many jobs it held. Their attempts count.
    """
    held = Job.lease_owner.startswith(f"{owner}:", autoescape=True) if owner else true()
    ended = session.execute(
        update(Job)
        .where(Job.state == "running", Job.lease_until >= now, held)
        .values(lease_until=now - dt.timedelta(microseconds=1), published_at=None)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return len(ended.all())


def _why_died(job: Job, minutes: Mapping[str, float], lease_seconds: float) -> str:
    limit = minutes.get(job.queue)
    if limit is not None and job.lease_until is not None and job.started_at is not None:
        heard = job.lease_until - dt.timedelta(seconds=lease_seconds)
        if heard - job.started_at >= dt.timedelta(minutes=limit):
            return f"it took longer than {limit:g} minutes"
    return f"{PROCESS_DIED}; before that: {job.error}" if job.error else PROCESS_DIED
