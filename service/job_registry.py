"""Registry of job kinds: their queues, time limits and handlers."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from configs.service import LimitSettings
from errors import SettingsError

if TYPE_CHECKING:
    from service.context import Handler

Queue = Literal["ingest", "scan", "deliver", "capture"]
QUEUES: tuple[Queue, ...] = ("ingest", "scan", "deliver", "capture")


def queue_name(queue: str) -> str:
    """Return the name of a queue at the broker, prefixed because the broker may be shared."""
    return f"tuban.{queue}"


class ReleaseJob(Exception):  # noqa: N818  (not an error: the attempt is not counted, another process runs the job)
    """Raised by a handler to return its job to the queue because the process is shutting down."""


@dataclass(frozen=True)
class JobKind:
    """One kind of job.

    Attributes:
        name: as stored in the job row, like ``scan.blocks``.
        queue: the queue its jobs wait in.
        handler: runs a job.
    """

    name: str
    queue: Queue
    handler: Handler


def time_limit_minutes(queue: str, limits: LimitSettings) -> float:
    """Return the time limit of a job of that queue in minutes."""
    minutes: float = getattr(limits, f"{queue}_minutes")
    return minutes


def longest_job_seconds(limits: LimitSettings) -> float:
    """Return the seconds after which a job of the slowest queue is killed."""
    return 60 * max(time_limit_minutes(queue, limits) for queue in QUEUES) + limits.kill_seconds


JOB_MODULES: tuple[str, ...] = (
    "workers.delivery.deliver",
    "workers.messages.send",
    "workers.messages.collect",
    "workers.messages.daily",
    "workers.field",
    "workers.sharing",
    "workers.cameras.captures",
    "workers.cameras.capture_retention",
    "workers.audit",
    "workers.integrity",
    "workers.layers",
    "workers.exports",
    "workers.reports",
    "workers.documents",
    "workers.ingest.images",
    "workers.ingest.image_retention",
    "workers.scanning.night",
    "workers.scanning.scans",
    "workers.cameras.comparison",
)
"""Modules that define ``JOB_KINDS``, a tuple of job kinds. They are imported in this order until the kind is found;
those that import torch come last, so that a delivery never imports it."""


def find_job_kind(name: str) -> JobKind:
    """Return the job kind of that name.

    Raises:
        SettingsError: unknown kind; the job was created by another version.
    """
    for module in JOB_MODULES:
        for kind in import_module(module).JOB_KINDS:
            if kind.name == name:
                found: JobKind = kind
                return found
    raise SettingsError(f"Unknown kind of job {name!r}: was it created by another version of Tuban?")
