"""Discover submitted files: list folders, make unique printable names, compute checksums."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from errors import ImageError, SettingsError
from imagery.files.auxiliary_file import AUXILIARY_BYTES
from imagery.files.file_roles import AUXILIARY_SUFFIX, is_hidden
from imagery.files.safe_file import SafeFile, check_regular_file
from store.scenes.batches import MAX_NAME_LENGTH

_SIDECAR_BYTES = 65_537
"""Bytes of a world file or .prj that are stored: one more than its parser accepts, so that a longer one is refused."""

_CHUNK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class DiscoveredFile:
    """A submitted file.

    Attributes:
        name: display name, with ``/`` between folders.
        path: of the file.
        folder: name of the folder that contains it beside those in ``name``.
    """

    name: str
    path: Path
    folder: str = ""


def list_files(paths: Sequence[Path], max_files: int) -> list[DiscoveredFile]:
    """List files recursively, each with a unique name.

    Args:
        paths: files and folders. Files of a folder are named by their path relative to it, prefixed with the folder's
            name if several paths are given.
        max_files: limit of one batch.

    Raises:
        SettingsError: a path does not exist, there are no files, or there are too many.
    """
    found: list[tuple[str, Path, str]] = []
    for path in paths:
        if path.is_dir():
            folder = path.resolve().name
            prefix, folder = (f"{folder}/", "") if len(paths) > 1 else ("", folder)
            found += [(prefix + relative, path / relative, folder) for relative in _files_in(path)]
        elif path.exists():
            found.append((path.name, path.resolve(), path.absolute().parent.name))
        else:
            raise SettingsError(f"{path} does not exist. Check the path.", "paths.missing", path=str(path))
        if len(found) > max_files:
            raise SettingsError(
                f"There are more than {max_files:,} files, the limit of one batch. Split them.",
                "paths.too_many",
                most=max_files,
            )
    if not found:
        raise SettingsError(f"There are no files in {', '.join(map(str, paths)) or 'nothing'}.", "paths.none")
    return [
        DiscoveredFile(name, path, printable_name(folder))
        for name, (_, path, folder) in zip(unique_names(name for name, _, _ in found), found, strict=True)
    ]


def _files_in(folder: Path) -> list[str]:
    """Return the relative paths of all files in a folder tree, sorted. Symbolic links to folders are not followed."""
    names = []

    def raise_unreadable(error: OSError) -> None:
        raise SettingsError(
            f"The folder {error.filename} cannot be read: {error.strerror}.",
            "paths.unreadable",
            folder=str(error.filename),
            error=error.strerror or "",
        ) from error

    for current, folders, files in os.walk(folder, onerror=raise_unreadable):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        relative = Path(current).relative_to(folder)
        names += [(relative / name).as_posix() for name in files if not is_hidden(name)]
    return sorted(names)


def unique_names(names: Iterable[str]) -> list[str]:
    """Return printable names; repeated ones get a number."""
    used: set[str] = set()
    result = []
    for name in map(printable_name, names):
        candidate, number = name, 2
        while candidate in used:
            pure = PurePosixPath(name)
            candidate, number = str(pure.with_name(f"{pure.stem} ({number}){pure.suffix}")), number + 1
        used.add(candidate)
        result.append(candidate)
    return result


def printable_name(name: str) -> str:
    """Replace unprintable characters and shorten the name so that it can be stored with a number appended."""
    name = "/".join(map(_decoded, name.split("/")))
    name = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    max_length = MAX_NAME_LENGTH - 10
    return name if len(name) <= max_length else "…" + name[1 - max_length :]


def _decoded(name: str) -> str:
    """Decode a name that the locale's encoding could not: as UTF-8, or as the GBK of a Chinese Windows."""
    try:
        name.encode()
    except UnicodeEncodeError:  # it has bytes that were no text
        raw = os.fsencode(name)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("gb18030", "replace")
    return name


def read_sidecar(path: Path, suffix: str) -> bytes:
    """Read a sidecar file, truncated beyond the size at which it is refused.

    Args:
        path: the file.
        suffix: under which it is stored with its image.

    Raises:
        ImageError: it is a link, not a regular file, or cannot be read.
    """
    file = require_regular_file(path, path.name)
    try:
        with file.path.open("rb") as handle:
            return handle.read(AUXILIARY_BYTES + 1 if suffix == AUXILIARY_SUFFIX else _SIDECAR_BYTES)
    except OSError as error:
        raise ImageError(f"{file.name} cannot be read: {error.strerror}.", "file.unread", name=file.name) from None


def require_regular_file(path: Path, name: str) -> SafeFile:
    """Return the size and first bytes of a regular file.

    Raises:
        ImageError: it is a symbolic link, a device or a pipe, or cannot be read.
    """
    if path.is_symlink():
        raise ImageError(f"{name} is a link, which is not followed. Pass its target instead.", "file.link", name=name)
    return check_regular_file(path)


def checksum(file: SafeFile, name: str, read: Callable[[int], None]) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Args:
        file: as returned by :func:`require_regular_file`.
        name: for messages.
        read: called with the length of each chunk read.

    Raises:
        ImageError: it cannot be read, or was modified in the meantime.
    """
    digest = hashlib.sha256()
    try:
        with file.path.open("rb") as handle:
            while chunk := handle.read(_CHUNK_BYTES):
                digest.update(chunk)
                read(len(chunk))
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror}.", "file.unread", name=name) from None
    file.check_unchanged()
    return digest.hexdigest()


def file_size(path: Path) -> int:
    """Return the size in bytes; 0 if the file does not exist."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0
