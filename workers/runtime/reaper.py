"""What keeps jobs going when messages, processes and connections are lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import structlog

from service.broker import UNREACHABLE, queue_lengths
from service.context import Context
from service.job_registry import QUEUES, time_limit_minutes
from service.publishing import publish
from store.jobs.processes import last_active
from store.jobs.recovery import due_jobs, mark_published

BATCH = 500
"""Jobs published in one go."""

DEAF_SECONDS = 60.0
"""A worker that has done nothing for so long while messages wait for it does not hear them."""

logger = structlog.get_logger("tuban.upkeep")


def reap(context: Context) -> int:
    """Publish what workers were not told of: jobs whose worker died, whose message was lost, whose pause is over.

    Messages of a queue in which others still wait are not taken to be lost. A job whose process died on its last
    attempt becomes dead.

    Returns:
        How many were published; :data:`BATCH`: there may be more.
    """
    settings = context.settings
    try:
        busy = [queue for queue, length in queue_lengths(settings).items() if length > 0]
    except UNREACHABLE as error:
        logger.warning("the broker does not answer; nothing is published", error=str(error))
        return 0
    with context.database.write() as session:
        now = context.clock()
        found = due_jobs(
            session,
            now,
            republish_seconds=settings.jobs.lease_seconds,
            limit=BATCH,
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
        logger.info("published again", jobs=len(found) - len(unsent))
    return len(found) - len(unsent)


def is_stalled(context: Context, owner: str, queues: Sequence[str], begun: dt.datetime) -> bool:
    """Whether messages wait for a worker that does nothing: some connections that were lost leave one so.

    Args:
        context: of this process.
        owner: the worker as ``host:process``.
        queues: what it works off.
        begun: when it was started.
    """
    patience = dt.timedelta(seconds=max(DEAF_SECONDS, 3 * context.settings.jobs.heartbeat_seconds))
    with context.database.read() as session:
        active = last_active(session, owner)
    if max(active or begun, begun) > context.clock() - patience:
        return False
    try:
        lengths = queue_lengths(context.settings)
    except UNREACHABLE:
        return False
    return any(lengths[queue] > 0 for queue in queues)
