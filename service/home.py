"""The home folder: can it be written, and is there room in it."""

from __future__ import annotations

import shutil
import tempfile

from configs.service import ServiceSettings
from errors import OutputError, SettingsError


class InsufficientDiskSpace(OutputError):  # noqa: N818  (says what is; a job is tried again)
    """The disk is too full to begin anything."""


def prepare_home(settings: ServiceSettings) -> None:
    """Make the home folder and write a file in it.

    Raises:
        SettingsError: it cannot be made or written, or has too little room.
    """
    home = settings.home.resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"Tuban")
            file.flush()
    except OSError as error:
        raise SettingsError(
            f"The home folder {home} cannot be written: {error.strerror}. Give it to this user, or name another one "
            "by TUBAN_HOME."
        ) from error
    try:
        require_disk_space(settings)
    except InsufficientDiskSpace as error:
        raise SettingsError(str(error)) from error


def require_disk_space(settings: ServiceSettings) -> None:
    """Look whether anything may be begun.

    Raises:
        InsufficientDiskSpace: less than ``limits.free_disk_mib`` is free in home.
    """
    home = settings.home.resolve()
    try:
        free = shutil.disk_usage(home).free // 2**20
    except OSError as error:
        raise InsufficientDiskSpace(f"The home folder {home} is not there: {error.strerror}.") from error
    if free < settings.limits.free_disk_mib:
        raise InsufficientDiskSpace(
            f"Only {free} MiB are free in {home}; limits.free_disk_mib asks for {settings.limits.free_disk_mib}. "
            "Make room, or lower the limit."
        )
