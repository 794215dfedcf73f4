"""Shutdown flag of a worker: set by the parent process, read by its child processes.

The flag is a timestamp in shared memory. It needs no lock, so a killed child cannot leave one locked.
"""

from __future__ import annotations

import mmap
import struct
import time

GRACE_SECONDS = 20.0
"""How long a running job may continue after the request; then it is released."""

_TIMESTAMP = struct.Struct("d")
_shared = mmap.mmap(-1, _TIMESTAMP.size)  # zeros; created when the parent imports this module, before it forks


def request_shutdown() -> None:
    """Set the flag; called in the parent process."""
    if not shutdown_requested():
        _TIMESTAMP.pack_into(_shared, 0, time.monotonic())


def shutdown_requested() -> bool:
    """Return whether the worker is shutting down."""
    return _requested_at() > 0


def grace_period_over() -> bool:
    """Return whether a running job must be released because the grace period has ended."""
    return shutdown_requested() and time.monotonic() - _requested_at() > GRACE_SECONDS


def _requested_at() -> float:
    """Return the monotonic time of the request in seconds; 0: none."""
    seconds: float = _TIMESTAMP.unpack_from(_shared, 0)[0]
    return seconds
