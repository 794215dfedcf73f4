"""Reaper: republish jobs whose message, worker or connection was lost, and detect stalled workers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import structlog

from service.broker import UNREACHABLE, queue_lengths
from service.context import Context
from service.job_registry import QUEUES, time_limit_minutes
from service.publishing import publish
from store.jobs.processes import idle_for
from store.jobs.recovery import due_jobs, mark_published

MAX_JOBS = 500
"""Jobs published per call."""

STALLED_SECONDS = 60.0
"""A worker is stalled if it has been idle for this long while messages wait in its queues."""

logger = structlog.get_logger("tuban.reaper")


def reap(context: Context) -> int:
    """Publish jobs whose worker died, whose message was lost, or whose retry delay has passed.

    While other messages still wait in a queue, its messages are not considered lost. A job whose process died on its
    last attempt becomes dead.

    Returns:
        The number of published jobs; :data:`MAX_JOBS` means that there may be more.
    """
    settings = context.settings
    try:
        busy = [queue for queue, length in queue_lengths(settings).items() if length > 0]
    except UNREACHABLE as error:
        logger.warning("broker unavailable; nothing is published", error=str(error))
        return 0
    with context.database.write() as session:
        now = context.clock()
        found = due_jobs(
            session,
            now,
            republish_seconds=settings.jobs.lease_seconds,
            limit=MAX_JOBS,
            busy_queues=busy,
            max_attempts=settings.jobs.attempts,
            time_limits={queue: time_limit_minutes(queue, settings.limits) for queue in QUEUES},
            lease_seconds=settings.jobs.lease_seconds,
        )
        if found:
            mark_published(session, [job_id for job_id, _ in found], now)
    unsent = publish(settings, found)
    if unsent:
        with context.database.write() as session:
            mark_published(session, unsent, None)
    if len(found) > len(unsent):
        logger.info("republished jobs", jobs=len(found) - len(unsent))
    return len(found) - len(unsent)


def is_stalled(context: Context, owner: str, queues: Sequence[str], running_for: dt.timedelta) -> bool:
    """Return whether a worker is idle although messages wait in its queues; a lost connection can leave it so.

    Args:
        context: of this process.
        owner: the worker, as ``host:process``.
        queues: that it consumes.
        running_for: time since it was started.
    """
    patience = dt.timedelta(seconds=max(STALLED_SECONDS, 3 * context.settings.jobs.heartbeat_seconds))
    with context.database.read() as session:
        idle = idle_for(session, owner, context.clock())
    if min(running_for if idle is None else idle, running_for) < patience:
        return False
    try:
        lengths = queue_lengths(context.settings)
    except UNREACHABLE:
        return False
    return any(lengths[queue] > 0 for queue in queues)
