"""Secret files that an installation generates itself, in its home directory, readable by the owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from errors import OutputError, SettingsError

_GROUP_AND_OTHERS = 0o077


def load_or_create_secret(path: Path, generate: Callable[[], bytes], name: str) -> bytes:
    """Read a secret file; create it if it is missing. Concurrent processes all get the same secret.

    Args:
        path: path of the file.
        generate: returns a new secret.
        name: name of the secret for error messages, for example "signing key".

    Raises:
        SettingsError: the file is unreadable, or readable by other users.
        OutputError: the file cannot be written.
    """
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_atomically(path, generate())
        except OSError as error:
            raise OutputError(f"The {name} {path} cannot be written: {error.strerror or error}.") from error
    try:
        if path.stat().st_mode & _GROUP_AND_OTHERS:
            raise SettingsError(
                f"The {name} {path} is readable by other users: chmod 600 it, or delete it to generate a new one."
            )
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The {name} {path} cannot be read: {error.strerror or error}.") from error


def _write_atomically(path: Path, data: bytes) -> None:
    """Write a temporary file and hard-link it to ``path``: readers see complete files, existing ones are kept."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was faster; its secret is used
            os.link(temporary, path)
    finally:
        temporary.unlink()


def deny_others(path: Path) -> None:
    """Remove all access of other users, but not of the group, from a file or folder that this user owns.

    Files of another owner, such as a mounted volume, stay as their owner has set them.
    """
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o007 and status.st_uid == os.geteuid():
        path.chmod(mode & ~0o007)
