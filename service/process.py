"""Names of processes, and ending with the parent process."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def process_name(pid: int) -> str:
    """Return the name ``host:pid`` of a process of this machine."""
    return f"{socket.gethostname()}:{pid}"


def exit_with_parent(parent: int) -> None:
    """Make the kernel kill this process when its parent process ends, for whatever reason; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the call above
        os._exit(1)
