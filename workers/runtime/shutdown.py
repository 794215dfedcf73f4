"""Whether this worker was asked to stop: said by its parent process, seen by all its children.

One number in memory that parent and children share. It has no lock, so no child that is killed can take it with it.
"""

from __future__ import annotations

import mmap
import struct
import time

GRACE_SECONDS = 20.0
"""How long a job that runs may go on after that; then it is given back."""

_NUMBER = struct.Struct("d")
_shared = mmap.mmap(-1, _NUMBER.size)  # zeros; made when the parent imports this, before it forks


def request_shutdown() -> None:
    """Called in the parent."""
    if not shutdown_requested():
        _NUMBER.pack_into(_shared, 0, time.monotonic())


def shutdown_requested() -> bool:
    """Whether the worker was asked to stop."""
    return _asked_at() > 0


def grace_period_over() -> bool:
    """Whether that was so long ago that a running job must be given back."""
    return shutdown_requested() and time.monotonic() - _asked_at() > GRACE_SECONDS


def _asked_at() -> float:
    moment: float = _NUMBER.unpack_from(_shared, 0)[0]
    return moment
