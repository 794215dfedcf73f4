"""Atomic output folders: complete under their final name, or absent.

Files are written to a hidden folder in the same parent folder, hence on the same file system, which is renamed at the
end. A killed process leaves only the hidden folder. A writing process holds a lock in its hidden folder, so that the
next run can identify and remove abandoned ones.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from errors import OutputError

SCHEMA = "tuban-scan/1"
"""Schema of ``scan.json``; identifies a folder as the results of a scan, which may be replaced."""


@dataclass(frozen=True)
class OutputLayout:
    """Content of the output folder of a command, by which earlier results are recognized and may be replaced.

    Attributes:
        record: name of the JSON file whose ``schema`` identifies the folder.
        schema: the expected schema.
        names: all names that may occur in the folder.
        pictures: name of the subfolder of numbered pictures; empty if there is none.
        foreign: description of other files, for messages.
    """

    record: str
    schema: str
    names: frozenset[str]
    pictures: str = ""
    foreign: str = "files that `tuban scan` did not write"


SCAN_LAYOUT = OutputLayout(
    "scan.json",
    SCHEMA,
    frozenset({"changes.geojson", "changes.gpkg", "thumbnails", "report.html", "scan.json", "probability.tif"}),
    "thumbnails",
)

_HIDDEN = ".tuban-unfinished-"
_LOCK = ".lock"
_THUMBNAIL = re.compile(r"\d{4,}_(before|after)\.jpg")
_MANY_FILES = 500
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # <fcntl.h>, <linux/fs.h>


def check_output(out: Path, layout: OutputLayout = SCAN_LAYOUT) -> None:
    """Check, before any work starts, that the folder ``out`` can be written.

    It may be missing (including its parent folders), empty, or contain earlier results of the same layout, which are
    replaced once the new ones are complete.

    Raises:
        OutputError: it contains other files, is not a folder, or cannot be written.
    """
    out = _resolve(out)
    if _exists(out):
        _check_replaceable(out, layout)
    above = next(folder for folder in out.parents if _exists(folder))
    if not above.is_dir():
        raise OutputError(f"Results cannot be written to {out}: {above} is a file. Choose another folder with --out.")
    trial = above / f"{_HIDDEN}{secrets.token_hex(6)}"
    try:
        if len(os.fsencode(out.name)) > os.pathconf(above, "PC_NAME_MAX"):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        raise _unwritable(out, above, error) from error


@contextmanager
def atomic_folder(out: Path, layout: OutputLayout = SCAN_LAYOUT) -> Iterator[Path]:
    """Context manager that yields a hidden folder to write to and renames it to ``out`` on success.

    On any error, including Ctrl-C, the hidden folder is removed and ``out`` stays unchanged.

    Raises:
        OutputError: as :func:`check_output`, or writing failed, for example because the disk is full.
    """
    out = _resolve(out)
    check_output(out, layout)
    folder = out.parent / f"{_HIDDEN}{secrets.token_hex(6)}"
    lock: int | None = None
    # an interrupt may come at any instruction: whatever creates the folder is inside the block that removes it
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(out.parent)
        folder.mkdir()
        lock = _create_lock(folder / _LOCK)
        yield folder
        flush_tree(folder)
        if out.exists():
            _check_replaceable(out, layout)
        (folder / _LOCK).unlink()
        _publish(folder, out)
    except OSError as error:
        raise _unwritable(out, out.parent, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _resolve(out: Path) -> Path:
    """Return the absolute path with links resolved, so that the folder is replaced and not a link to it."""
    try:
        return Path(out).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{out} is not a usable path ({error}). Choose another folder with --out.") from error


def _exists(path: Path) -> bool:
    """Whether a path exists. Invalid names, for example too long ones, are reported when they are created."""
    try:
        return path.exists()
    except OSError:
        return False


def _unwritable(out: Path, where: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Results cannot be written to {out}: {error.strerror or error} (in {where}). "
        "Choose a folder with --out that is writable and has enough space."
    )


def _check_replaceable(out: Path, layout: OutputLayout) -> None:
    if not out.is_dir():
        raise OutputError(f"{out} is a file; results need a folder. Choose another one with --out.")
    here = Path.cwd()
    if out == here or out in here.parents:
        raise OutputError(
            f"{out} is the folder you are in, or a parent of it. Choose a new one with --out, such as {out}/scan."
        )
    if os.path.ismount(out):
        raise OutputError(
            f"{out} is a mount point, which cannot be replaced. Choose a folder inside it, such as {out}/scan."
        )
    foreign = _foreign_names(out, layout)
    if foreign:
        some = ", ".join(repr(name) for name in foreign[:3]) + (" …" if len(foreign) > 3 else "")
        raise OutputError(
            f"{out} contains {layout.foreign} ({some}), so it is not replaced. "
            "Choose another folder with --out, or move these files."
        )


def _foreign_names(out: Path, layout: OutputLayout) -> list[str]:
    """Return names in a folder that do not belong to earlier results: all of them if it has no valid record."""
    try:
        names = sorted(entry.name for entry in out.iterdir())
        if not names:
            return []
        if not _has_schema(out / layout.record, layout.schema):
            return names
        folder = layout.pictures
        foreign = [name for name in names if name not in layout.names or (out / name).is_dir() != (name == folder)]
        if folder and (out / folder).is_dir():
            pictures = sorted(entry.name for entry in (out / folder).iterdir())
            foreign += [f"{folder}/{name}" for name in pictures if not _THUMBNAIL.fullmatch(name)]
    except OSError as error:
        raise OutputError(f"{out} cannot be read ({error.strerror}). Choose another folder with --out.") from error
    return foreign


def _has_schema(path: Path, schema: str) -> bool:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and record.get("schema") == schema


def _create_lock(path: Path) -> int:
    """Create and lock a file; the operating system releases the lock when the process ends."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _remove_abandoned(parent: Path) -> None:
    """Remove hidden folders of processes that no longer exist: their lock is free."""
    for folder in parent.glob(f"{_HIDDEN}*"):
        with suppress(OSError):
            handle = os.open(folder / _LOCK, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def flush_tree(folder: Path) -> None:
    """Flush all files to disk, so that a power failure cannot leave a published folder with empty files.

    Many files are flushed at once, with what else waits to be written on their file system: one by one, 20,000 pictures
    would take minutes on a hard disk.
    """
    paths = [*sorted(folder.rglob("*")), folder]
    if len(paths) > _MANY_FILES and _sync_file_system(folder):
        return
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sync_file_system(folder: Path) -> bool:
    """Flush the file system of a folder if the C library can (Linux); else do nothing.

    Raises:
        OSError: writing failed.
    """
    try:
        sync = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        if sync(handle) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(handle)
    return True


def _publish(folder: Path, out: Path) -> None:
    """Rename ``folder`` to ``out``; an existing ``out`` swaps names with it atomically and is then removed."""
    if not out.exists():
        folder.rename(out)
        return
    if _swap_names(folder, out):
        return  # the earlier result now has the hidden name and is removed by the caller
    earlier = out.parent / f"{_HIDDEN}{secrets.token_hex(6)}"
    out.rename(earlier)
    try:
        folder.rename(out)
    except BaseException:
        earlier.rename(out)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _swap_names(one: Path, other: Path) -> bool:
    """Swap two names atomically if kernel and file system support it (Linux 3.15 and later); else do nothing."""
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(swap(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
