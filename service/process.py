"""What every process of the service begins with."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys

from configs.service import ServiceSettings
from service.logs import set_up_logging

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def process_name(process: int) -> str:
    """A process of this machine as ``host:process``."""
    return f"{socket.gethostname()}:{process}"


def begin(settings: ServiceSettings) -> None:
    """Set up logging."""
    set_up_logging(settings)


def exit_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however that ends. On Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before we asked
        os._exit(1)
