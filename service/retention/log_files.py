"""Log files: delete old rotated ones, and overwrite what identified a purged person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from pathlib import Path

from configs.service import LogSettings

_BLOCK = 2**20


def rotated_files(settings: LogSettings, before: dt.datetime) -> list[Path]:
    """Return the rotated log files that were last written before a time; the current file is not among them."""
    return [path for path in log_files(settings)[1:] if path.stat().st_mtime < before.timestamp()]


def log_files(settings: LogSettings) -> list[Path]:
    """Return the log file and its rotated ones, as far as they exist; empty if no file is set."""
    if not settings.file:
        return []
    path = Path(settings.file)
    names = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, settings.keep + 1))]
    return [each for each in names if each.is_file()] if path.is_file() else []


def overwrite_in_logs(settings: LogSettings, values: Collection[str]) -> int:
    """Overwrite values in all log files with asterisks of the same length; return the number of places.

    Nothing is moved, because other processes append to the file meanwhile.
    """
    wanted = sorted({value.encode() for value in values if len(value) > 1}, key=len, reverse=True)
    places = 0
    overlap = max(map(len, wanted), default=0)
    for path in log_files(settings) if wanted else ():
        with path.open("r+b") as file:
            start = 0
            while True:
                file.seek(start)
                block = file.read(_BLOCK + overlap)
                if not block:
                    break
                for value in wanted:
                    at = block.find(value)
                    while at >= 0:
                        file.seek(start + at)
                        file.write(b"*" * len(value))
                        places += 1
                        at = block.find(value, at + len(value))
                start += _BLOCK
    return places
