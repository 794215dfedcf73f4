"""Job queue: claim, renew, finish, fail, release and revive jobs.

A job's result is committed exactly once, whatever happens to messages, workers and brokers: every write of a worker is
fenced by the token of its lease. See ``workers/README.md``.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, case, func, select, update
from sqlalchemy.orm import Session

from store.jobs.job_clock import job_time
from store.jobs.lease_statements import CLAIM, fenced_update
from store.scans.failed_scans import fail_scans, resume_scan
from store.schema.insert import insert_new
from store.schema.job_states import DONE, in_state, unfinished
from store.schema.tables import Job

QUEUES = ("ingest", "scan", "deliver", "capture")


MOST_ATTEMPTS = 2**31 - 1


class LeaseLost(Exception):  # noqa: N818  (what happened, not a malfunction: another worker has the job)
    """This worker no longer holds the lease: it expired and another worker claimed the job, or the job is done."""


@dataclass(frozen=True)
class ClaimedJob:
    """A claimed job and the lease on it.

    Attributes:
        job_id: id of the row.
        kind: such as ``scan.blocks``.
        queue: name of its queue.
        payload: arguments of the job.
        attempt: 1, 2, 3 …
        owner: holder of the lease, as ``host:process:child``.
        token: fencing token; each claim has a new one.
        unique_key: of the job.
    """

    job_id: int
    kind: str
    queue: str
    payload: dict[str, Any]
    attempt: int
    owner: str
    token: str
    unique_key: str


@dataclass(frozen=True)
class QueueStatistics:
    """Job counts of a queue.

    Attributes:
        queue: its name.
        waiting: waiting jobs, including those scheduled for later.
        running: jobs that a worker holds a lease on.
        dead: jobs that need manual intervention.
        oldest_seconds: how long the oldest waiting job has been due; 0 if none is due.
    """

    queue: str
    waiting: int
    running: int
    dead: int
    oldest_seconds: float


def add_job(
    session: Session,
    *,
    kind: str,
    queue: str,
    payload: Mapping[str, Any],
    unique_key: str,
    now: dt.datetime,
    run_after: dt.datetime | None = None,
) -> int | None:
    """Add a job.

    A job that is due now is appended as (id, queue) to ``session.info["jobs_to_publish"]``; after the commit,
    :func:`service.publishing.publish` sends it to the workers. A job whose message was never sent is found later by
    :func:`store.jobs.recovery.due_jobs`.

    Args:
        session: a write transaction.
        kind: one of :mod:`service.job_registry`.
        queue: ``ingest``, ``scan``, ``deliver`` or ``capture``.
        payload: arguments, as plain JSON.
        unique_key: identifies the work; a key never has a second job, even after the first is done.
        now: current time.
        run_after: earliest start; None: now.

    Returns:
        The id of the job; None if the key exists already, in which case nothing was changed.
    """
    due = job_time(session, now)
    later = run_after is not None and run_after > now
    if later and run_after is not None:
        due += run_after - now
    added = insert_new(
        session,
        Job,
        {
            "kind": kind,
            "queue": queue,
            "payload": dict(payload),
            "unique_key": unique_key,
            "state": "waiting",
            "attempts": 0,
            "run_after": due,
            "published_at": None if later else due,
            "created_at": now,
        },
        Job.id,
    )
    if added is None:
        return None
    if not later:
        jobs_to_publish(session).append((added, queue))
    return added


def jobs_to_publish(session: Session) -> list[tuple[int, str]]:
    """Return the list of (id, queue) of this session's jobs that are to be published after the commit."""
    jobs: list[tuple[int, str]] = session.info.setdefault("jobs_to_publish", [])
    return jobs


def claim(
    session: Session,
    job_id: int,
    owner: str,
    now: dt.datetime,
    lease_seconds: float,
    max_attempts: int | None = None,
) -> ClaimedJob | None:
    """Claim a job that is due, or whose lease expired. Only one of several concurrent claims succeeds.

    Args:
        session: a write transaction.
        job_id: which job.
        owner: claiming process.
        now: current time.
        lease_seconds: duration of the lease unless it is renewed.
        max_attempts: jobs with an expired lease and this many attempts are not claimed; None: no limit.

    Returns:
        The claimed job; None if it cannot be claimed.
    """
    at, token = job_time(session, now), secrets.token_hex(16)
    row = session.execute(
        CLAIM,
        {
            "job": job_id,
            "at": at,
            "most": MOST_ATTEMPTS if max_attempts is None else max_attempts,
            "owner": owner,
            "token": token,
            "until": at + dt.timedelta(seconds=lease_seconds),
            "now": now,
        },
    ).one_or_none()
    if row is None:
        return None
    return ClaimedJob(job_id, row.kind, row.queue, row.payload, row.attempts, owner, token, row.unique_key)


def renew(session: Session, claimed: ClaimedJob, now: dt.datetime, lease_seconds: float, progress: float) -> bool:
    """Extend the lease and store the progress, 0…1; False if the lease is lost."""
    until = job_time(session, now) + dt.timedelta(seconds=lease_seconds)
    return _update_if_leased(session, claimed, lease_until=until, progress=min(max(progress, 0.0), 1.0))


