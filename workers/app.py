"""Celery, as the settings want it. A message holds the number of a job; the database holds all else."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from configs.service import LimitSettings, ServiceSettings
from workers.kinds import QUEUES, minutes_of, queue_name
from workers.message_files import POLL_SECONDS, broker_folders

TASK = "tuban.run"

MARGIN_SECONDS = 600
"""By so much the brokers wait longer for an acknowledgement than the longest job may take."""

CHILD_JOBS = 1000
"""After so many jobs a process is replaced, against leaks that no test found."""

CONSUMER_TIMEOUT_MS = 24 * 3600 * 1000
"""RabbitMQ gives a message back after 30 minutes without acknowledgement, unless the queue says otherwise (from 3.12
on). Where it does all the same the worker connects anew, and the job goes on: its lease is in the database."""


@lru_cache(maxsize=8)
def make_app(settings: ServiceSettings) -> Celery:
    """Return the Celery application for ``settings``; nothing is connected yet."""
    app = Celery("tuban", set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        task_reject_on_worker_lost=True,
        task_queues=[_queue(settings, name) for name in QUEUES],
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
        broker_connection_timeout=5.0,
        broker_heartbeat=30,
        broker_pool_limit=2,
        timezone="UTC",
        **_broker(settings),
    )
    return app


def longest_seconds(limits: LimitSettings) -> float:
    """After how long the longest job is killed."""
    return 60 * max(minutes_of(queue, limits) for queue in QUEUES) + limits.kill_seconds


def _queue(settings: ServiceSettings, name: str) -> Queue:
    named = queue_name(name)
    arguments = {"x-consumer-timeout": CONSUMER_TIMEOUT_MS} if settings.broker.startswith("amqp") else None
    exchange = Exchange("tuban", type="direct")
    return Queue(named, exchange=exchange, routing_key=named, durable=True, queue_arguments=arguments)


def _broker(settings: ServiceSettings) -> dict[str, Any]:
    if settings.embedded_broker:
        return {
            "broker_url": "filesystem://localhost",
            "broker_transport": "workers.message_files:Transport",
            "broker_transport_options": {**broker_folders(settings.home), "polling_interval": POLL_SECONDS},
        }
    if settings.broker.startswith("redis"):
        options: dict[str, Any] = {
            "visibility_timeout": int(longest_seconds(settings.limits) + MARGIN_SECONDS),
            "socket_connect_timeout": 5.0,
            "socket_timeout": 30.0,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "retry_on_timeout": True,
        }
        return {"broker_url": settings.broker, "broker_transport_options": options}
    return {"broker_url": settings.broker, "broker_transport_options": {"confirm_publish": True}}
