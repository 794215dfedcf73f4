"""Copies of far objects, kept in a folder for the next reader."""

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
    """A folder of copies, shared by all processes of this machine.

    Who reads a copy holds a shared lock on it, so that making room never takes it away. One process fetches at a time:
    others that want the same scene find it there afterwards.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """``folder`` is made when the first copy is fetched; ``limit_bytes``: copies that nobody reads go beyond it."""
        self.folder = folder
        self.limit_bytes = limit_bytes

    @contextmanager
    def copy(self, name: str, size: int, fetch: Callable[[Path], None]) -> Iterator[Path]:
        """Give the copy called ``name``, which stays while the context is open.

        Args:
            name: tells the object and its content.
            size: its bytes.
            fetch: writes it into the file it is given.

        Raises:
            ObjectStoreUnavailable: there is no room, or the folder cannot be written.
        """
        path = self.folder / name
        try:
            held = self._hold(path)
            while held is None:
                self._fetch(path, size, fetch)
                held = self._hold(path)
        except OSError as error:
            raise ObjectStoreUnavailable(
                f"No copy of {size} bytes can be kept in {self.folder} ({error.strerror}); free room there."
            ) from error
        with held:
            yield path

    def _hold(self, path: Path) -> BinaryIO | None:
        """Open a copy with a shared lock; None: it is not there."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        fcntl.flock(file, fcntl.LOCK_SH)
        if os.fstat(file.fileno()).st_nlink == 0:  # another process made room between opening and locking
            file.close()
            return None
        os.utime(path)
        return file

    def _fetch(self, path: Path, size: int, fetch: Callable[[Path], None]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return
            for left in self.folder.glob(".*.part*"):  # of a process that died: nobody else fetches now
                left.unlink()
            self._make_room(size)
            half = self.folder / f".{secrets.token_hex(8)}.part"
            try:
                fetch(half)
                half.replace(path)
            except BaseException:  # a time limit may end it anywhere
                half.unlink(missing_ok=True)
                raise

    def _make_room(self, size: int) -> None:
        """Remove what was read longest ago, until ``size`` bytes fit."""
        copies = sorted(
            ((p, p.stat()) for p in self.folder.iterdir() if not p.name.startswith(".")), key=lambda c: c[1].st_mtime
        )
        held = sum(stat.st_size for _, stat in copies)
        for path, stat in copies:
            if held + size <= self.limit_bytes:
                return
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # somebody reads it
                path.unlink()
            held -= stat.st_size
