"""The home folder: writable, with enough free disk space, and with the port on which the pages are served."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from configs.secret_file import deny_others
from configs.service import ServiceSettings
from errors import OutputError, SettingsError

STARTUP_MIB = 50
"""Free space without which the service does not start."""

_PORT_FILE = "pages.port"
_TEMPORARY_SECONDS = 24 * 3600  # a temporary file older than this was left by a process that was killed


class InsufficientDiskSpace(OutputError):  # noqa: N818  (a condition; jobs are retried)
    """Less disk space is free than ``limits.free_disk_mib``."""


def prepare_home(settings: ServiceSettings, *, intake: bool = True) -> None:
    """Create the home folder, deny it to other users, and check that it is writable and has free space.

    ``intake=False``: for a service that starts on a nearly full disk, so that pages, decisions and deliveries work;
    only :data:`STARTUP_MIB` are required, because even they write rows and logs.

    Raises:
        SettingsError: it cannot be created or written, or has too little free space.
    """
    home = settings.home.resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
        deny_others(home)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"Tuban")
            file.flush()
    except OSError as error:
        raise SettingsError(
            f"The home folder {home} cannot be written: {error.strerror}. Make it writable for this user, or set "
            "TUBAN_HOME to another folder.",
            "setup.home",
            home=str(home),
            error=error.strerror or "",
        ) from error
    try:
        if intake:
            require_disk_space(settings)
        else:
            require_disk_space(settings, min(STARTUP_MIB, settings.limits.free_disk_mib))
    except InsufficientDiskSpace as error:
        raise SettingsError(str(error)) from error


def temporary_folder(settings: ServiceSettings) -> Path:
    """Return the folder for temporary files: ``TMPDIR`` if it is set, else ``tmp`` in home, which is created.

    The system's /tmp is often too small for exports and images, or read-only. What killed processes have left in the
    home folder for a day is deleted.

    Raises:
        SettingsError: it cannot be created.
    """
    if os.environ.get("TMPDIR"):
        return Path(os.environ["TMPDIR"])
    folder = settings.home.resolve() / "tmp"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"The folder {folder} cannot be created: {error.strerror}.",
            "setup.folder",
            folder=str(folder),
            error=error.strerror or "",
        ) from error
    for left in folder.iterdir():
        with suppress(OSError):  # another process may delete it as well
            if time.time() - left.stat().st_mtime > _TEMPORARY_SECONDS:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    return folder


@contextmanager
def temporary_files_in_home(settings: ServiceSettings) -> Iterator[None]:
    """Let this process and those that it starts use :func:`temporary_folder`."""
    before, folder = os.environ.get("TMPDIR"), temporary_folder(settings)
    os.environ["TMPDIR"], tempfile.tempdir = str(folder), None
    try:
        yield
    finally:
        tempfile.tempdir = None
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before


def require_intake_space(settings: ServiceSettings) -> None:
    """Require ``limits.intake_disk_mib`` of free space in the home folder: intake stops before everything else.

    Raises:
        InsufficientDiskSpace: less is free, or the folder does not exist.
    """
    require_disk_space(settings, settings.limits.intake_mib, "limits.intake_disk_mib")


def require_disk_space(
    settings: ServiceSettings, required: int | None = None, setting: str = "limits.free_disk_mib"
) -> None:
    """Require free space in the home folder: by default ``limits.free_disk_mib``, else ``required`` MiB by ``setting``.

    Raises:
        InsufficientDiskSpace: less is free, or the folder does not exist.
    """
    home = settings.home.resolve()
    try:
        free = shutil.disk_usage(home).free // 2**20
    except OSError as error:
        raise InsufficientDiskSpace(
            f"The home folder {home} is missing: {error.strerror}.",
            "setup.home_missing",
            home=str(home),
            error=error.strerror or "",
        ) from error
    needed = settings.limits.free_disk_mib if required is None else required
    if free < needed:
        raise InsufficientDiskSpace(
            f"Only {free} MiB are free in {home}; {setting} requires {needed}. Free some space, or lower the limit.",
            "disk.full",
            free=free,
            required=needed,
        )


def store_port(settings: ServiceSettings, port: int) -> None:
    """Store the port on which `tuban up` serves the pages, which an option may have set."""
    (settings.home.resolve() / _PORT_FILE).write_text(f"{port}\n", encoding="ascii")


def served_pages_url(settings: ServiceSettings) -> str:
    """Return the address of the pages with the port on which they were last served, without a trailing slash."""
    try:
        port = int((settings.home.resolve() / _PORT_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return settings.pages_url
    return settings.model_copy(update={"web": settings.web.model_copy(update={"port": port})}).pages_url
