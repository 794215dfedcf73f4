"""A secret that an installation makes for itself: a file in its home, for its owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from errors import OutputError, SettingsError

_OTHERS = 0o077


def load_or_make_secret(place: Path, make: Callable[[], bytes], name: str) -> bytes:
    """Read a secret, or make it when there is none yet. Of several processes that make it at once, all get the same.

    Args:
        place: of the file.
        make: a new one.
        name: for messages, like "signing key".

    Raises:
        SettingsError: others may read it, or it cannot be read.
        OutputError: it cannot be written.
    """
    if not place.exists():
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(place, make())
        except OSError as error:
            raise OutputError(f"The {name} {place} cannot be written: {error.strerror or error}.") from error
    try:
        if place.stat().st_mode & _OTHERS:
            raise SettingsError(f"Others may read the {name} {place}: chmod 600 it, or remove it to get a new one.")
        return place.read_bytes()
    except OSError as error:
        raise SettingsError(f"The {name} {place} cannot be read: {error.strerror or error}.") from error


def _write(place: Path, data: bytes) -> None:
    """Write a new one beside its place and link it there: it is there whole, and never in place of another's."""
    beside = place.with_name(f".{place.name}-{secrets.token_hex(6)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was quicker: its secret is taken
            os.link(beside, place)
    finally:
        beside.unlink()
