"""Object files: scenes, evidence, what was received. In a folder, or in an S3-compatible store.

An object is there whole or not at all, whatever dies while it is written. Its key is made by the service and never
holds a name that a person gave.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from errors import OutputError, TubanError

_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"  # never begins with a dot: no "..", and hidden names are ours
KEY = re.compile(rf"{_PART}(?:/{_PART})*")
MAX_KEY_LENGTH = 400


class ObjectNotFound(TubanError):  # noqa: N818  (says what is; a caller acts on it)
    """No object has this key."""


class ObjectStoreUnavailable(OutputError):  # noqa: N818  (as above)
    """The objects cannot be read or written now: disk full or read-only, store not reachable. It may work later."""


class InvalidObjectKey(TubanError):  # noqa: N818  (as above)
    """This is no key: it could point outside the folder."""


class ObjectStore(Protocol):
    """Where object files are kept. Keys are like ``scenes/ab/abcdef.tif``; every method refuses others by InvalidObjectKey."""

    def put(self, key: str, data: bytes | Path) -> None:
        """Write an object, whole or not at all; one that was there is replaced.

        Args:
            key: its name.
            data: what is in it, or the file to copy.

        Raises:
            ObjectStoreUnavailable: no room, no right, not reachable. Nothing half written is left.
        """

    def read(self, key: str) -> bytes:
        """Return what is in an object.

        Raises:
            ObjectNotFound: there is none.
            ObjectStoreUnavailable: the store does not answer.
        """

    def local(self, key: str) -> AbstractContextManager[Path]:
        """A file with the object's content, to be read only; stays while the context is open.

        Raises:
            ObjectNotFound: there is none.
            ObjectStoreUnavailable: the store does not answer, or there is no room for a copy.
        """

    def exists(self, key: str) -> bool:
        """Whether the object is there."""

    def size(self, key: str) -> int:
        """Bytes.

        Raises:
            ObjectNotFound: there is none.
        """

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with ``prefix`` ("": all), in order."""

    def check(self) -> None:
        """Write something and remove it.

        Raises:
            SettingsError: the place cannot be written; one line that says why.
        """


def check_key(key: str) -> str:
    """Return ``key`` if it is one.

    Raises:
        InvalidObjectKey: it holds other than letters, digits, ``._-`` and ``/``, a part that is empty or begins with a dot, or is
            too long.
    """
    if len(key) > MAX_KEY_LENGTH or not KEY.fullmatch(key):
        raise InvalidObjectKey(f"{key[:80]!r} is no key of an object; expected letters, digits, . _ - and / between names.")
    return key
