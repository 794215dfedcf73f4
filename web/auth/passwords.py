"""Password hashing: argon2id with the default parameters of argon2-cffi (RFC 9106, low memory).

Each hash needs 64 MiB of memory, so a process computes few of them at a time, queues a limited number of others, and
refuses the rest before they touch the database: see :data:`password_queue`.
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
"""Hashes computed at the same time by one process, in 128 MiB. One of them is kept for known devices."""

MAX_QUEUED, RESERVED = 16, 4
"""Requests that wait for their turn, and further ones on devices that are known. Each occupies one of the 40 threads
that serve the pages; at some 50 ms per hash the last one waits for about a second, on a busy machine much longer."""

_hasher = PasswordHasher()
_DUMMY_HASH = _hasher.hash("a password that no user has")


class HashingBusy(HttpError):  # noqa: N818  (like the others, named after the response)
    """503 Service Unavailable: too many passwords are being verified."""

    status = 503
    retry_seconds = 3

    def __init__(self) -> None:
        """The message asks to try again."""
        super().__init__("sign_in.busy")


class HashQueue:
    """Admits few requests with a password at a time, and computes even fewer hashes in parallel.

    Known devices have places of their own, and never wait for the hashes of strangers.
    """

    def __init__(self, parallel: int = PARALLEL_HASHES, queued: int = MAX_QUEUED, reserved: int = RESERVED) -> None:
        """Create an empty queue.

        Args:
            parallel: hashes computed at the same time, at least 2; strangers use all of them but one.
            queued: requests that wait for their turn.
            reserved: further places, for browsers that have signed in before.
        """
        self._turns = threading.Semaphore(parallel)
        self._turns_of_strangers = threading.Semaphore(max(parallel - 1, 0))
        self._places = threading.Semaphore(parallel + queued)
        self._reserved = threading.Semaphore(reserved)

    @contextmanager
    def place(self, *, known_device: bool = False) -> Iterator[bool]:
        """Occupy a place. Enter before the request opens a transaction; yield whether the place is a reserved one.

        Args:
            known_device: the request may use a reserved place.

        Raises:
            HashingBusy: no place is free.
        """
        places = self._places
        if not places.acquire(blocking=False):
            places = self._reserved
            if not (known_device and places.acquire(blocking=False)):
                raise HashingBusy
        try:
            yield places is self._reserved
        finally:
            places.release()

    @contextmanager
    def turn(self, *, known_device: bool = False) -> Iterator[None]:
        """Wait for one's turn. Whoever occupies a place gets it soon, a known device at once."""
        if known_device:
            with self._turns:
                yield
        else:
            with self._turns_of_strangers, self._turns:
                yield


password_queue = HashQueue()
"""The queue of this process. A route that computes a hash occupies a place in it first."""


def hash_password(password: str, *, known_device: bool = False) -> str:
    """Return the hash of a password, to be stored. ``known_device``: do not wait for strangers."""
    with password_queue.turn(known_device=known_device):
        return _hasher.hash(password)


def is_password(stored: str, password: str, *, known_device: bool = False) -> bool:
    """Return whether a password matches the stored hash. ``known_device``: do not wait for strangers.

    With an empty hash it takes equally long, so that timing does not reveal whether a user exists.
    """
    with password_queue.turn(known_device=known_device):
        try:
            return _hasher.verify(stored or _DUMMY_HASH, password) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False
