"""The Celery application, configured from the settings. A message holds a job id; the database holds all else."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from celery import Celery, signals

from configs.service import ServiceSettings
from service.broker import CONNECT_SECONDS, HEARTBEAT_SECONDS, broker_options, broker_queues
from service.job_registry import queue_name

CHILD_JOBS = 1000
"""After so many jobs a process is replaced, against leaks that no test found."""


@lru_cache(maxsize=8)
def make_app(settings: ServiceSettings) -> Celery:
    """Return the Celery application for ``settings``; nothing is connected yet."""
    signals.setup_logging.connect(_keep_our_logging, weak=False)
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
        worker_enable_prefetch_count_reduction=False,  # it may stay reduced after a connection was lost
        worker_cancel_long_running_tasks_on_connection_loss=False,  # the lease is in the database
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=120.0,  # a busy machine forks and imports slowly
        worker_max_tasks_per_child=CHILD_JOBS,
        worker_max_memory_per_child=settings.limits.memory_mib * 1024,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # such as RabbitMQ's, when a job took longer than it waits
        broker_connection_timeout=CONNECT_SECONDS,
        broker_heartbeat=HEARTBEAT_SECONDS,
        broker_pool_limit=2,
        timezone="UTC",
        **_broker(settings),
    )
    return app


def _broker(settings: ServiceSettings) -> dict[str, Any]:
    options = broker_options(settings)
    conf = {"broker_url": options["hostname"], "broker_transport_options": options["transport_options"]}
    return conf | ({"broker_transport": options["transport"]} if "transport" in options else {})


def _keep_our_logging(**_: object) -> None:
    """Celery sets up logging of its own only where nothing is connected to this signal."""
