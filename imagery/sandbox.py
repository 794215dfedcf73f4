"""Work on files from strangers in a process of its own: what a decoder does to that process is an answer, no accident.

:func:`run_apart` starts a program of ours, which calls :func:`serve` as the first thing it does: it gives itself limits
before it imports anything that reads images, knows nothing of this process' environment, and ends with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagery.files.limits import Limits

_REFUSED, _NO_ROOM = 3, 5  # exit codes; the reason stands on standard output
_THREADS = 2  # that take processor time at once
_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def run_apart(program: Path, task: dict[str, Any], *, limits: Limits, workdir: Path, most_bytes: int) -> Any:
    """Run a program with a task, and return its answer; None: it died or went beyond its limits.

    Args:
        program: a file of ours.
        task: plain JSON.
        limits: time and memory that it may take.
        workdir: where it works.
        most_bytes: the largest file it may write.

    Raises:
        ImageError: what was raised there.
        OutputError: what was raised there.
    """
    from errors import ImageError, OutputError, Reason
    from imagery.gdal_environment import ENVIRONMENT

    whole = {"task": task, "limits": limits.__dict__, "most_bytes": most_bytes, "parent": os.getpid()}
    # nothing of the parent's environment: no credentials, no proxies, no library paths
    environment = ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", "TMPDIR": str(workdir.absolute())}
    child = subprocess.Popen(
        [sys.executable, "-I", str(program)],
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
        told, _ = child.communicate(json.dumps(whole), timeout=limits.rewrite_seconds)
    except subprocess.TimeoutExpired:
        told = ""
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.returncode == 0:
        return json.loads(told)
    if child.returncode in (_REFUSED, _NO_ROOM):
        raise (ImageError if child.returncode == _REFUSED else OutputError)(Reason.of(*json.loads(told)))
    return None


def serve(work: Callable[[dict[str, Any], dict[str, Any]], Any]) -> int:
    """Do one task, given on standard input, and answer on standard output. Returns the exit code.

    Args:
        work: is given the task and the values of :class:`imagery.files.limits.Limits`; returns plain JSON. It imports what it
            needs itself, after the limits stand.
    """
    import resource

    whole = json.load(sys.stdin)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_END_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != whole["parent"]:  # it was gone before we asked
        return 1
    seconds = whole["limits"]["rewrite_seconds"]
    for limit, value in (
        (resource.RLIMIT_AS, whole["limits"]["rewrite_memory_bytes"]),
        (resource.RLIMIT_CPU, seconds * _THREADS),
        (resource.RLIMIT_FSIZE, whole["most_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    from errors import ImageError, OutputError

    try:
        answer, code = work(whole["task"], whole["limits"]), 0
    except ImageError as error:
        answer, code = [error.reason, error.reason.told()], _REFUSED
    except OutputError as error:
        answer, code = [error.reason, error.reason.told()], _NO_ROOM
    json.dump(answer, sys.stdout)
    return code
