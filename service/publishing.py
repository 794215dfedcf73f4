"""Publish jobs to the workers. Messages may be lost or sent twice: the job rows in the database decide what runs.

Messages follow Celery's task message protocol, version 2 (docs.celeryq.dev, "Message Protocol"), so that workers are
plain Celery workers while pages and commands need only kombu.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import structlog
from kombu import Producer
from kombu.pools import ProducerPool

from configs.service import ServiceSettings
from service.broker import UNREACHABLE, broker_queue, connect
from service.job_registry import time_limit_minutes
from store.jobs.queue import jobs_to_publish
from store.jobs.recovery import mark_published
from store.schema.database import Database, Session

logger = structlog.get_logger("tuban.publish")

TASK = "tuban.run"
"""Name of the one Celery task. Its argument is the id of a job row."""

CONNECTIONS = 2
"""Broker connections kept open by each publishing process."""


def publish(settings: ServiceSettings, jobs: Iterable[tuple[int, str]]) -> list[int]:
    """Send one message per job.

    Args:
        settings: of the broker.
        jobs: (id, queue), from :func:`store.jobs.queue.jobs_to_publish` or :func:`store.jobs.recovery.due_jobs`; their
            transaction has been committed.

    Returns:
        The ids that could not be sent because the broker does not answer. The schedule publishes them later.
    """
    waiting = list(jobs)
    if not waiting:
        return []
    try:
        with _producers(settings, os.getpid()).acquire(block=True) as producer:
            while waiting:
                _send(settings, producer, *waiting[0])
                waiting.pop(0)
    except UNREACHABLE as error:
        logger.warning("broker unavailable; jobs are published later", jobs=len(waiting), error=str(error))
    return [job_id for job_id, _ in waiting]


def publish_added(database: Database, settings: ServiceSettings, session: Session) -> None:
    """Publish the jobs that a committed transaction added, and record which could not be published.

    Every write transaction of a database with a :class:`service.context.Context` ends with it.
    """
    unsent = publish(settings, jobs_to_publish(session))
    if unsent:
        with database.write() as recording:
            mark_published(recording, unsent, None)


@lru_cache(maxsize=8)
def _producers(settings: ServiceSettings, process: int) -> ProducerPool:
    """Return the connection pool of a process; keyed by pid, so a forked child never shares its parent's sockets."""
    return ProducerPool(connect(settings).Pool(limit=CONNECTIONS), limit=CONNECTIONS)


def _send(settings: ServiceSettings, producer: Producer, job_id: int, queue: str) -> None:
    soft_limit = 60 * time_limit_minutes(queue, settings.limits)
    message_id = str(uuid.uuid4())
    headers: dict[str, Any] = {
        "lang": "py",
        "task": TASK,
        "id": message_id,
        "root_id": message_id,
        "parent_id": None,
        "group": None,
        "timelimit": [soft_limit + settings.limits.kill_seconds, soft_limit],
        "ignore_result": True,
    }
    target = broker_queue(settings, queue)
    producer.publish(
        ([job_id], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}),
        serializer="json",
        exchange=target.exchange.name,
        routing_key=target.routing_key,
        declare=[target],
        headers=headers,
        correlation_id=message_id,
        delivery_mode="persistent",
        retry=True,
        retry_policy={"max_retries": 1, "interval_start": 0, "interval_max": 0.2},
    )
