"""Tell the workers that jobs wait. A message that is lost, or sent twice, is no harm: the database knows better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog
from amqp.exceptions import AMQPError
from celery.exceptions import OperationalError as CeleryOperationalError
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from store.database import Database
from store.jobs import to_publish
from store.lost_jobs import mark_published
from workers.app import TASK, make_app
from workers.kinds import minutes_of, queue_name

logger = structlog.get_logger("tuban.publish")

UNREACHABLE = (OperationalError, CeleryOperationalError, KombuError, AMQPError, RedisError, OSError)
"""What is raised when a broker does not answer, or cannot write its files."""


def publish(settings: ServiceSettings, jobs: Iterable[tuple[int, str]]) -> list[int]:
    """Send one message for each job.

    Args:
        settings: which broker.
        jobs: (id, queue), as :func:`store.jobs.to_publish` and :func:`store.jobs.due` give them. Their transaction
            has been committed.

    Returns:
        The ids that could not be sent, because the broker does not answer. The schedule sends them later.
    """
    waiting = list(jobs)
    if not waiting:
        return []
    app = make_app(settings)
    try:
        with app.producer_or_acquire() as producer:
            while waiting:
                job_id, queue = waiting[0]
                soft = 60 * minutes_of(queue, settings.limits)
                app.send_task(
                    TASK,
                    args=[job_id],
                    queue=queue_name(queue),
                    producer=producer,
                    soft_time_limit=soft,
                    time_limit=soft + settings.limits.kill_seconds,
                    retry=True,
                    retry_policy={"max_retries": 1, "interval_start": 0, "interval_max": 0.2},
                )
                waiting.pop(0)
    except UNREACHABLE as error:
        logger.warning("the broker does not answer; jobs are published later", jobs=len(waiting), error=str(error))
    return [job_id for job_id, _ in waiting]


def publish_added(database: Database, settings: ServiceSettings, session: Session) -> None:
    """Publish what a transaction that was committed has added, and note what could not be published."""
    unsent = publish(settings, to_publish(session))
    if unsent:
        with database.write() as noting:
            mark_published(noting, unsent, None)


@contextmanager
def publishing(database: Database, settings: ServiceSettings) -> Iterator[Session]:
    """A transaction that writes, like :meth:`store.database.Database.write`; the jobs it added are then published."""
    with database.write() as session:
        yield session
    publish_added(database, settings, session)
