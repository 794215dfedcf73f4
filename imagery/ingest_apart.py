"""An image rewritten in a process of its own: what a decoder does to that process is an answer, not an accident.

:func:`ingest_apart` starts it; the same file is the program that runs there. It gives itself limits before it imports
anything that reads images, knows nothing of this process' environment, and ends with it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagery.ingest import IngestedImage
    from imagery.limits import Limits

_REFUSED, _NO_ROOM = 3, 5  # exit codes; the reason stands on standard output
_THREADS = 2  # that take processor time at once
_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def ingest_apart(
    path: Path,
    name: str,
    out: Path,
    *,
    limits: Limits,
    today: dt.date,
    workdir: Path,
    default_date: dt.date | None,
    most_bytes: int,
) -> IngestedImage:
    """Do :func:`imagery.ingest.ingest_here` in a process of its own.

    Args:
        path, name, out, limits, today, workdir, default_date: see there.
        most_bytes: the largest file it may write.

    Raises:
        ImageError: what was raised there, or it died or went beyond its limits.
        OutputError: what was raised there.
    """
    from errors import ImageError, OutputError, Reason
    from imagery.gdal_environment import ENVIRONMENT
    from imagery.ingest import IngestedImage
    from imagery.limits import GIB

    task = {
        "path": str(path.absolute()),
        "name": name,
        "out": str(out.absolute()),
        "limits": limits.__dict__,
        "today": today.isoformat(),
        "workdir": str(workdir.absolute()),
        "default_date": default_date and default_date.isoformat(),
        "most_bytes": most_bytes,
        "parent": os.getpid(),
    }
    # nothing of the parent's environment: no credentials, no proxies, no library paths
    environment = ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", "TMPDIR": str(workdir.absolute())}
    child = subprocess.Popen(
        [sys.executable, "-I", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=environment,
        cwd=workdir,
        start_new_session=True,  # so that what it starts ends with it, and Ctrl-C is for us to handle
    )
    try:
        told, _ = child.communicate(json.dumps(task), timeout=limits.rewrite_seconds)
    except subprocess.TimeoutExpired:
        told = ""
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.returncode == 0:
        return IngestedImage.from_json(json.loads(told))
    out.unlink(missing_ok=True)
    if child.returncode in (_REFUSED, _NO_ROOM):
        raise (ImageError if child.returncode == _REFUSED else OutputError)(Reason.of(*json.loads(told)))
    raise ImageError(
        f"{name} could not be decoded within {limits.rewrite_seconds:,} s and "
        f"{limits.rewrite_memory_bytes / GIB:.1f} GiB of memory. Convert it with `gdal_translate IN OUT.tif -of COG`.",
        "file.undecodable",
        name=name,
        seconds=limits.rewrite_seconds,
    )


def main() -> int:
    """Do one task, given as JSON on standard input. 0: done, and standard output tells what is known of the image."""
    import resource

    task = json.load(sys.stdin)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_END_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != task["parent"]:  # it was gone before we asked
        return 1
    seconds = task["limits"]["rewrite_seconds"]
    for limit, value in (
        (resource.RLIMIT_AS, task["limits"]["rewrite_memory_bytes"]),
        (resource.RLIMIT_CPU, seconds * _THREADS),
        (resource.RLIMIT_FSIZE, task["most_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from errors import ImageError, OutputError

    try:
        answer: Any = _ingest(task)
        code = 0
    except ImageError as error:
        answer, code = [error.reason, error.reason.told()], _REFUSED
    except OutputError as error:
        answer, code = [error.reason, error.reason.told()], _NO_ROOM
    json.dump(answer, sys.stdout)
    return code


def _ingest(task: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import replace

    from imagery.ingest import ingest_here
    from imagery.limits import Limits

    limits = Limits(**task["limits"])
    image = ingest_here(
        Path(task["path"]),
        task["name"],
        Path(task["out"]),
        # this process has its limits: no other one is started, and a file stored in lines is read line by line
        limits=replace(limits, in_process_pixels=limits.max_pixels),
        today=dt.date.fromisoformat(task["today"]),
        workdir=Path(task["workdir"]),
        default_date=task["default_date"] and dt.date.fromisoformat(task["default_date"]),
    )
    return image.to_json()


if __name__ == "__main__":
    sys.exit(main())
