"""The embedded broker: each message is a small file in the home folder.

kombu brings a transport over files; this one differs from it in some ways. A message appears under its name when it is
whole. A reader takes it by renaming it on the same disk, so one reader gets it; it is then removed. And it takes part
in Celery's event loop, so that the worker's pool is the same as over Redis and RabbitMQ: each child has its own pipes,
and one that is killed leaves no lock behind.

A message lost with a killed reader is no harm: the database knows its job.
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
"""How often an idle worker looks into the folder; one look takes a few microseconds."""

FAULT_SECONDS = 5.0
"""Pause after the folder could not be read."""

logger = logging.getLogger("tuban.messages")


class Channel(filesystem.Channel):  # type: ignore[misc]
    """Puts and gets messages."""

    def get_table(self, exchange: str) -> list[Any]:
        """Which queue each routing key points to; nothing is kept in files for that."""
        named = [queue_name(queue) for queue in QUEUES]
        return [filesystem.exchange_queue_t(name, "", name) for name in named]

    def _queue_bind(self, *_: Any) -> None:
        """All bindings are known."""

    @property
    def _folder(self) -> Path:
        return Path(self.data_folder_out)

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"  # in the order of their names they are taken
        hidden = self._folder / f".{name}"
        hidden.write_text(json.dumps(payload), encoding="utf-8")
        hidden.rename(self._folder / name)

    def _get(self, queue: str) -> Any:
        end = f".{queue}.msg"
        for name in sorted(self._names(end)):
            taken = Path(self.processed_folder) / name
            try:
                (self._folder / name).rename(taken)
            except FileNotFoundError:
                continue  # another worker was faster
            text = taken.read_text(encoding="utf-8")
            taken.unlink()
            try:
                return json.loads(text)
            except ValueError:  # the machine lost power before the disk had it
                logger.warning("a broken message was dropped", extra={"file": name})
        raise Empty

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Also look for the next message at once, there is room for one now."""
        super().basic_ack(delivery_tag, multiple)
        loop = get_event_loop()
        if loop is not None and self.connection is not None:
            loop.call_soon(self.connection._look)

    def _size(self, queue: str) -> int:
        return len(self._names(f".{queue}.msg"))

    def _names(self, end: str) -> list[str]:
        with os.scandir(self._folder) as entries:
            return [entry.name for entry in entries if entry.name.endswith(end) and entry.name[0] != "."]


class Transport(filesystem.Transport):  # type: ignore[misc]
    """Looks for messages whenever the event loop comes round."""

    Channel = Channel
    implements = filesystem.Transport.implements.extend(asynchronous=True)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Called by Celery when its loop begins."""
        loop.call_repeatedly(POLL_SECONDS, self._look)

    def _look(self) -> None:
        try:
            while True:
                self.cycle.get(self._deliver)
        except Empty:
            pass
        except OSError as error:
            logger.error("the folder of the messages cannot be read: %s", error)
            time.sleep(FAULT_SECONDS)


def broker_folders(home: Path) -> dict[str, str]:
    """The folders of the messages, as kombu wants to be told."""
    broker = home.resolve() / "broker"
    queue, taken, control = (str(broker / part) for part in ("queue", "taken", "control"))
    return {"data_folder_in": queue, "data_folder_out": queue, "processed_folder": taken, "control_folder": control}


def make_broker_folders(home: Path, older_than: float) -> None:
    """Make the folders, and remove what processes that were killed left half written or half read.

    Args:
        home: the service's folder.
        older_than: seconds since 1970; younger files may still be in somebody's hands.
    """
    folders = broker_folders(home)
    for folder in folders.values():
        Path(folder).mkdir(parents=True, exist_ok=True)
    left = [*Path(folders["processed_folder"]).iterdir(), *Path(folders["data_folder_in"]).glob(".*")]
    for path in left:
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < older_than:
                path.unlink()
