"""Files as people bring them: found in folders, with names that can be stored and shown, and read once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from errors import ImageError, SettingsError
from imagery.files.file_roles import is_hidden
from imagery.files.safe_file import SafeFile, check_regular_file
from store.scenes.batches import MAX_NAME_LENGTH

SIDECAR_BYTES = 65_537
"""So much of a world file or .prj is kept: one byte more than is ever read of it, so that a longer one is refused."""

_PIECE = 4 * 2**20


@dataclass(frozen=True)
class DiscoveredFile:
    """A file that is to be received: the name it has for people, and where it lies."""

    name: str
    path: Path


def list_files(paths: Sequence[Path], most: int) -> list[DiscoveredFile]:
    """Every file that is meant, each with a name that no other one has.

    Args:
        paths: files and folders. A folder's files are named by their path below it, and after the folder if
            several paths are given.
        most: files that a batch may hold.

    Raises:
        SettingsError: a path points to nothing, there is no file at all, or there are too many.
    """
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            before = f"{path.resolve().name}/" if len(paths) > 1 else ""
            found += [(before + below, path / below) for below in _below(path)]
        elif path.exists():
            found.append((path.name, path.resolve()))
        else:
            raise SettingsError(f"There is nothing at {path}. Check the path.")
        if len(found) > most:
            raise SettingsError(f"There are more than {most:,} files, the limit of one batch. Divide them.")
    if not found:
        raise SettingsError(f"There are no files in {', '.join(map(str, paths)) or 'nothing'}.")
    return [
        DiscoveredFile(name, path)
        for name, (_, path) in zip(unique_names(name for name, _ in found), found, strict=True)
    ]


def _below(folder: Path) -> list[str]:
    """Paths of all files below a folder, in order. Links are not followed."""
    names = []

    def cannot(error: OSError) -> None:
        raise SettingsError(f"The folder {error.filename} cannot be read: {error.strerror}.") from error

    for where, folders, files in os.walk(folder, onerror=cannot):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        here = Path(where).relative_to(folder)
        names += [(here / name).as_posix() for name in files if not is_hidden(name)]
    return sorted(names)


def unique_names(names: Iterable[str]) -> list[str]:
    """The names as they are shown and stored; those that came twice are numbered."""
    taken: set[str] = set()
    result = []
    for name in map(printable_name, names):
        wanted, number = name, 2
        while wanted in taken:
            pure = PurePosixPath(name)
            wanted, number = str(pure.with_name(f"{pure.stem} ({number}){pure.suffix}")), number + 1
        taken.add(wanted)
        result.append(wanted)
    return result


def printable_name(name: str) -> str:
    """A name without what a database or a terminal would take amiss, short enough to be stored with a number."""
    try:
        name.encode()
    except UnicodeEncodeError:  # a file name that is no UTF-8
        name = os.fsencode(name).decode("gb18030", "replace")
    name = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    most = MAX_NAME_LENGTH - 10
    return name if len(name) <= most else "…" + name[1 - most :]


def read_sidecar(path: Path) -> bytes:
    """Content of a small text file, cut where it would be refused anyway.

    Raises:
        ImageError: it is a link or no file, or cannot be read.
    """
    file = require_regular_file(path, path.name)
    try:
        with file.path.open("rb") as handle:
            return handle.read(SIDECAR_BYTES)
    except OSError as error:
        raise ImageError(f"{file.name} cannot be read: {error.strerror}.", "file.unread", name=file.name) from None


def require_regular_file(path: Path, name: str) -> SafeFile:
    """Look at a file that lies in somebody's folder.

    Raises:
        ImageError: it is a link, a device or a pipe, or cannot be read.
    """
    if path.is_symlink():
        raise ImageError(
            f"{name} is a link, which is not followed. Pass the file that it points to.", "file.link", name=name
        )
    return check_regular_file(path)


def checksum(file: SafeFile, name: str, read: Callable[[int], None]) -> str:
    """SHA-256 of a file that nobody is writing to, in hexadecimal.

    Args:
        file: as it was when it was first looked at.
        name: for messages.
        read: is told the length of each piece that was read.

    Raises:
        ImageError: it cannot be read, or was changed meanwhile.
    """
    digest = hashlib.sha256()
    try:
        with file.path.open("rb") as handle:
            while piece := handle.read(_PIECE):
                digest.update(piece)
                read(len(piece))
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror}.", "file.unread", name=name) from None
    file.check_unchanged()
    return digest.hexdigest()


def file_size(path: Path) -> int:
    """Bytes; 0 where there is nothing."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0
