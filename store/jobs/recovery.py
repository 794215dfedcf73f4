"""Recovery of jobs whose message was lost, whose worker died, or whose retry delay is over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, and_, exists, or_, select, true, update
from sqlalchemy.orm import Session

from store.jobs.job_clock import job_time
from store.scans.failed_scans import fail_scans
from store.schema.tables import Job

PROCESS_DIED = "its process died"


def due_jobs(
    session: Session,
    now: dt.datetime,
    republish_seconds: float,
    limit: int,
    *,
    busy_queues: Collection[str] = (),
    max_attempts: int | None = None,
    time_limits: Mapping[str, float] | None = None,
    lease_seconds: float = 0.0,
) -> list[tuple[int, str]]:
    """Return the jobs that are to be published, and mark jobs that exhausted their attempts as dead.

    Jobs to publish are waiting jobs that are due and were not published recently, and jobs whose lease expired. A job
    whose lease expired on its last attempt becomes dead.

    Args:
        session: a write transaction.
        now: current time.
        republish_seconds: more recent messages are assumed to be in transit.
        limit: maximum number of jobs, oldest first.
        busy_queues: queues whose broker still holds messages; jobs published there once are not published again.
        max_attempts: number of attempts after which a job is dead; None: no limit.
        time_limits: minutes that a job of each queue may take, to tell timeouts from other deaths.
        lease_seconds: as passed to :func:`store.jobs.queue.claim`; with ``lease_until`` it gives the last heartbeat.

    Returns:
        (id, queue) pairs to publish and to pass to :func:`mark_published`.
    """
    at = job_time(session, now)
    expired = and_(Job.state == "running", Job.lease_until < at)
    if max_attempts is not None:
        locked = select(Job).where(expired, Job.attempts >= max_attempts).with_for_update(skip_locked=True)
        exhausted = session.scalars(locked).all()
        for job in exhausted:
            job.state, job.finished_at, job.lease_token = "dead", now, ""
            job.error = _death_cause(job, time_limits or {}, lease_seconds, at - now)
            job.lease_until = None
        session.flush()
        fail_scans(session, exhausted, now)
    never_published: ColumnElement[bool] = Job.published_at.is_(None)
    message_lost = Job.published_at <= at - dt.timedelta(seconds=republish_seconds)
    if busy_queues:
        message_lost = and_(message_lost, Job.queue.not_in(tuple(busy_queues)))
    rows = session.execute(
        select(Job.id, Job.queue)
        .where(
            or_(
                and_(Job.state == "waiting", Job.run_after <= at, or_(never_published, message_lost)),
                and_(expired, or_(never_published, Job.published_at < Job.lease_until, message_lost)),
            )
        )
        .order_by(Job.run_after, Job.id)
        .limit(limit)
    )
    return [(row.id, row.queue) for row in rows]


def mark_published(session: Session, ids: Collection[int], now: dt.datetime | None) -> None:
    """Record when messages were sent; None if sending failed."""
    at = None if now is None else job_time(session, now)
    session.execute(
        update(Job).where(Job.id.in_(tuple(ids))).values(published_at=at).execution_options(synchronize_session=False)
    )


def has_unpublished_jobs(session: Session, now: dt.datetime) -> bool:
    """Return whether any due job has no message: after a retry delay, a broker outage, or an expired lease."""
    at = job_time(session, now)
    waiting = and_(Job.state == "waiting", Job.run_after <= at)
    expired = and_(Job.state == "running", Job.lease_until < at)
    found = session.scalar(select(exists().where(or_(waiting, expired), Job.published_at.is_(None))))
    return bool(found)


def expire_leases(session: Session, owner: str, now: dt.datetime) -> int:
    """Expire the leases of a dead worker immediately, so that its jobs can be claimed again.

    Args:
        session: a write transaction.
        owner: the worker as ``host:process``; "": every worker.
        now: current time.

    Returns:
        The number of leases. The attempts still count.
    """
    owned = Job.lease_owner.startswith(f"{owner}:", autoescape=True) if owner else true()
    at = job_time(session, now)
    expired = session.execute(
        update(Job)
        .where(Job.state == "running", Job.lease_until >= at, owned)
        .values(lease_until=at - dt.timedelta(microseconds=1), published_at=None)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return len(expired.all())


def _death_cause(job: Job, time_limits: Mapping[str, float], lease_seconds: float, offset: dt.timedelta) -> str:
    limit = time_limits.get(job.queue)
    if limit is not None and job.lease_until is not None and job.started_at is not None:
        last_heartbeat = job.lease_until - offset - dt.timedelta(seconds=lease_seconds)
        if last_heartbeat - job.started_at >= dt.timedelta(minutes=limit):
            return f"it took longer than {limit:g} minutes"
    return f"{PROCESS_DIED}; before that: {job.error}" if job.error else PROCESS_DIED
