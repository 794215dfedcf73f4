"""One `tuban up` for each home folder: files in it are locked while it runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from errors import SettingsError


@contextmanager
def lock_home(home: Path, parts: Sequence[str]) -> Iterator[None]:
    """Hold the home folder's locks. The kernel lets go of them however this process ends.

    Args:
        home: the folder.
        parts: what is to run: ``worker``, ``schedule``; each has a lock.

    Raises:
        SettingsError: another process holds one; the message says which.
    """
    with ExitStack() as locks:
        for part in parts:
            locks.enter_context(_locked(home, part))
        yield


@contextmanager
def _locked(home: Path, part: str) -> Iterator[None]:
    path = home / f"{part}.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = file.read().strip() or "unknown"
            raise SettingsError(
                f"Tuban's {part} already runs in {home}, as process {who}. Stop that one first (kill {who}), or "
                "name another folder by TUBAN_HOME."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
