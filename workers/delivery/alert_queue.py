"""The enforcement queue at the broker: plain JSON messages that any AMQP or Redis client can read.

With AMQP, an event is a persistent message in a durable queue and counts as delivered once the broker confirms it. Its
content type is ``application/json``, which kombu and Celery consumers decode by themselves. With Redis, it is an entry
of a stream, read with a consumer group: an entry that a reader did not acknowledge is read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import amqp
import redis
from amqp.exceptions import MessageNacked
from kombu.utils.url import parse_url
from redis.backoff import NoBackoff
from redis.retry import Retry

from configs.service import ServiceSettings
from enforcement.events import encode_event
from errors import SettingsError
from workers.delivery.delivery_errors import DeliveryRejected

AMQP_ERRORS = (amqp.AMQPError, MessageNacked, OSError)  # timeouts are OSErrors
PERSISTENT = 2

FIELD = b"event"
"""Field of a stream entry that contains the event as JSON."""

GROUP = "tuban"
"""Consumer group and consumer of ``tuban queue --take``."""


def send_to_queue(event: dict[str, Any], settings: ServiceSettings) -> None:
    """Send an event to the queue ``settings.delivery.queue``, which is created if it does not exist.

    Raises:
        DeliveryRejected: no queue is configured, or the broker is unreachable or did not confirm the message.
    """
    name = settings.delivery.queue
    if settings.embedded_broker or not name:
        raise DeliveryRejected("The settings no longer name a queue at a broker (delivery.queue and broker).")
    try:
        if settings.broker.startswith("redis"):
            with closing(_redis(settings)) as client:
                _append(client, name, event)
        else:
            with _channel(settings) as channel:
                _publish(channel, name, event, settings.delivery.timeout_seconds)
    except (*AMQP_ERRORS, redis.RedisError) as error:
        raise DeliveryRejected(f"The broker did not accept the event for the queue {name}: {_cause(error)}") from error


def read_queue(settings: ServiceSettings, *, remove: bool, limit: int) -> Iterator[bytes]:
    """Read messages of the enforcement queue, oldest first.

    Args:
        settings: of the broker and the queue.
        remove: remove each message when the next one is requested, so that a reader that fails at a message does not
            lose it.
        limit: maximum number of messages.

    Yields:
        CloudEvents as JSON.

    Raises:
        SettingsError: no queue is configured, or the broker is unreachable.
    """
    name = settings.delivery.queue
    if settings.embedded_broker or not name:
        raise SettingsError(
            f"There is no queue: without a broker (TUBAN_BROKER) events are written to {settings.drop_folder}."
        )
    read = _read_redis if settings.broker.startswith("redis") else _read_amqp
    try:
        yield from read(settings, name, remove, limit)
    except (*AMQP_ERRORS, redis.RedisError) as error:
        raise SettingsError(f"The queue {name} cannot be read: {_cause(error)}") from error


def _publish(channel: Any, name: str, event: dict[str, Any], timeout: float) -> None:
    message = amqp.Message(
        encode_event(event),
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=PERSISTENT,
        message_id=event["id"],
        type=event["type"],
        app_id="tuban",
    )
    # returns once the broker has confirmed the message; raises if it refuses or does not confirm in time
    channel.basic_publish(message, routing_key=name, mandatory=True, timeout=timeout, confirm_timeout=timeout)


@contextmanager
def _channel(settings: ServiceSettings) -> Iterator[Any]:
    """Open a channel, and declare the queue unless it exists; an existing queue is used whatever its arguments are."""
    url = parse_url(settings.broker)
    host, timeout = url["hostname"] or "127.0.0.1", settings.delivery.timeout_seconds
    encrypted = settings.broker.startswith("amqps")
    connection = amqp.Connection(
        host=f"{host}:{url['port'] or (5671 if encrypted else 5672)}",
        userid=url["userid"] or "guest",
        password=url["password"] or "guest",
        virtual_host=url["virtual_host"] or "/",
        ssl=(url.get("ssl") or {"server_hostname": host}) if encrypted else False,
        connect_timeout=timeout,
        read_timeout=timeout,
        write_timeout=timeout,
        confirm_publish=True,
    )
    connection.connect()
    try:
        name = settings.delivery.queue
        channel = connection.channel()
        try:
            channel.queue_declare(name, passive=True)
        except amqp.NotFound:
            channel = connection.channel()  # the broker closed the first one
            channel.queue_declare(name, durable=True, auto_delete=False)
        yield channel
    finally:
        with suppress(*AMQP_ERRORS):  # confirmed messages are safe
            connection.close()


def _read_amqp(settings: ServiceSettings, name: str, remove: bool, limit: int) -> Iterator[bytes]:
    with _channel(settings) as channel:
        for _ in range(limit):
            message = channel.basic_get(name)
            if message is None:
                return
            body = message.body
            yield body.encode() if isinstance(body, str) else bytes(body)
            if remove:
                channel.basic_ack(message.delivery_tag)
        # unacknowledged messages return to their position when the channel closes


def _append(client: Any, name: str, event: dict[str, Any]) -> None:
    if client.type(name) == b"list":  # written by an earlier version
        _convert_list(client, name)
    client.xadd(name, {FIELD: encode_event(event), "id": event["id"], "type": event["type"]})


def _convert_list(client: Any, name: str) -> None:
    """Convert the list of an earlier version into a stream, in order; a conversion that was interrupted continues."""
    former = f"{name}:list"
    client.renamenx(name, former)
    while body := client.lindex(former, 0):
        with client.pipeline(transaction=True) as together:
            together.xadd(name, {FIELD: body})
            together.lpop(former)
            together.execute()


def _read_redis(settings: ServiceSettings, name: str, remove: bool, limit: int) -> Iterator[bytes]:
    with closing(_redis(settings)) as client:
        if client.type(name) == b"list":
            _convert_list(client, name)
        if not remove:
            yield from (fields[FIELD] for _, fields in client.xrange(name, count=limit))
            return
        try:
            client.xgroup_create(name, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        start = "0"  # first what an interrupted reader left unacknowledged, then new entries
        for _ in range(limit):
            found = client.xreadgroup(GROUP, GROUP, {name: start}, count=1)
            if start == "0" and not (found and found[0][1]):
                start = ">"
                found = client.xreadgroup(GROUP, GROUP, {name: start}, count=1)
            if not found or not found[0][1]:
                return
            [(_, [(entry, fields)])] = found
            yield fields[FIELD]
            client.xack(name, GROUP, entry)
            client.xdel(name, entry)


def _redis(settings: ServiceSettings) -> Any:
    timeout = settings.delivery.timeout_seconds
    return redis.Redis.from_url(
        settings.broker,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),  # deliveries have retries of their own
    )


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]
