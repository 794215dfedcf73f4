"""Object files in a folder: a key is a path below it."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from errors import SettingsError
from store.objects.object_store import ObjectNotFound, ObjectStoreUnavailable, check_key

STALE_PART_SECONDS = 86_400
"""A half-written file that is older than this belongs to a process that died: no object takes a day to write."""


class FolderObjectStore:
    """See :class:`store.objects.object_store.ObjectStore`.

    An object is written under a hidden name beside its place, forced to the disk and renamed: after a power cut it is
    there whole or not at all.
    """

    def __init__(self, folder: Path) -> None:
        """``folder`` is made when the first object is written."""
        self.folder = folder

    def put(self, key: str, data: bytes | Path) -> None:
        """Write an object."""
        place = self._path(key)
        if isinstance(data, Path):
            data.open("rb").close()  # a file that cannot be read is the caller's fault, not this folder's
        try:
            create_folder(place.parent)
            write_atomically(place, data)
        except OSError as error:
            raise ObjectStoreUnavailable(
                f"The object {key} cannot be written into {self.folder} ({error.strerror}); "
                "free room there or give the right to write."
            ) from error

    def read(self, key: str) -> bytes:
        """Return what is in an object."""
        with self._found(key) as path:
            return path.read_bytes()

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """Give the object's own file."""
        path = self._path(key)
        if not path.is_file():
            raise ObjectNotFound(f"No object {key} in {self.folder}.")
        yield path

    def exists(self, key: str) -> bool:
        """Whether the object is there."""
        return self._path(key).is_file()

    def size(self, key: str) -> int:
        """Bytes."""
        with self._found(key) as path:
            return path.stat().st_size

    def delete(self, key: str) -> None:
        """Remove an object. Its folder stays: another process may just be writing into it."""
        try:
            with suppress(FileNotFoundError, NotADirectoryError):
                self._path(key).unlink()
        except OSError as error:
            raise ObjectStoreUnavailable(
                f"The object {key} cannot be removed from {self.folder} ({error.strerror})."
            ) from error

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with ``prefix``."""
        yield from self._below(self.folder, "", prefix)

    def _below(self, folder: Path, above: str, prefix: str) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(folder), key=lambda e: e.name + "/" if e.is_dir() else e.name)
        except FileNotFoundError:
            return
        for entry in entries:
            key = above + entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if (key + "/").startswith(prefix) or prefix.startswith(key + "/"):
                    yield from self._below(folder / entry.name, key + "/", prefix)
            elif key.startswith(prefix):
                yield key

    def check(self) -> None:
        """Write something and remove it; remove what processes that died left half written."""
        probe = self.folder / f".{secrets.token_hex(8)}.part"
        try:
            create_folder(self.folder)
            with probe.open("xb") as file:
                file.write(b"tuban")
            probe.unlink()
            oldest = time.time() - STALE_PART_SECONDS
            for part in self.folder.rglob(".*.part"):
                if part.stat().st_mtime < oldest:
                    part.unlink(missing_ok=True)
        except OSError as error:
            with suppress(OSError):
                probe.unlink()
            raise SettingsError(
                f"The folder of objects {self.folder} cannot be written ({error.strerror}); "
                "give the right to write, free room, or set TUBAN_OBJECTS to another folder."
            ) from error

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)

    @contextmanager
    def _found(self, key: str) -> Iterator[Path]:
        path = self._path(key)
        try:
            if not path.is_file():
                raise FileNotFoundError
            yield path
        except FileNotFoundError as error:
            raise ObjectNotFound(f"No object {key} in {self.folder}.") from error
        except OSError as error:
            raise ObjectStoreUnavailable(f"The object {key} in {self.folder} cannot be read ({error.strerror}).") from error


def write_atomically(place: Path, data: bytes | Path) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut.

    Args:
        place: the file; its folder exists.
        data: its content, or the file to copy.

    Raises:
        OSError: it could not be written; ``place`` is as it was.
    """
    half = place.parent / f".{secrets.token_hex(8)}.part"
    try:
        if isinstance(data, Path):
            shutil.copyfile(data, half)
        else:
            half.write_bytes(data)
        fsync_path(half)
        half.replace(place)
    except BaseException:  # a time limit may end it anywhere
        half.unlink(missing_ok=True)
        raise
    fsync_path(place.parent)


def create_folder(folder: Path) -> None:
    """Make a folder and those above it, each forced to the disk."""
    if not folder.is_dir():
        create_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        fsync_path(folder.parent)


def fsync_path(path: Path) -> None:
    """Force a file's content, or a folder's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
