"""A stranger's file is made to lie alone, under a name of ours, before any library sees it.

GDAL takes meaning from names (``/vsicurl/…``, ``GTIFF_DIR:…``) and from neighbours (``.ovr``, ``.aux.xml``, ``.msk``).
So the path that a person typed goes no further than the functions here: it is opened once as plain bytes, and libraries
get ``scene.tif`` in a fresh folder. That is a symbolic link and not a hard one: it costs nothing, works across devices
and on read-only media, and does not touch the original. Size, inode and time are compared again after the file has been
opened, so a swap in between is noticed.
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
    """A regular file on this machine, as it was when it was first looked at.

    Attributes:
        path: absolute, links resolved.
        name: last part of what the person typed.
        size: bytes.
        identity: device, inode, size and time of modification.
        head: first bytes.
    """

    path: Path
    name: str
    size: int
    identity: tuple[int, int, int, int]
    head: bytes

    def check_unchanged(self) -> None:
        """Raise ImageError when the path no longer points to the very bytes that were examined."""
        try:
            same = _identity(self.path.stat()) == self.identity
        except OSError:
            same = False
        if not same:
            raise ImageError(
                f"{self.name} changed while it was being opened. Wait until it is complete and try again.",
                "file.changed",
                name=self.name,
            )


def check_regular_file(path: str | os.PathLike[str]) -> SafeFile:
    """Look at a file without interpreting its name.

    Args:
        path: absolute or relative; an leading ``~`` is the home folder.

    Raises:
        ImageError: for an address, a virtual path of GDAL, a folder, device or pipe, and a file that cannot be read.
    """
    typed = os.fspath(path)
    if "\0" in typed or not typed.strip():
        raise ImageError("The name of the image is empty or holds a zero byte. Pass the path of a file.")
    if _VIRTUAL.match(typed) or _ADDRESS.match(typed):
        raise ImageError(f"{typed} is an address, and only files on this machine are read. Copy the image here first.")
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
            raise ImageError(f"{typed} is {kind}, and one image file was expected. Pass the file itself.")
        head = os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)
    return SafeFile(path=resolved, name=name, size=status.st_size, identity=_identity(status), head=head)


def isolate_file(file: SafeFile, folder: Path, suffix: str) -> Path:
    """Make the file appear in an empty folder under a name of ours and return that path."""
    alone = folder / f"scene{suffix}"
    try:
        alone.symlink_to(file.path)
    except OSError:  # a system that forbids symbolic links
        os.link(file.path, alone)
    return alone


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
