"""The embedded broker: a kombu transport that keeps each message as a small file in the home folder.

It differs from kombu's own file transport: a message is written under a hidden name and renamed when it is complete;
a reader claims it with an atomic rename, so only one reader gets it, and then deletes it. The transport takes part in
Celery's event loop, so the worker uses the same pool as with Redis and RabbitMQ: each child has its own pipes, and a
killed child leaves no lock behind.

A message lost with a killed reader does no harm, because the database has its job.
"""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.asynchronous import get_event_loop
from kombu.transport import filesystem

from service.job_registry import QUEUES, queue_name

POLL_SECONDS = 0.05
"""Polling interval of an idle worker; one poll takes a few microseconds."""

ERROR_PAUSE_SECONDS = 5.0
"""Pause after the folder could not be read."""

logger = logging.getLogger("tuban.messages")


class Channel(filesystem.Channel):  # type: ignore[misc]
    """Sends and receives messages."""

    def get_table(self, exchange: str) -> list[Any]:
        """Return the bindings of all queues, which are fixed; kombu would store them in files."""
        names = [queue_name(queue) for queue in QUEUES]
        return [filesystem.exchange_queue_t(name, "", name) for name in names]

    def _queue_bind(self, *_: Any) -> None:
        """Do nothing: bindings are fixed."""

    @property
    def _folder(self) -> Path:
        return Path(self.data_folder_out)

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"  # sorted by name: first in, first out
        hidden = self._folder / f".{name}"
        hidden.write_text(json.dumps(payload), encoding="utf-8")
        hidden.rename(self._folder / name)

    def _get(self, queue: str) -> Any:
        for name in sorted(self._names(f".{queue}.msg")):
            claimed = Path(self.processed_folder) / name
            try:
                (self._folder / name).rename(claimed)
            except FileNotFoundError:
                continue  # another worker was faster
            text = claimed.read_text(encoding="utf-8")
            claimed.unlink()
            try:
                return json.loads(text)
            except ValueError:  # the machine lost power before the content reached the disk
                logger.warning("dropped a corrupt message", extra={"file": name})
        raise Empty

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Acknowledge a message, and poll for the next one immediately."""
        super().basic_ack(delivery_tag, multiple)
        loop = get_event_loop()
        if loop is not None and self.connection is not None:
            loop.call_soon(self.connection._poll)

    def _size(self, queue: str) -> int:
        return len(self._names(f".{queue}.msg"))

    def _names(self, suffix: str) -> list[str]:
        with os.scandir(self._folder) as entries:
            return [entry.name for entry in entries if entry.name.endswith(suffix) and entry.name[0] != "."]


class Transport(filesystem.Transport):  # type: ignore[misc]
    """Polls for messages from Celery's event loop."""

    Channel = Channel
    implements = filesystem.Transport.implements.extend(asynchronous=True)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Start polling; called by Celery when its event loop starts."""
        loop.call_repeatedly(POLL_SECONDS, self._poll)

    def _poll(self) -> None:
        try:
            while True:
                self.cycle.get(self._deliver)
        except Empty:
            pass
        except OSError as error:
            logger.error("the message folder cannot be read: %s", error)
            time.sleep(ERROR_PAUSE_SECONDS)


def broker_folders(home: Path) -> dict[str, str]:
    """Return the message folders as kombu's transport options."""
    broker = home.resolve() / "broker"
    queue, claimed, control = (str(broker / part) for part in ("queue", "taken", "control"))
    return {"data_folder_in": queue, "data_folder_out": queue, "processed_folder": claimed, "control_folder": control}


def make_broker_folders(home: Path, older_than: float) -> None:
    """Create the message folders, and remove partial files that killed processes left behind.

    Args:
        home: the home folder.
        older_than: Unix time in seconds; newer files may still be in use.
    """
    folders = broker_folders(home)
    for folder in folders.values():
        Path(folder).mkdir(parents=True, exist_ok=True)
    partial = [*Path(folders["processed_folder"]).iterdir(), *Path(folders["data_folder_in"]).glob(".*")]
    for path in partial:
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < older_than:
                path.unlink()
