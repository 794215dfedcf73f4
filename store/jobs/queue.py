"""Jobs: each is done once, whatever happens to messages, workers and brokers. See workers/README.md."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from store.scans.failed_scans import fail_scans, resume_scan
from store.schema.insert import insert_new
from store.schema.tables import Job

QUEUES = ("ingest", "scan", "deliver", "capture")


class LeaseLost(Exception):  # noqa: N818  (what happened, not a malfunction: another worker has the job)
    """The job is no longer this worker's: its lease ended and another one took it, or it is done."""


@dataclass(frozen=True)
class ClaimedJob:
    """A job that this process holds the lease of.

    Attributes:
        job_id: its row.
        kind: like ``scan.blocks``.
        queue: where it waited.
        payload: what it is to do.
        attempt: 1, 2, 3 …
        owner: who holds the lease, as ``host:process:child``.
        token: proves it; every later claim has another one.
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
    """How a queue stands.

    Attributes:
        queue: its name.
        waiting: jobs that wait, those of a later moment included.
        running: jobs that a worker holds.
        dead: jobs that need a person.
        oldest_seconds: for how long the oldest waiting job could have begun; 0: none could.
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
    """Write down that something is to be done.

    A job that may begin now is appended as (id, queue) to ``session.info["jobs_to_publish"]``; after the commit,
    :func:`service.publishing.publish` tells the workers. If nobody does, :func:`store.jobs.recovery.due` finds it later.

    Args:
        session: of a transaction that writes.
        kind: one of :mod:`service.job_registry`.
        queue: ``ingest``, ``scan``, ``deliver`` or ``capture``.
        payload: plain JSON.
        unique_key: says what the job is about; there is never a second job of one key, done ones included.
        now: this moment.
        run_after: not before this moment; None: now.

    Returns:
        Its id; None: a job of that key exists already, and nothing was changed.
    """
    later = run_after is not None and run_after > now
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
            "run_after": run_after if later else now,
            "published_at": None if later else now,
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
    """Return the list of (id, queue) of jobs added by this session that workers are to be told of."""
    jobs: list[tuple[int, str]] = session.info.setdefault("jobs_to_publish", [])
    return jobs


