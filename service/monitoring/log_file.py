"""Log file of `tuban up`, rotated by size. All its processes append to it, so it is copied and then truncated."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from configs.service import LogSettings
from errors import SettingsError


def redirect_to_log_file(settings: LogSettings) -> None:
    """Send standard output and error of this process, and of those that it starts, to the log file if one is set.

    Raises:
        SettingsError: the file cannot be written.
    """
    if not settings.file:
        return
    path = Path(settings.file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    except OSError as error:
        raise SettingsError(
            f'The log file {path} cannot be written: {error.strerror}. Correct log.file, or set it to "".',
            "setup.log_file",
            path=str(path),
            error=error.strerror or "",
        ) from error
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)


def rotate_log_file(settings: LogSettings) -> bool:
    """Rotate the log file if it exceeds its size: the newest copy is ``FILE.1``, and the oldest one is deleted.

    A line that is written between copying and truncating is lost; the processes need not reopen the file.

    Returns:
        Whether it was rotated.
    """
    path = Path(settings.file)
    if not settings.file or not path.is_file() or path.stat().st_size <= settings.max_mib * 2**20:
        return False
    for number in range(settings.keep, 1, -1):
        older = _numbered(path, number - 1)
        if older.exists():
            older.replace(_numbered(path, number))
    copy = _numbered(path, 1)
    partial = copy.with_name(f".{copy.name}.part")
    shutil.copy(path, partial)
    partial.replace(copy)
    os.truncate(path, 0)
    return True


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
