"""Recovery of jobs whose message was lost, whose worker died, or whose retry delay is over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

from sqlalchemy import and_, exists, or_, select, true, update
from sqlalchemy.orm import Session

from store.jobs.job_clock import job_time
from store.jobs.queue import QUEUES
from store.scans.failed_scans import fail_scans
from store.schema.job_states import in_state
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
        limit: maximum number of jobs, oldest first; of more lost messages of a queue, those that were sent first.
        busy_queues: queues whose broker still holds messages; jobs published there once are not published again.
        max_attempts: number of attempts after which a job is dead; None: no limit.
        time_limits: minutes that a job of each queue may take, to tell timeouts from other deaths.
        lease_seconds: as passed to :func:`store.jobs.queue.claim`; with ``lease_until`` it gives the last heartbeat.

    Returns:
        (id, queue) pairs to publish and to pass to :func:`mark_published`.
    """
    at = job_time(session, now)
    expired = and_(in_state("running"), Job.lease_until < at)
    if max_attempts is not None:
        locked = select(Job).where(expired, Job.attempts >= max_attempts).with_for_update(skip_locked=True)
        exhausted = session.scalars(locked).all()
        for job in exhausted:
            job.state, job.finished_at, job.lease_token = "dead", now, ""
            job.error = _death_cause(job, time_limits or {}, lease_seconds, at - now)
            job.lease_until = None
        session.flush()
        fail_scans(session, exhausted, now)
    if not limit:
        return []
    lost_before = at - dt.timedelta(seconds=republish_seconds)
    columns = select(Job.run_after, Job.id, Job.queue).limit(limit)
    waiting = columns.where(in_state("waiting"), Job.run_after <= at)
    oldest = waiting.order_by(Job.run_after, Job.id)
    # one query for each index: a million waiting jobs whose messages are in the broker cost nothing
    queries = [oldest.where(Job.published_at.is_(None))]
    lost = Job.published_at <= lost_before
    sent_first = waiting.order_by(Job.published_at, Job.id)
    queries += [sent_first.where(Job.queue == queue, lost) for queue in sorted(set(QUEUES) - set(busy_queues))]
    message_lost = and_(lost, Job.queue.not_in(tuple(busy_queues))) if busy_queues else lost
    unsent = or_(Job.published_at.is_(None), Job.published_at < Job.lease_until, message_lost)
    queries.append(columns.where(expired, unsent).order_by(Job.run_after, Job.id))
    found = sorted(row for query in queries for row in session.execute(query))
    return [(job_id, queue) for _, job_id, queue in found[:limit]]


def mark_published(session: Session, ids: Collection[int], now: dt.datetime | None) -> None:
    """Record when messages were sent; None if sending failed."""
    at = None if now is None else job_time(session, now)
    session.execute(
        update(Job).where(Job.id.in_(tuple(ids))).values(published_at=at).execution_options(synchronize_session=False)
    )


def has_unpublished_jobs(session: Session, now: dt.datetime) -> bool:
    """Return whether any due job has no message: after a retry delay, a broker outage, or an expired lease."""
    at = job_time(session, now)
    waiting = exists().where(in_state("waiting"), Job.run_after <= at, Job.published_at.is_(None))
    expired = exists().where(in_state("running"), Job.lease_until < at, Job.published_at.is_(None))
    return bool(session.scalar(select(or_(waiting, expired))))


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
        .where(in_state("running"), Job.lease_until >= at, owned)
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
