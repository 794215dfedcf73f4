"""Workers size themselves by what their control group may use, which may be less than the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from configs import service
from configs.machine import MIB, usable_cores, usable_memory_mib
from configs.service import read_service

GIB = 2**30
MACHINE_MIB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB
CORES = len(os.sched_getaffinity(0))

LIMITS: dict[str, tuple[str, dict[str, str], int, int]] = {
    # name: (own groups, files, memory in MiB, cores)
    "none": ("0::/", {}, MACHINE_MIB, CORES),
    "version 2": ("0::/a", {"a/memory.max": str(2 * GIB), "a/cpu.max": "100000 100000"}, 2048, 1),
    "version 2, unlimited": ("0::/a", {"a/memory.max": "max", "a/cpu.max": "max 100000"}, MACHINE_MIB, CORES),
    "of a group around it": ("0::/a/b", {"a/memory.max": str(GIB), "a/b/memory.max": "max"}, 1024, CORES),
    "namespace of a container": ("0::/", {"memory.max": str(GIB), "cpu.max": "50000 100000"}, 1024, 1),
    "throttled from": ("0::/a", {"a/memory.max": "max", "a/memory.high": str(GIB)}, 1024, CORES),
    "version 1": (
        "4:memory:/a\n3:cpu,cpuacct:/a",
        {
            "memory/a/memory.limit_in_bytes": str(GIB),
            "cpu/a/cpu.cfs_quota_us": "100000",
            "cpu/a/cpu.cfs_period_us": "100000",
        },
        1024,
        1,
    ),
    "version 1, unlimited": (
        "4:memory:/\n1:cpu:/",
        {"memory/memory.limit_in_bytes": "9223372036854771712", "cpu/cpu.cfs_quota_us": "-1"},
        MACHINE_MIB,
        CORES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_the_smallest_limit_of_the_control_groups_counts(tmp_path: Path, name: str) -> None:
    groups, files, memory, cores = LIMITS[name]
    (tmp_path / "own").write_text(groups + "\n")
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content + "\n")
    assert usable_memory_mib(tmp_path, tmp_path / "own") == min(memory, MACHINE_MIB)
    assert usable_cores(tmp_path, tmp_path / "own") == min(cores, CORES)


def test_other_systems_have_no_control_groups(tmp_path: Path) -> None:
    assert usable_memory_mib(tmp_path, tmp_path / "missing") == MACHINE_MIB
    assert usable_cores(tmp_path, tmp_path / "missing") == CORES


@pytest.mark.parametrize(
    ("cores", "memory_mib", "processes", "worker_mib"),
    [(16, 64_000, 8, 6000), (16, 8_000, 2, 2666), (2, 2_000, 1, 1000), (1, 500, 1, 1000), (4, 128_000, 2, 6000)],
)
def test_processes_of_workers_fit_into_memory(
    monkeypatch: pytest.MonkeyPatch, cores: int, memory_mib: int, processes: int, worker_mib: int
) -> None:
    monkeypatch.setattr(service, "usable_cores", lambda: cores)
    monkeypatch.setattr(service, "usable_memory_mib", lambda: memory_mib)
    settings = read_service()
    assert (settings.worker_processes, settings.worker_memory_mib) == (processes, worker_mib)
    assert read_service(processes=5).worker_processes == 5


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of version 1 or 2 with 512 MiB."""
    for parent, name in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = parent / f"tuban-test-{uuid4().hex[:8]}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if not (group / name).exists():
                continue
            (group / name).write_text(str(512 * MIB))
            yield group
            return
        except OSError:
            continue
        finally:
            group.rmdir()
    pytest.skip("no control group of memory can be created here")


def test_a_process_in_a_real_control_group_sees_its_limit(small_group: Path) -> None:
    code = (
        "import os, sys; open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
        "from configs.service import read_service; from configs.machine import usable_memory_mib\n"
        "print(usable_memory_mib(), read_service().worker_processes)"
    )
    seen = subprocess.run([sys.executable, "-c", code, str(small_group)], capture_output=True, text=True, check=True)
    assert seen.stdout.split() == ["512", "1"]
