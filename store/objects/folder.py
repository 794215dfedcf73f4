"""Object store in a folder; keys are paths relative to it."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from configs.secret_file import deny_others
from errors import SettingsError
from store.objects.object_store import ObjectNotFound, ObjectStoreUnavailable, check_key, file_digest

_SHA256 = re.compile("[0-9a-f]{64}")

STALE_PART_SECONDS = 86_400
"""Age at which a partial file is deleted: its process has died, since no object takes a day to write."""


class FolderObjectStore:
    """An :class:`store.objects.object_store.ObjectStore` in a folder.

    The checksum of ``abc.tif`` is in the hidden file ``.abc.tif.sha256`` beside it. Writes are atomic, also on a power
    failure: an object is written to a hidden file in the same folder, synced to disk and renamed.
    """

    def __init__(self, folder: Path) -> None:
        """Set the folder; it is created when the first object is written."""
        self.folder = folder

    def put(self, key: str, data: bytes | Path) -> None:
        """Write an object."""
        path = self._path(key)
        if isinstance(data, Path):
            data.open("rb").close()  # an unreadable source file is an error of the caller, not of the object store
        digest = file_digest(data) if isinstance(data, Path) else hashlib.sha256(data).hexdigest()
        try:
            create_folder(path.parent)
            former = _read_digests(path)
            # while the content may be the former or the new one, both are recorded
            if former != (digest,):
                _write_digests(path, *(former if path.exists() else ()), digest)
            write_atomically(path, data)
            if former and former != (digest,):
                _write_digests(path, digest)
        except OSError as error:
            raise ObjectStoreUnavailable(
                f"The object {key} cannot be written to {self.folder} ({error.strerror}); "
                "free disk space or grant write permission."
            ) from error

    def read(self, key: str) -> bytes:
        """Return the content of an object."""
        with self._existing(key) as path:
            return path.read_bytes()

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """Give the path of the object's file."""
        path = self._path(key)
        if not path.is_file():
            raise ObjectNotFound(f"The object {key} does not exist in {self.folder}.")
        yield path

    def exists(self, key: str) -> bool:
        """Return whether the object exists."""
        return self._path(key).is_file()

    def size(self, key: str) -> int:
        """Return the size of an object in bytes."""
        with self._existing(key) as path:
            return path.stat().st_size

    def digest(self, key: str) -> str:
        """Return the SHA-256 of an object's content."""
        with self._existing(key) as path:
            return file_digest(path)

    def recorded_digests(self, key: str) -> tuple[str, ...]:
        """Return the SHA-256 recorded beside the object."""
        with self._existing(key) as path:
            return _read_digests(path)

    def record_digest(self, key: str, sha256: str) -> None:
        """Record the SHA-256 beside the object."""
        with self._existing(key) as path:
            _write_digests(path, sha256)

    def delete(self, key: str) -> None:
        """Delete an object. Its folder is kept, since another process may be writing to it."""
        try:
            for path in (self._path(key), _digest_file(self._path(key))):
                with suppress(FileNotFoundError, NotADirectoryError):
                    path.unlink()
        except OSError as error:
            raise ObjectStoreUnavailable(
                f"The object {key} cannot be deleted from {self.folder} ({error.strerror})."
            ) from error

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield all keys that begin with ``prefix``, in order."""
        yield from self._walk(self.folder, "", prefix)

    def _walk(self, folder: Path, parent: str, prefix: str) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(folder), key=lambda e: e.name + "/" if e.is_dir() else e.name)
        except FileNotFoundError:
            return
        for entry in entries:
            key = parent + entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if (key + "/").startswith(prefix) or prefix.startswith(key + "/"):
                    yield from self._walk(folder / entry.name, key + "/", prefix)
            elif key.startswith(prefix):
                yield key

    def check(self) -> None:
        """Write and delete a test file; delete partial files of dead processes."""
        probe = self.folder / f".{secrets.token_hex(8)}.part"
        try:
            create_folder(self.folder)
            deny_others(self.folder)
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
                "grant write permission, free disk space, or set TUBAN_OBJECTS to another folder.",
                "setup.objects",
                folder=str(self.folder),
                error=error.strerror or "",
            ) from error

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)

    @contextmanager
    def _existing(self, key: str) -> Iterator[Path]:
        path = self._path(key)
        try:
            if not path.is_file():
                raise FileNotFoundError
            yield path
        except FileNotFoundError as error:
            raise ObjectNotFound(f"The object {key} does not exist in {self.folder}.") from error
        except OSError as error:
            raise ObjectStoreUnavailable(
                f"The object {key} in {self.folder} cannot be read ({error.strerror})."
            ) from error


def _digest_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def _read_digests(path: Path) -> tuple[str, ...]:
    """Return the recorded checksums; none if the record is missing or was lost in a power failure."""
    try:
        lines = _digest_file(path).read_text("ascii").split()
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return ()
    return tuple(lines) if all(_SHA256.fullmatch(line) for line in lines) else ()


def _write_digests(path: Path, *digests: str) -> None:
    partial = path.parent / f".{secrets.token_hex(8)}.part"
    partial.write_text("\n".join(dict.fromkeys(digests)) + "\n", "ascii")
    partial.replace(_digest_file(path))


def write_atomically(path: Path, data: bytes | Path) -> None:
    """Write a file atomically, also on a power failure.

    Args:
        path: the file; its folder must exist.
        data: the content, or a file to copy.

    Raises:
        OSError: the file cannot be written; an existing file at ``path`` is unchanged.
    """
    partial = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        if isinstance(data, Path):
            shutil.copyfile(data, partial)
        else:
            partial.write_bytes(data)
        fsync_path(partial)
        partial.replace(path)
    except BaseException:  # also when a time limit interrupts the process
        partial.unlink(missing_ok=True)
        raise
    fsync_path(path.parent)


def create_folder(folder: Path) -> None:
    """Create a folder and its parents, and sync each to disk."""
    if not folder.is_dir():
        create_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        fsync_path(folder.parent)


def fsync_path(path: Path) -> None:
    """Sync a file's content, or a folder's entries, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
