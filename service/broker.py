"""Connections to the message broker: address, queues, options, health check and queue lengths."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from amqp.exceptions import AMQPError, PreconditionFailed
from kombu import Connection, Exchange, Queue
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

from configs.service import ServiceSettings
from errors import SettingsError
from service.job_registry import QUEUES, longest_job_seconds, queue_name
from service.message_files import POLL_SECONDS, broker_folders, make_broker_folders

UNREACHABLE = (OperationalError, KombuError, AMQPError, RedisError, OSError)
"""Exceptions raised when the broker does not answer or its message files cannot be written."""

CONNECT_SECONDS = 5.0

HEARTBEAT_SECONDS = 20
"""RabbitMQ and its client each close a connection after two missed heartbeats."""

SILENT_SECONDS = 30.0
"""A broker that does not answer for this long is reconnected to."""

ACKNOWLEDGE_MARGIN_SECONDS = 600
"""Added to the time limit of the longest job: how long brokers wait for an acknowledgement."""

CONSUMER_TIMEOUT_MS = 24 * 3600 * 1000
"""By default RabbitMQ redelivers a message after 30 minutes without acknowledgement; from 3.12 on a queue can override
that. If it redelivers nevertheless, the worker reconnects and the job continues, as its lease is in the database."""

STALE_SECONDS = 3600.0
"""A partial message file older than this was left by a process that died."""


def broker_options(settings: ServiceSettings) -> dict[str, Any]:
    """Return the arguments of :class:`kombu.Connection` for the broker, such as ``hostname``."""
    if settings.embedded_broker:
        return {
            "hostname": "filesystem://localhost",
            "transport": "service.message_files:Transport",
            "transport_options": {**broker_folders(settings.home), "polling_interval": POLL_SECONDS},
        }
    if settings.broker.startswith("redis"):
        options: dict[str, Any] = {
            "visibility_timeout": int(longest_job_seconds(settings.limits) + ACKNOWLEDGE_MARGIN_SECONDS),
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": SILENT_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "retry_on_timeout": True,
        }
        return {"hostname": settings.broker, "transport_options": options}
    limits = {"read_timeout": SILENT_SECONDS, "write_timeout": SILENT_SECONDS}  # of frames and of confirmations
    return {"hostname": settings.broker, "transport_options": {"confirm_publish": True, **limits}}


def broker_queues(settings: ServiceSettings) -> list[Queue]:
    """Return the declarations of all queues."""
    return [broker_queue(settings, name) for name in QUEUES]


def broker_queue(settings: ServiceSettings, name: str) -> Queue:
    """Return the declaration of one queue by its name in job rows, like ``scan``.

    Messages reach it through the default exchange, which needs no binding. On Redis a binding is a key: a server that
    restarts empty loses it, its client reconnects silently, and later messages would reach no queue.
    """
    full_name = queue_name(name)
    arguments = {"x-consumer-timeout": CONSUMER_TIMEOUT_MS} if settings.broker.startswith("amqp") else None
    return Queue(full_name, exchange=Exchange(""), routing_key=full_name, durable=True, queue_arguments=arguments)


def connect(settings: ServiceSettings) -> Connection:
    """Return a connection that is opened on first use."""
    return Connection(**broker_options(settings), connect_timeout=CONNECT_SECONDS, heartbeat=HEARTBEAT_SECONDS)


def check_broker(settings: ServiceSettings) -> None:
    """Connect to the broker and declare its queues; create the folders of the embedded one.

    Raises:
        SettingsError: the broker does not answer, has incompatible queues of these names, or its folders cannot be
            written.
    """
    try:
        if settings.embedded_broker:
            make_broker_folders(settings.home, older_than=time.time() - STALE_SECONDS)
        with connect(settings) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=10)
            for queue in broker_queues(settings):
                with connection.channel() as channel:
                    queue.bind(channel).declare()
    except PreconditionFailed as error:
        raise SettingsError(
            f"The broker {redacted_address(settings)} has a queue that another version created: {error.reply_text}. "
            "Delete the queue; its jobs are in the database and are published again."
        ) from error
    except UNREACHABLE as error:
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SettingsError(
            f"The broker {redacted_address(settings)} cannot be reached: {cause}.",
            "setup.broker",
            address=redacted_address(settings),
            cause=str(cause),
        ) from error


def queue_lengths(settings: ServiceSettings) -> dict[str, int]:
    """Return the number of messages waiting in each queue, excluding those already sent to a worker.

    Raises:
        One of :data:`UNREACHABLE`: the broker does not answer.
    """
    lengths: dict[str, int] = {}
    with connect(settings) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=10)
        for queue in QUEUES:
            channel = connection.channel()
            try:
                lengths[queue] = channel.queue_declare(queue=queue_name(queue), passive=True).message_count
            except (*connection.channel_errors, KombuError):  # not used yet
                lengths[queue] = 0
            finally:
                channel.close()
    return lengths


def redacted_address(settings: ServiceSettings) -> str:
    """Return the broker's address without its password."""
    if settings.embedded_broker:
        return str(settings.home.resolve() / "broker")
    parts = urlsplit(settings.broker)
    if parts.password is None:
        return settings.broker
    host = parts.netloc.rsplit("@", 1)[1]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))
