"""Processors and memory that this process may use: containers often get less than the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")

MIB = 2**20


def usable_cores(groups: Path = CGROUPS, own: Path = OWN_CGROUP) -> int:
    """Return the number of processors that this process may use, at least 1.

    Args:
        groups: where the control groups are mounted.
        own: file that names those of this process.
    """
    cores = float(len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else float(os.cpu_count() or 1)
    for folder in _folders("cpu", groups, own):
        quota, period = _words(folder / "cpu.max")[:2] or ["max", "1"]  # version 2
        if quota == "max":
            quota = (_words(folder / "cpu.cfs_quota_us") or ["-1"])[0]  # version 1
            period = (_words(folder / "cpu.cfs_period_us") or ["1"])[0]
        if quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0:
            cores = min(cores, int(quota) / int(period))
    return max(1, int(cores))


def usable_memory_mib(groups: Path = CGROUPS, own: Path = OWN_CGROUP) -> int:
    """Return the memory that this process and its group may use, in MiB.

    Args:
        groups: where the control groups are mounted.
        own: file that names those of this process.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for folder in _folders("memory", groups, own):
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):  # "max", or a number above any machine's
            limit = (_words(folder / name) or ["max"])[0]
            if limit.isdecimal() and int(limit) > 0:
                memory = min(memory, int(limit))
    return memory // MIB


def _folders(controller: str, groups: Path, own: Path) -> Iterator[Path]:
    """Yield the folders of this process's control group and of all groups around it; each may set a limit."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        inside = PurePosixPath(path)
        for group in (inside, *inside.parents):
            relative = str(group).strip("/")
            yield (groups / controller if controllers else groups) / relative


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
