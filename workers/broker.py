"""What is asked of a broker besides messages: whether it is there, and how many messages wait in it."""

from __future__ import annotations

import time
from urllib.parse import urlsplit, urlunsplit

from amqp.exceptions import PreconditionFailed
from kombu.exceptions import KombuError

from configs.service import ServiceSettings
from errors import SettingsError
from workers.app import make_app
from workers.kinds import QUEUES, queue_name
from workers.message_files import make_broker_folders
from workers.publish import UNREACHABLE

LEFT_SECONDS = 3600.0
"""A message file that was half written so long ago was left by a process that died."""


def check_broker(settings: ServiceSettings) -> None:
    """Reach the broker once, and make its queues; the folders of the embedded one are made.

    Raises:
        SettingsError: it does not answer, has other queues of these names, or its folders cannot be written.
    """
    try:
        if settings.embedded_broker:
            make_broker_folders(settings.home, older_than=time.time() - LEFT_SECONDS)
        app = make_app(settings)
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=10)
            for queue in QUEUES:
                with connection.channel() as channel:
                    app.amqp.queues[queue_name(queue)].bind(channel).declare()
    except PreconditionFailed as error:
        raise SettingsError(
            f"The broker {shown(settings)} has a queue that another version made: {error.reply_text}. Delete it there; "
            "its jobs are in the database and are published again."
        ) from error
    except UNREACHABLE as error:
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SettingsError(f"The broker {shown(settings)} cannot be reached: {cause}.") from error


def queue_lengths(settings: ServiceSettings) -> dict[str, int]:
    """Return how many messages wait in each queue, those under way to a worker not counted.

    Raises:
        One of :data:`workers.publish.UNREACHABLE`: the broker does not answer.
    """
    lengths: dict[str, int] = {}
    with make_app(settings).connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=10)
        for queue in QUEUES:
            channel = connection.channel()
            try:
                lengths[queue] = channel.queue_declare(queue=queue_name(queue), passive=True).message_count
            except (*connection.channel_errors, KombuError):  # nobody has used it yet
                lengths[queue] = 0
            finally:
                channel.close()
    return lengths


def shown(settings: ServiceSettings) -> str:
    """The broker's address without its password."""
    if settings.embedded_broker:
        return str(settings.home.resolve() / "broker")
    parts = urlsplit(settings.broker)
    if parts.password is None:
        return settings.broker
    host = parts.netloc.rsplit("@", 1)[1]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))
