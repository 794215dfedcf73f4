"""Decode untrusted files and streams in a resource-limited subprocess.

:func:`run_sandboxed` starts :mod:`imagery.sandbox_process`, which limits its own resources before it imports anything
that decodes images, and then runs one task. A crash, a hang or an exhausted limit ends only that process; the caller
gets a :class:`SandboxError`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from errors import CameraError, ImageError, OutputError, Reason, TubanError
from imagery.gdal_environment import ENVIRONMENT
from imagery.limits import Limits
from imagery.sandbox_process import EXIT_EXCEPTION, EXIT_FILE_SIZE, EXIT_MEMORY

_PROGRAM = Path(__file__).with_name("sandbox_process.py")
_ERRORS: dict[int, type[TubanError]] = {error.exit_code: error for error in (CameraError, ImageError, OutputError)}


Cause = Literal["time", "memory", "file size", "crash"]


class SandboxError(TubanError):
    """A sandboxed process crashed, exceeded a limit or returned no result.

    Attributes:
        cause: the limit that was exceeded, or "crash".
        detail: how the process ended, for messages: a signal, an exit code or the name of an exception.
    """

    def __init__(self, message: str, cause: Cause = "crash", detail: str = "") -> None:
        """Create an error with its cause."""
        super().__init__(message)
        self.cause, self.detail = cause, detail


@dataclass(frozen=True)
class ResourceLimits:
    """Resource limits of one sandboxed process; None: unlimited.

    Attributes:
        wall_seconds: the process is killed after this time.
        memory_bytes: address space (``RLIMIT_AS``).
        cpu_seconds: processor time of all its threads (``RLIMIT_CPU``).
        file_bytes: size of the largest file that it may write (``RLIMIT_FSIZE``).
    """

    wall_seconds: float
    memory_bytes: int
    cpu_seconds: int | None = None
    file_bytes: int | None = None


def decoding_limits(limits: Limits, *, file_bytes: int, threads: int = 2) -> ResourceLimits:
    """Return the resource limits of a process that decodes images.

    Args:
        limits: its time and memory.
        file_bytes: size of the largest file that it may write.
        threads: that use processor time at once.
    """
    return ResourceLimits(
        wall_seconds=limits.rewrite_seconds,
        memory_bytes=limits.rewrite_memory_bytes,
        cpu_seconds=limits.rewrite_seconds * threads,
        file_bytes=file_bytes,
    )


def run_sandboxed(function: str, task: dict[str, Any], *, limits: ResourceLimits, workdir: Path) -> Any:
    """Run one task in a sandboxed process and return its result.

    The process inherits nothing from this one's environment: no credentials, proxies or library paths. It receives the
    task on standard input, where no other process can read it, has a session of its own, and ends with this process.

    Args:
        function: what to run, as ``"package.module:function"``. It takes the task and returns plain JSON; its module is
            imported after the limits are set, and only in the sandboxed process.
        task: plain JSON.
        limits: what the process may use.
        workdir: its working directory and its folder for temporary files.

    Raises:
        ImageError, OutputError, CameraError: raised by the function.
        SandboxError: the process crashed, exceeded a limit or returned no result.
    """
    request = {"function": function, "task": task, "limits": asdict(limits), "parent": os.getpid()}
    process = subprocess.Popen(
        # -B: under a limit on file sizes, Python would leave truncated bytecode behind
        [sys.executable, "-I", "-B", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # FFmpeg prints addresses with their passwords
        text=True,
        errors="replace",
        env=ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", "TMPDIR": str(workdir.absolute())},
        cwd=workdir,
        start_new_session=True,  # so that its children are killed with it, and Ctrl-C reaches only this process
    )
    try:
        output, _ = process.communicate(json.dumps(request), timeout=limits.wall_seconds)
    except subprocess.TimeoutExpired:
        raise SandboxError(f"A sandboxed process took more than {limits.wall_seconds:g} s.", "time") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return _result(process.returncode, output)


def _result(exit_code: int, output: str) -> Any:
    """Return the result that a process printed, or raise the error that it reported."""
    error = _ERRORS.get(exit_code)
    if exit_code != 0 and error is None:
        raise _sandbox_error(exit_code, output)
    try:
        result = json.loads(output)
    except ValueError:
        raise SandboxError("A sandboxed process returned no result.", detail="no result") from None
    if error is not None:
        raise error(Reason.from_json(*result))
    return result


def _sandbox_error(exit_code: int, output: str) -> SandboxError:
    causes: dict[int, Cause] = {
        EXIT_MEMORY: "memory", EXIT_FILE_SIZE: "file size", -signal.SIGXFSZ: "file size", -signal.SIGXCPU: "time",
    }  # fmt: skip
    detail = f"exit code {exit_code}"
    if exit_code == EXIT_EXCEPTION:
        detail = output.strip()[:100]
    elif exit_code < 0:
        detail = signal.Signals(-exit_code).name
    return SandboxError(f"A sandboxed process ended with {detail}.", causes.get(exit_code, "crash"), detail)