def finish(session: Session, claimed: ClaimedJob, now: dt.datetime) -> None:
    """Mark the job as done. Call it in the transaction that writes the job's result, before the result.

    Raises:
        LeaseLost: this worker no longer holds the lease; the transaction must be rolled back.
    """
    _update_leased(
        session, claimed, state="done", finished_at=now, progress=1.0, error="", lease_until=None, lease_token=""
    )


def fail(
    session: Session,
    claimed: ClaimedJob,
    error: str,
    now: dt.datetime,
    max_attempts: int,
    retry_seconds: Sequence[float],
    final: bool = False,
) -> str:
    """Record a failed attempt and schedule the next one.

    Args:
        session: a write transaction.
        claimed: the claimed job.
        error: message for operators.
        now: current time.
        max_attempts: number of attempts after which the job is dead.
        retry_seconds: delay after the first, second … failure; the last value applies to all further ones.
        final: whether a retry is pointless.

    Returns:
        ``waiting`` if the job will be retried, ``dead`` otherwise.

    Raises:
        LeaseLost: this worker no longer holds the lease.
    """
    if final or claimed.attempt >= max_attempts:
        _update_leased(session, claimed, state="dead", finished_at=now, error=error, lease_until=None, lease_token="")
        fail_scans(session, [session.get_one(Job, claimed.job_id, populate_existing=True)], now)
        return "dead"
    delay = retry_seconds[min(claimed.attempt, len(retry_seconds)) - 1] if retry_seconds else 0.0
    _update_leased(
        session,
        claimed,
        state="waiting",
        error=error,
        run_after=job_time(session, now) + dt.timedelta(seconds=delay),
        published_at=None,
        lease_until=None,
        lease_token="",
    )
    return "waiting"


def release_job(session: Session, claimed: ClaimedJob, now: dt.datetime) -> None:
    """Return an interrupted job to its queue without counting the attempt; it is to be published again.

    Raises:
        LeaseLost: this worker no longer holds the lease.
    """
    due = job_time(session, now)
    _update_leased(
        session,
        claimed,
        state="waiting",
        attempts=claimed.attempt - 1,
        run_after=due,
        published_at=due,
        lease_until=None,
        lease_token="",
    )
    jobs_to_publish(session).append((claimed.job_id, claimed.queue))


def revive(session: Session, job_id: int, now: dt.datetime) -> bool:
    """Reset a dead job to its first attempt; it is to be published again. False if the job is not dead."""
    due = job_time(session, now)
    revived = session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.state == "dead")
        .values(state="waiting", attempts=0, run_after=due, published_at=due, finished_at=None, progress=0.0)
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if revived is None:
        return False
    jobs_to_publish(session).append((job_id, revived.queue))
    resume_scan(session, revived, now)
    return True


def queue_statistics(session: Session, now: dt.datetime) -> list[QueueStatistics]:
    """Return the job counts of each queue, in the order of :data:`QUEUES`."""

    def count(state: str) -> ColumnElement[int]:
        return func.sum(case((Job.state == state, 1), else_=0))

    oldest = func.min(case((Job.state == "waiting", Job.run_after), else_=None))
    rows = session.execute(
        select(Job.queue, count("waiting"), count("running"), count("dead"), oldest)
        .where(unfinished())
        .group_by(Job.queue)
    )
    by_queue = {queue: counts for queue, *counts in rows}
    statistics, at = [], job_time(session, now)
    for queue in QUEUES:
        waiting, running, dead, since = by_queue.get(queue, (0, 0, 0, None))
        age = max((at - since).total_seconds(), 0.0) if since else 0.0
        statistics.append(QueueStatistics(queue, waiting, running, dead, age))
    return statistics


def list_jobs(
    session: Session, *, state: str | None = None, queue: str | None = None, kind: str | None = None, limit: int = 50
) -> list[Job]:
    """Return jobs, newest first, optionally filtered by state, queue and kind."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    if state is not None:
        query = query.where(Job.state == DONE if state == "done" else in_state(state))
    for column, value in ((Job.queue, queue), (Job.kind, kind)):
        if value is not None:
            query = query.where(column == value)
    return list(session.scalars(query))


def job_of(session: Session, unique_key: str) -> Job | None:
    """Return the latest job whose unique key begins with ``unique_key``; None: there is none."""
    query = select(Job).where(Job.unique_key.startswith(unique_key, autoescape=True)).order_by(Job.id.desc())
    return session.scalars(query.limit(1)).first()


def _update_if_leased(session: Session, claimed: ClaimedJob, **values: Any) -> bool:
    """Update the row only if the token is still current (the fence); False if it is not."""
    row = {f"new_{name}": value for name, value in values.items()}
    keys = {"job": claimed.job_id, "token": claimed.token}
    updated = cast(CursorResult[Any], session.execute(fenced_update(tuple(values)), row | keys))
    return bool(updated.rowcount == 1)


def _update_leased(session: Session, claimed: ClaimedJob, **values: Any) -> None:
    if not _update_if_leased(session, claimed, **values):
        raise LeaseLost(f"job {claimed.job_id}: the lease of attempt {claimed.attempt} is lost")
