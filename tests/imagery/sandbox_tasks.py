"""Tasks that tests run in a sandboxed process."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import errors

MEMORY_LIMIT_ON_IMPORT = resource.getrlimit(resource.RLIMIT_AS)[0]


def environment(task: dict[str, Any]) -> dict[str, str]:
    """Return the environment of the process."""
    return dict(os.environ)


def limits(task: dict[str, Any]) -> dict[str, int]:
    """Return the limits of the process, and the one on memory when this module was imported."""
    kinds = {"memory": resource.RLIMIT_AS, "cpu": resource.RLIMIT_CPU, "file": resource.RLIMIT_FSIZE}
    found = {name: resource.getrlimit(kind)[1] for name, kind in kinds.items()}
    return found | {"memory_on_import": MEMORY_LIMIT_ON_IMPORT, "core": resource.getrlimit(resource.RLIMIT_CORE)[1]}


def fail(task: dict[str, Any]) -> None:
    """Raise the error that the task names."""
    raise getattr(errors, task["error"])("a.tif is damaged.", "file.damaged", name="a.tif")


def crash(task: dict[str, Any]) -> None:
    """End without a result."""
    os.kill(os.getpid(), task["signal"])


def garble(task: dict[str, Any]) -> None:
    """End successfully, but print something other than a result."""
    print("a decoder's message", flush=True)


def allocate(task: dict[str, Any]) -> int:
    """Allocate memory."""
    return len(bytearray(task["bytes"]))


def write(task: dict[str, Any]) -> int:
    """Write a file."""
    return Path(task["path"]).write_bytes(bytes(task["bytes"]))


def hang(task: dict[str, Any]) -> None:
    """Start a child, note the ids of both, and never end."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(task["pids"]).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)


def nested(task: dict[str, Any]) -> dict[str, int]:
    """Return the limits of a sandboxed process that this one starts with higher limits."""
    from imagery.sandbox import ResourceLimits, run_sandboxed

    higher = ResourceLimits(wall_seconds=60, memory_bytes=2**42, cpu_seconds=2**20, file_bytes=2**42)
    result: dict[str, int] = run_sandboxed(f"{__name__}:limits", {}, limits=higher, workdir=Path(task["workdir"]))
    return result


def ingest_unprivileged(task: dict[str, Any]) -> str:
    """Ingest an image without the capability to raise limits, and return its date."""
    import ctypes
    import datetime as dt

    from imagery.conversion.ingest import ingest_image
    from imagery.limits import Limits

    ctypes.CDLL(None).prctl(24, 24, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_SYS_RESOURCE: lost at the next exec
    image = ingest_image(
        Path(task["path"]), Path(task["path"]).name, Path(task["out"]), limits=Limits(),
        today=dt.date(2026, 11, 23), workdir=Path(task["workdir"]),
    )  # fmt: skip
    return str(image.date)
