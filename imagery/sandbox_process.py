"""Run one task in a sandboxed process: the program that :func:`imagery.sandbox.run_sandboxed` starts.

It runs as a script and imports only the standard library until its limits are set.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import resource
import signal
import sys
from pathlib import Path

EXIT_MEMORY, EXIT_FILE_SIZE, EXIT_EXCEPTION = 121, 122, 123
"""Exit codes: a limit on memory or file size was exceeded; an exception of another type, whose name is printed."""

_PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def serve() -> int:
    """Read a request from standard input, run it and print the result as JSON.

    Returns:
        the exit code: 0, that of the :class:`errors.TubanError` whose reason was printed instead, or one of the above.
    """
    request = json.load(sys.stdin)
    _end_with_parent()
    if os.getppid() != request["parent"]:  # it ended before the line above took effect
        return 1
    _limit_resources(request["limits"])
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from errors import CameraError, ImageError, OutputError

    module, _, function = request["function"].partition(":")
    try:
        result, exit_code = getattr(importlib.import_module(module), function)(request["task"]), 0
    except (CameraError, ImageError, OutputError) as error:
        result, exit_code = [error.reason, error.reason.to_json()], error.exit_code
    except MemoryError:
        return EXIT_MEMORY
    except Exception as error:  # its message may contain an address with a password
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            return EXIT_FILE_SIZE
        print(type(error).__name__)
        return EXIT_EXCEPTION
    json.dump(result, sys.stdout)
    return exit_code


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit_resources(limits: dict[str, int | None]) -> None:
    """Set the limits of :class:`imagery.sandbox.ResourceLimits`; the parent enforces ``wall_seconds``."""
    for kind, limit in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        if limit is None:
            continue
        hard = resource.getrlimit(kind)[1]
        # within another sandbox, its limits hold too: only root may raise them
        value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    sys.exit(serve())
