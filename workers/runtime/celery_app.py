"""Celery application, configured from the settings. A message holds only a job id; all else is in the database."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from celery import Celery, signals

from configs.service import ServiceSettings
from service.broker import CONNECT_SECONDS, HEARTBEAT_SECONDS, broker_options, broker_queues
from service.job_registry import queue_name

MAX_JOBS_PER_CHILD = 1000
"""A child process is replaced after this many jobs, as a precaution against leaks."""


@lru_cache(maxsize=8)
def make_app(settings: ServiceSettings) -> Celery:
    """Return the Celery application for ``settings``, without connecting to the broker."""
    signals.setup_logging.connect(_skip_logging_setup, weak=False)
    app = Celery("tuban", set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        task_reject_on_worker_lost=True,
        task_queues=broker_queues(settings),
        task_default_queue=queue_name("scan"),
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_enable_prefetch_count_reduction=False,  # may stay reduced after a lost connection
        worker_cancel_long_running_tasks_on_connection_loss=False,  # the lease is in the database
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=120.0,  # a busy machine forks and imports slowly
        worker_max_tasks_per_child=MAX_JOBS_PER_CHILD,
        worker_max_memory_per_child=settings.worker_memory_mib * 1024,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # for example RabbitMQ's acknowledgement timeout
        broker_connection_timeout=CONNECT_SECONDS,
        broker_heartbeat=HEARTBEAT_SECONDS,
        broker_pool_limit=2,
        timezone="UTC",
        **_broker_settings(settings),
    )
    return app


def _broker_settings(settings: ServiceSettings) -> dict[str, Any]:
    options = broker_options(settings)
    conf = {"broker_url": options["hostname"], "broker_transport_options": options["transport_options"]}
    return conf | ({"broker_transport": options["transport"]} if "transport" in options else {})


def _skip_logging_setup(**_: object) -> None:
    """Do nothing: Celery sets up its own logging unless a receiver is connected to this signal."""
