"""The enforcement queue of the broker: plain JSON messages, which any AMQP or Redis client reads.

Over AMQP an event is a persistent message in a durable queue, and counts as delivered when the broker has confirmed
it. Over Redis it is one entry at the end of a list.
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
from enforcement.events import CONTENT_TYPE, encode_event
from errors import SettingsError
from workers.delivery.delivery_errors import DeliveryRejected

AMQP_FAULTS = (amqp.AMQPError, MessageNacked, OSError)  # time-outs are OSErrors
PERSISTENT = 2


def send_to_queue(event: dict[str, Any], settings: ServiceSettings) -> None:
    """Put an event into the broker's queue ``settings.delivery.queue``, which is made if it is not there.

    Raises:
        DeliveryRejected: there is no such queue, or the broker cannot be reached, or did not confirm.
    """
    name = settings.delivery.queue
    if settings.embedded_broker or not name:
        raise DeliveryRejected("The settings name no queue of a broker any more (delivery.queue and broker).")
    try:
        if settings.broker.startswith("redis"):
            with closing(_redis(settings)) as client:
                client.rpush(name, encode_event(event))
        else:
            with _channel(settings) as channel:
                _publish(channel, name, event, settings.delivery.timeout_seconds)
    except (*AMQP_FAULTS, redis.RedisError) as error:
        raise DeliveryRejected(f"The broker did not take the event into the queue {name}: {_cause(error)}") from error


def read_queue(settings: ServiceSettings, *, take: bool, limit: int) -> Iterator[bytes]:
    """Read messages of the enforcement queue, the oldest first.

    Args:
        settings: which broker and queue.
        take: whether they are removed; each is, once the next one is asked for, so that a reader that dies at one
            does not lose it.
        limit: how many at most.

    Yields:
        One CloudEvent each, as JSON.

    Raises:
        SettingsError: there is no such queue, or the broker cannot be reached.
    """
    name = settings.delivery.queue
    if settings.embedded_broker or not name:
        raise SettingsError(
            f"There is no queue: without a broker (TUBAN_BROKER) events go to the folder {settings.drop_folder}."
        )
    read = _read_redis if settings.broker.startswith("redis") else _read_amqp
    try:
        yield from read(settings, name, take, limit)
    except (*AMQP_FAULTS, redis.RedisError) as error:
        raise SettingsError(f"The queue {name} cannot be read: {_cause(error)}") from error


def _publish(channel: Any, name: str, event: dict[str, Any], timeout: float) -> None:
    message = amqp.Message(
        encode_event(event),
        content_type=CONTENT_TYPE,
        content_encoding="utf-8",
        delivery_mode=PERSISTENT,
        message_id=event["id"],
        type=event["type"],
        app_id="tuban",
    )
    # returns when the broker has confirmed; raises when it refuses, or says nothing in time
    channel.basic_publish(message, routing_key=name, mandatory=True, timeout=timeout, confirm_timeout=timeout)


@contextmanager
def _channel(settings: ServiceSettings) -> Iterator[Any]:
    """A channel on which the queue is there. One that others made, with arguments of theirs, is taken as it is."""
    place = parse_url(settings.broker)
    host, timeout = place["hostname"] or "127.0.0.1", settings.delivery.timeout_seconds
    encrypted = settings.broker.startswith("amqps")
    connection = amqp.Connection(
        host=f"{host}:{place['port'] or (5671 if encrypted else 5672)}",
        userid=place["userid"] or "guest",
        password=place["password"] or "guest",
        virtual_host=place["virtual_host"] or "/",
        ssl=(place.get("ssl") or {"server_hostname": host}) if encrypted else False,
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
            channel = connection.channel()  # the broker closed the other one
            channel.queue_declare(name, durable=True, auto_delete=False)
        yield channel
    finally:
        with suppress(*AMQP_FAULTS):  # what was confirmed stays so
            connection.close()


def _read_amqp(settings: ServiceSettings, name: str, take: bool, limit: int) -> Iterator[bytes]:
    with _channel(settings) as channel:
        for _ in range(limit):
            message = channel.basic_get(name)
            if message is None:
                return
            body = message.body
            yield body.encode() if isinstance(body, str) else bytes(body)
            if take:
                channel.basic_ack(message.delivery_tag)
        # what was not acknowledged goes back to its place when the channel closes


def _read_redis(settings: ServiceSettings, name: str, take: bool, limit: int) -> Iterator[bytes]:
    with closing(_redis(settings)) as client:
        if not take:
            yield from client.lrange(name, 0, limit - 1)
            return
        held = f"{name}:taken"
        for _ in range(limit):
            body = client.lmove(name, held, "LEFT", "RIGHT")
            if body is None:
                return
            try:
                yield body
            except BaseException:
                client.lmove(held, name, "RIGHT", "LEFT")
                raise
            client.lrem(held, 1, body)


def _redis(settings: ServiceSettings) -> Any:
    timeout = settings.delivery.timeout_seconds
    return redis.Redis.from_url(
        settings.broker,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),  # the delivery has its own attempts
    )


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]
