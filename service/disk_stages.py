"""What stops when the disk fills: intake first, then scans; pages, decisions, documents and deliveries continue."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Literal

from configs.service import ServiceSettings

StageName = Literal["normal", "intake", "scans"]

CONTINUED_KINDS = ("images.retention", "camera.forget", "alerts.audit", "documents.pdf", "exports.expire")
"""Jobs of the queues of intake that run at every stage: they free space, or belong to pages and documents."""


@dataclass(frozen=True)
class DiskStage:
    """The stage of the home folder's disk.

    Attributes:
        name: ``intake``: uploads, ingest, captures and photos are refused; ``scans``: scans wait as well.
        free_mib: free space; 0 if the folder is missing.
        required_mib: space from which the next better stage begins; 0: none.
    """

    name: StageName
    free_mib: int
    required_mib: int

    @property
    def refused(self) -> bool:
        """Whether intake is refused."""
        return self.name != "normal"


def disk_stage(settings: ServiceSettings) -> DiskStage:
    """Return the stage now, by ``limits.intake_disk_mib`` and ``limits.free_disk_mib``."""
    limits = settings.limits
    try:
        free = shutil.disk_usage(settings.home.resolve()).free // 2**20
    except OSError:
        free = 0
    if free < limits.free_disk_mib:
        return DiskStage("scans", free, limits.free_disk_mib)
    if free < limits.intake_mib:
        return DiskStage("intake", free, limits.intake_mib)
    return DiskStage("normal", free, 0)


def needed_mib(settings: ServiceSettings, queue: str, kind: str) -> tuple[int, str]:
    """Return the free space in MiB that a job needs to start, and the setting that says so; (0, ""): none.

    Jobs of the queue ``scan`` stop last. Deliveries, messages, documents and reports run at every stage.
    """
    if queue == "deliver" or kind in CONTINUED_KINDS:
        return 0, ""
    if queue == "scan":
        return settings.limits.free_disk_mib, "limits.free_disk_mib"
    return settings.limits.intake_mib, "limits.intake_disk_mib"
