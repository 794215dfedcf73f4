"""Password hashing: argon2id with the default parameters of argon2-cffi (RFC 9106, low memory).

Each hash needs 64 MiB of memory, so a process computes few of them at a time and queues a limited number of others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from web.http_errors import HttpError

MIN_PASSWORD_LENGTH = 10

PARALLEL_HASHES = 2
"""Hashes computed at the same time by one process, in 128 MiB."""

MAX_QUEUED = 16
"""Hashes that wait for their turn. Each occupies one of the 40 threads that serve the pages; at some 50 ms per hash
the last one waits for less than a second."""

_hasher = PasswordHasher()
_DUMMY_HASH = _hasher.hash("a password that no user has")


class HashingBusy(HttpError):  # noqa: N818  (like the others, named after the response)
    """503 Service Unavailable: too many passwords are being verified."""

    status = 503

    def __init__(self) -> None:
        """The message asks to try again."""
        super().__init__("sign_in.busy")


class HashQueue:
    """Admits few hash computations at a time, queues others, and refuses the rest."""

    def __init__(self, parallel: int = PARALLEL_HASHES, queued: int = MAX_QUEUED) -> None:
        """``parallel``: computed at the same time; ``queued``: waiting for their turn."""
        self._slots = threading.Semaphore(parallel)
        self._admitted = threading.Semaphore(parallel + queued)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn.

        Raises:
            HashingBusy: the queue is full.
        """
        if not self._admitted.acquire(blocking=False):
            raise HashingBusy
        try:
            with self._slots:
                yield
        finally:
            self._admitted.release()


_queue = HashQueue()


def hash_password(password: str) -> str:
    """Return the hash of a password, to be stored.

    Raises:
        HashingBusy: too many passwords are being hashed.
    """
    with _queue.turn():
        return _hasher.hash(password)


def is_password(stored: str, password: str) -> bool:
    """Return whether a password matches the stored hash.

    With an empty hash it takes equally long, so that timing does not reveal whether a user exists.

    Raises:
        HashingBusy: too many passwords are being hashed.
    """
    with _queue.turn():
        try:
            return _hasher.verify(stored or _DUMMY_HASH, password) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False
