"""Whatever happens in a sandboxed process ends only that process and becomes a result or an error here."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import imagery
from errors import CameraError, ImageError, OutputError, TubanError
from imagery.sandbox import ResourceLimits, SandboxError, decoding_limits, run_sandboxed

LIMITS = ResourceLimits(wall_seconds=60, memory_bytes=2**32, cpu_seconds=50, file_bytes=2**20)

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a function of :mod:`tests.imagery.sandbox_tasks` in a sandboxed process."""

    def run_task(function: str, limits: ResourceLimits = LIMITS, **task: Any) -> Any:
        return run_sandboxed(f"tests.imagery.sandbox_tasks:{function}", task, limits=limits, workdir=tmp_path)

    return run_task


def test_nothing_of_the_environment_is_inherited(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUBAN_SECRET", "secret")
    environment = run("environment")
    assert "TUBAN_SECRET" not in environment
    assert environment["TMPDIR"] == str(tmp_path)
    assert environment["GDAL_SKIP"]
    assert not {"PATH", "HOME", "PYTHONPATH", "LD_LIBRARY_PATH"} & set(environment)


def test_limits_are_set_before_the_task_is_imported(run: Run) -> None:
    assert run("limits") == {
        "memory": 2**32, "memory_on_import": 2**32, "cpu": 50, "file": 2**20, "core": 0,
    }  # fmt: skip


def test_unlimited_resources_keep_the_limits_of_the_parent(run: Run) -> None:
    limits = run("limits", replace(LIMITS, cpu_seconds=None, file_bytes=None))
    assert (limits["cpu"], limits["file"]) == (-1, -1)


def test_a_nested_sandbox_cannot_raise_its_limits(run: Run, tmp_path: Path) -> None:
    assert run("nested", workdir=str(tmp_path)) == run("limits")


@pytest.mark.parametrize("error", [ImageError, OutputError, CameraError])
def test_an_error_is_raised_with_its_reason(run: Run, error: type[TubanError]) -> None:
    with pytest.raises(error, match=r"^a\.tif is damaged\.$") as caught:
        run("fail", error=error.__name__)
    assert type(caught.value) is error
    assert (caught.value.reason.code, caught.value.reason.values) == ("file.damaged", {"name": "a.tif"})


def test_any_other_error_is_a_sandbox_error(run: Run) -> None:
    with pytest.raises(SandboxError) as caught:
        run("fail", error="WeightsError")
    assert (caught.value.cause, caught.value.detail) == ("crash", "WeightsError")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_is_a_sandbox_error(run: Run, number: signal.Signals) -> None:
    with pytest.raises(SandboxError) as caught:
        run("crash", signal=int(number))
    assert (caught.value.cause, caught.value.detail) == ("crash", number.name)


def test_output_that_is_not_a_result_is_a_sandbox_error(run: Run) -> None:
    with pytest.raises(SandboxError, match="no result"):
        run("garble")


def test_too_much_memory_is_a_sandbox_error(run: Run) -> None:
    assert run("allocate", bytes=2**20) == 2**20
    with pytest.raises(SandboxError) as caught:
        run("allocate", bytes=2**32)
    assert caught.value.cause == "memory"


def test_too_large_a_file_is_a_sandbox_error(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("write", path=str(out), bytes=2**20) == 2**20
    with pytest.raises(SandboxError) as caught:
        run("write", path=str(out), bytes=2**20 + 1)
    assert caught.value.cause == "file size"


def ended(pid: int) -> bool:
    """Return whether a process has ended, or ends within some seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)


def test_a_process_that_hangs_is_killed_with_its_children(run: Run, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(SandboxError) as caught:
        run("hang", replace(LIMITS, wall_seconds=5), pids=str(pids))
    assert caught.value.cause == "time"
    assert [ended(int(pid)) for pid in pids.read_text().split()] == [True, True]


def test_a_process_whose_parent_has_ended_does_nothing(tmp_path: Path) -> None:
    request = {
        "function": "tests.imagery.sandbox_tasks:write",
        "task": {"path": str(tmp_path / "out"), "bytes": 1},
        "limits": {"wall_seconds": 60, "memory_bytes": None, "cpu_seconds": None, "file_bytes": None},
    }
    program = Path(imagery.__file__).with_name("sandbox_process.py")

    def exit_code(parent: int) -> int:
        text = json.dumps(request | {"parent": parent})
        return subprocess.run([sys.executable, "-I", program], input=text, text=True, check=False).returncode

    assert exit_code(parent=os.getppid()) == 1
    assert not (tmp_path / "out").exists()
    assert exit_code(parent=os.getpid()) == 0
    assert (tmp_path / "out").exists()


def test_decoding_limits_bound_the_processor_time_of_all_threads() -> None:
    limits = imagery.Limits(rewrite_seconds=100, rewrite_memory_bytes=7)
    assert decoding_limits(limits, file_bytes=9) == ResourceLimits(100, 7, 200, 9)
    assert decoding_limits(limits, file_bytes=9, threads=1).cpu_seconds == 100
