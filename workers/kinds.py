"""The kinds of jobs: which queue they wait in and how long they may take."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from configs.service import LimitSettings
from errors import SettingsError
from workers.context import Handler

Queue = Literal["ingest", "scan", "deliver"]
QUEUES: tuple[Queue, ...] = ("ingest", "scan", "deliver")


class GiveBack(Exception):  # noqa: N818  (not a failure: the job is done by another process, this attempt not counted)
    """The process was asked to stop: the job goes back."""


@dataclass(frozen=True)
class Kind:
    """One kind of job.

    Attributes:
        name: as it stands in the row, like ``scan.blocks``.
        queue: which queue it waits in.
        handler: what does it.
    """

    name: str
    queue: Queue
    handler: Handler

    def minutes(self, limits: LimitSettings) -> float:
        """How long one may take."""
        return {"ingest": limits.ingest_minutes, "scan": limits.scan_minutes, "deliver": limits.deliver_minutes}[
            self.queue
        ]


MODULES = ("workers.ingest", "workers.scans", "workers.night", "workers.delivery", "workers.upkeep")
"""Each has ``KINDS``, a tuple of its kinds; imported when first asked for, so that a delivery never imports torch."""


def find_kind(name: str) -> Kind:
    """Return the kind of that name.

    Raises:
        SettingsError: there is none; the job was made by another version.
    """
    for module in MODULES:
        for kind in import_module(module).KINDS:
            if kind.name == name:
                found: Kind = kind
                return found
    raise SettingsError(f"No kind of job is called {name!r}: was it made by another version of Tuban?")
