"""Lock files that allow one `tuban up` per home folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from errors import SettingsError


@contextmanager
def lock_home(home: Path, parts: Sequence[str]) -> Iterator[None]:
    """Hold the home folder's locks; the kernel releases them however this process ends.

    Args:
        home: the folder.
        parts: kinds of processes to run, ``worker`` or ``schedule``; each has a lock of its own.

    Raises:
        SettingsError: another process holds a lock; the message names the process.
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
            pid = file.read().strip() or "unknown"
            raise SettingsError(
                f"Tuban's {part} already runs in {home}, as process {pid}. Stop it first (kill {pid}), or set "
                "TUBAN_HOME to another folder.",
                "setup.runs",
                home=str(home),
                process=pid,
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