def claim(
    session: Session,
    job_id: int,
    owner: str,
    now: dt.datetime,
    lease_seconds: float,
    attempts: int | None = None,
) -> ClaimedJob | None:
    """Take a job that waits and is due, or whose lease ended: of all who try at once, one gets it.

    Args:
        session: of a transaction that writes.
        job_id: which job.
        owner: who takes it.
        now: this moment.
        lease_seconds: until when it is the owner's, if not renewed.
        attempts: a job whose lease ended is not taken when it was begun so often; None: always.

    Returns:
        The lease; None: it is not to be had.
    """
    lapsed = and_(Job.state == "running", Job.lease_until < now)
    if attempts is not None:
        lapsed = and_(lapsed, Job.attempts < attempts)
    token = secrets.token_hex(16)
    taken = session.execute(
        update(Job)
        .where(Job.id == job_id, or_(and_(Job.state == "waiting", Job.run_after <= now), lapsed))
        .values(
            state="running",
            attempts=Job.attempts + 1,
            lease_owner=owner,
            lease_token=token,
            lease_until=now + dt.timedelta(seconds=lease_seconds),
            started_at=now,
            progress=0.0,
        )
        .returning(Job.kind, Job.queue, Job.payload, Job.attempts, Job.unique_key)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if taken is None:
        return None
    return ClaimedJob(job_id, taken.kind, taken.queue, taken.payload, taken.attempts, owner, token, taken.unique_key)


def renew(session: Session, claimed: ClaimedJob, now: dt.datetime, lease_seconds: float, progress: float) -> bool:
    """Lengthen the lease and note the progress, 0…1. False: the lease is lost."""
    until = now + dt.timedelta(seconds=lease_seconds)
    return _change(session, claimed, lease_until=until, progress=min(max(progress, 0.0), 1.0))


def finish(session: Session, claimed: ClaimedJob, now: dt.datetime) -> None:
    """Note that the job is done. Called in the transaction that writes its result, before the result.

    Raises:
        LeaseLost: it is no longer this worker's; nothing of the transaction may stay.
    """
    _change_or_lose(
        session, claimed, state="done", finished_at=now, progress=1.0, error="", lease_until=None, lease_token=""
    )


def fail(
    session: Session,
    claimed: ClaimedJob,
    error: str,
    now: dt.datetime,
    attempts: int,
    retry_seconds: Sequence[float],
    final: bool = False,
) -> str:
    """Note that an attempt failed.

    Args:
        session: of a transaction that writes.
        claimed: the lease.
        error: what a person is to read.
        now: this moment.
        attempts: how often a job is begun.
        retry_seconds: pause after the first, second … failure; the last one holds for all further ones.
        final: whether another attempt would be of no use.

    Returns:
        ``waiting``: it is tried again; ``dead``: that was the last attempt.

    Raises:
        LeaseLost: it is no longer this worker's.
    """
    if final or claimed.attempt >= attempts:
        _change_or_lose(session, claimed, state="dead", finished_at=now, error=error, lease_until=None, lease_token="")
        fail_scans(session, [session.get_one(Job, claimed.job_id, populate_existing=True)], now)
        return "dead"
    pause = retry_seconds[min(claimed.attempt, len(retry_seconds)) - 1] if retry_seconds else 0.0
    _change_or_lose(
        session,
        claimed,
        state="waiting",
        error=error,
        run_after=now + dt.timedelta(seconds=pause),
        published_at=None,
        lease_until=None,
        lease_token="",
    )
    return "waiting"


def release_job(session: Session, claimed: ClaimedJob, now: dt.datetime) -> None:
    """Put a job back that this process has no time for. The attempt is not counted; publishing is asked for.

    Raises:
        LeaseLost: it is no longer this worker's.
    """
    _change_or_lose(
        session,
        claimed,
        state="waiting",
        attempts=Job.attempts - 1,
        run_after=now,
        published_at=now,
        lease_until=None,
        lease_token="",
    )
    jobs_to_publish(session).append((claimed.job_id, claimed.queue))


def revive(session: Session, job_id: int, now: dt.datetime) -> bool:
    """Let a dead job be tried again, from its first attempt; publishing is asked for. False: it is not dead."""
    revived = session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.state == "dead")
        .values(state="waiting", attempts=0, run_after=now, published_at=now, finished_at=None, progress=0.0)
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if revived is None:
        return False
    jobs_to_publish(session).append((job_id, revived.queue))
    resume_scan(session, revived, now)
    return True


def queue_statistics(session: Session, now: dt.datetime) -> list[QueueStatistics]:
    """Return how each queue stands, in the order of :data:`QUEUES`."""

    def count(state: str) -> ColumnElement[int]:
        return func.sum(case((Job.state == state, 1), else_=0))

    oldest = func.min(case((Job.state == "waiting", Job.run_after), else_=None))
    rows = session.execute(
        select(Job.queue, count("waiting"), count("running"), count("dead"), oldest)
        .where(Job.state.in_(("waiting", "running", "dead")))
        .group_by(Job.queue)
    )
    counted = {queue: figures for queue, *figures in rows}
    listed = []
    for queue in QUEUES:
        waiting, running, dead, since = counted.get(queue, (0, 0, 0, None))
        age = max((now - since).total_seconds(), 0.0) if since else 0.0
        listed.append(QueueStatistics(queue, waiting, running, dead, age))
    return listed


def list_jobs(
    session: Session, *, state: str | None = None, queue: str | None = None, kind: str | None = None, limit: int = 50
) -> list[Job]:
    """Return jobs, the newest first, of that state, queue and kind where given."""
    wanted = select(Job).order_by(Job.id.desc()).limit(limit)
    for column, value in ((Job.state, state), (Job.queue, queue), (Job.kind, kind)):
        if value is not None:
            wanted = wanted.where(column == value)
    return list(session.scalars(wanted))


def _change(session: Session, claimed: ClaimedJob, **values: Any) -> bool:
    """Write to the row as long as the lease is ours; this is the fence."""
    held = session.execute(
        update(Job)
        .where(Job.id == claimed.job_id, Job.state == "running", Job.lease_token == claimed.token)
        .values(**values)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return held.one_or_none() is not None


def _change_or_lose(session: Session, claimed: ClaimedJob, **values: Any) -> None:
    if not _change(session, claimed, **values):
        raise LeaseLost(f"job {claimed.job_id}: the lease of attempt {claimed.attempt} is gone")
