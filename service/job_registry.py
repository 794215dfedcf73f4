"""The kinds of jobs: which queue they wait in and how long they may take."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from configs.service import LimitSettings
from errors import SettingsError
from service.context import Handler

Queue = Literal["ingest", "scan", "deliver", "capture"]
QUEUES: tuple[Queue, ...] = ("ingest", "scan", "deliver", "capture")


def queue_name(queue: str) -> str:
    """Name of a queue at the broker, where others may have theirs."""
    return f"tuban.{queue}"


class ReleaseJob(Exception):  # noqa: N818  (not a failure: the job is done by another process, this attempt not counted)
    """The process was asked to stop: the job goes back."""


@dataclass(frozen=True)
class JobKind:
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
        return time_limit_minutes(self.queue, limits)


def time_limit_minutes(queue: str, limits: LimitSettings) -> float:
    """How long a job of that queue may take."""
    minutes: float = getattr(limits, f"{queue}_minutes")
    return minutes


def longest_job_seconds(limits: LimitSettings) -> float:
    """Seconds after which the longest job is killed."""
    return 60 * max(time_limit_minutes(queue, limits) for queue in QUEUES) + limits.kill_seconds


JOB_MODULES: tuple[str, ...] = (
    "workers.delivery.deliver",
    "workers.cameras.captures",
    "workers.cameras.capture_retention",
    "workers.audit",
    "workers.ingest.images",
    "workers.scanning.night",
    "workers.scanning.scans",
    "workers.cameras.comparison",
)
"""Each has ``JOB_KINDS``, a tuple of its kinds. Imported in this order until the kind is found, those that import torch
last, so that a delivery never does."""


def find_job_kind(name: str) -> JobKind:
    """Return the kind of that name.

    Raises:
        SettingsError: there is none; the job was made by another version.
    """
    for module in JOB_MODULES:
        for kind in import_module(module).JOB_KINDS:
            if kind.name == name:
                found: JobKind = kind
                return found
    raise SettingsError(f"No kind of job is called {name!r}: was it made by another version of Tuban?")
