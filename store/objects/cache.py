"""Local cache of remote objects, shared between processes."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from store.objects.object_store import ObjectStoreUnavailable


class ObjectCache:
    """A folder of cached files, shared by all processes of this machine.

    Readers hold a shared lock on a file, so that eviction never deletes it. One process downloads at a time: others
    that need the same object then find it in the cache.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Set up the cache; ``folder`` is created on the first download. Unused files are evicted above the limit."""
        self.folder = folder
        self.limit_bytes = limit_bytes

    @contextmanager
    def get(self, name: str, size: int, download: Callable[[Path], None]) -> Iterator[Path]:
        """Give the cached file ``name``, downloading it if necessary; it is kept while the context is open.

        Args:
            name: identifies the object and its version.
            size: bytes.
            download: writes the object into the file that is passed.

        Raises:
            ObjectStoreUnavailable: the disk is full, or the folder cannot be written.
        """
        path = self.folder / name
        try:
            file = self._open_locked(path)
            while file is None:
                self._download(path, size, download)
                file = self._open_locked(path)
        except OSError as error:
            raise ObjectStoreUnavailable(
                f"{size} bytes cannot be cached in {self.folder} ({error.strerror}); free disk space there."
            ) from error
        with file:
            yield path

    def _open_locked(self, path: Path) -> BinaryIO | None:
        """Open a cached file with a shared lock; None if it does not exist."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        fcntl.flock(file, fcntl.LOCK_SH)
        if os.fstat(file.fileno()).st_nlink == 0:  # another process evicted it between opening and locking
            file.close()
            return None
        os.utime(path)
        return file

    def _download(self, path: Path, size: int, download: Callable[[Path], None]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return
            for partial in self.folder.glob(".*.part*"):  # of dead processes, since this one holds the lock
                partial.unlink()
            self._evict(size)
            partial = self.folder / f".{secrets.token_hex(8)}.part"
            try:
                download(partial)
                partial.replace(path)
            except BaseException:  # also when a time limit interrupts the process
                partial.unlink(missing_ok=True)
                raise

    def _evict(self, size: int) -> None:
        """Delete the least recently used files until ``size`` bytes fit."""
        files = sorted(
            ((p, p.stat()) for p in self.folder.iterdir() if not p.name.startswith(".")), key=lambda f: f[1].st_mtime
        )
        total = sum(stat.st_size for _, stat in files)
        for path, stat in files:
            if total + size <= self.limit_bytes:
                return
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # in use
                path.unlink()
            total -= stat.st_size
