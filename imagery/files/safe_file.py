"""Check an untrusted file, and isolate it from its name and folder before any library opens it.

GDAL interprets names (``/vsicurl/…``, ``GTIFF_DIR:…``) and opens files next to an image (``.ovr``, ``.aux.xml``,
``.msk``). So only this module uses the path that a user typed: it reads the first bytes of the file, and libraries
open ``scene.tif`` in an empty folder. That is a symbolic link, which works across devices and on read-only media and
leaves the original untouched. Size, inode and time are compared again after the file has been opened, to detect a
replacement.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from errors import ImageError
from imagery.files.formats import HEAD_BYTES

_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:/")  # https://, s3://, file:/; two letters at least, so not C:/
_VIRTUAL = re.compile(r"^[/\\]+vsi", re.IGNORECASE)


@dataclass(frozen=True)
class SafeFile:
    """A regular local file, as it was when it was checked.

    Attributes:
        path: absolute, with links resolved.
        name: last part of the path that the user typed.
        size: in bytes.
        identity: device, inode, size and time of modification.
        head: its first :data:`imagery.files.formats.HEAD_BYTES` bytes.
    """

    path: Path
    name: str
    size: int
    identity: tuple[int, int, int, int]
    head: bytes

    def check_unchanged(self) -> None:
        """Raise ImageError if the file was modified or replaced since it was checked."""
        try:
            unchanged = _identity(self.path.stat()) == self.identity
        except OSError:
            unchanged = False
        if not unchanged:
            raise ImageError(
                f"{self.name} changed while it was being opened. Wait until it is complete and try again.",
                "file.changed",
                name=self.name,
            )


def check_regular_file(path: str | os.PathLike[str]) -> SafeFile:
    """Check that a path is a readable regular file, without interpreting its name.

    Args:
        path: absolute or relative; a leading ``~`` is the home folder.

    Raises:
        ImageError: it is a URL, a virtual path of GDAL, a folder, a device, a pipe, or a file that cannot be read.
    """
    typed = os.fspath(path)
    if "\0" in typed or not typed.strip():
        raise ImageError("The name of the image is empty or contains a null byte. Give the path of a file.")
    if _VIRTUAL.match(typed) or _ADDRESS.match(typed):
        raise ImageError(
            f"{typed} is an address, and only local files are supported. Copy the image to this machine first."
        )
    name = Path(typed).name or typed
    try:
        resolved = Path(typed).expanduser().resolve(strict=True)
        # non-blocking, so that a pipe without a writer does not hang here
        descriptor = os.open(resolved, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise ImageError(f"There is no file {typed}. Check the path.") from None
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{typed} cannot be opened: {reason}. Check the path and the permissions.") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or pipe"
            raise ImageError(f"{typed} is {kind}; expected one image file. Give the path of the file itself.")
        head = os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)
    return SafeFile(path=resolved, name=name, size=status.st_size, identity=_identity(status), head=head)


def isolate_file(file: SafeFile, folder: Path, suffix: str) -> Path:
    """Link a file into an empty folder as ``scene`` plus ``suffix``, and return that path."""
    isolated = folder / f"scene{suffix}"
    try:
        isolated.symlink_to(file.path)
    except OSError:  # the system forbids symbolic links
        os.link(file.path, isolated)
    return isolated


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
