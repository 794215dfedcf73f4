"""The folder of results: complete under its name, or not there at all.

Everything is written into a hidden folder beside the wanted one, on the same file system, and takes its name in one
step. A process that is killed leaves only the hidden folder; it holds a lock while it lives, so the next run knows
which hidden folders nobody writes to any more and removes them.
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
"""Stands in every ``scan.json``: by it a folder is known as results of ours, which may be replaced."""


@dataclass(frozen=True)
class Results:
    """What a command leaves behind, so that it is known again and may be replaced.

    Attributes:
        record: name of the JSON file whose ``schema`` says that the folder is ours.
        schema: what stands there.
        names: of all that may lie in the folder.
        pictures: of those, the folder that holds numbered pictures; "": none does.
        wrote: what wrote it, for messages.
    """

    record: str
    schema: str
    names: frozenset[str]
    pictures: str = ""
    wrote: str = "no scan"


SCAN = Results(
    "scan.json",
    SCHEMA,
    frozenset({"changes.geojson", "changes.gpkg", "thumbnails", "report.html", "scan.json", "probability.tif"}),
    "thumbnails",
)

_HIDDEN = ".tuban-unfinished-"
_LOCK = ".lock"
_THUMBNAIL = re.compile(r"\d{4,}_(before|after)\.jpg")
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # <fcntl.h>, <linux/fs.h>


def check_output(out: Path, results: Results = SCAN) -> None:
    """Make sure, before any work starts, that results can be written as the folder ``out``.

    It may be missing, with folders above it missing too, or empty, or hold earlier ``results``, which will be replaced
    once the new ones are complete.

    Raises:
        OutputError: it holds other things, is no folder, or cannot be written.
    """
    out = _resolved(out)
    if _exists(out):
        _check_replaceable(out, results)
    above = next(folder for folder in out.parents if _exists(folder))
    if not above.is_dir():
        raise OutputError(f"Results cannot be written to {out}: {above} is a file. Name another folder with --out.")
    trial = above / f"{_HIDDEN}{secrets.token_hex(6)}"
    try:
        if len(os.fsencode(out.name)) > os.pathconf(above, "PC_NAME_MAX"):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        raise _unwritable(out, above, error) from error


@contextmanager
def atomic_folder(out: Path, results: Results = SCAN) -> Iterator[Path]:
    """Give a fresh hidden folder to write to; on leaving without an error it becomes ``out`` in one step.

    On any error, Ctrl-C included, it is removed and ``out`` stays as it was.

    Raises:
        OutputError: as :func:`check_output`, and when the disk is full or anything else stops the writing.
    """
    out = _resolved(out)
    check_output(out, results)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(out.parent)
        folder = out.parent / f"{_HIDDEN}{secrets.token_hex(6)}"
        folder.mkdir()
    except OSError as error:
        raise _unwritable(out, out.parent, error) from error
    lock = _locked(folder / _LOCK)
    try:
        yield folder
        _to_disk(folder)
        if out.exists():
            _check_replaceable(out, results)
        (folder / _LOCK).unlink()
        _take_place(folder, out)
    except OSError as error:
        raise _unwritable(out, out.parent, error) from error
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _resolved(out: Path) -> Path:
    """Absolute path without links: what is replaced is the folder itself, not a link to it."""
    try:
        return Path(out).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{out} is no usable path ({error}). Name another folder with --out.") from error


def _exists(path: Path) -> bool:
    """Whether anything is there. A name that cannot be there, like one too long, is told when it is tried."""
    try:
        return path.exists()
    except OSError:
        return False


def _unwritable(out: Path, where: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Results cannot be written to {out}: {error.strerror or error} (in {where}). "
        "Name a folder with --out that you may write to and that has room."
    )


def _check_replaceable(out: Path, results: Results) -> None:
    if not out.is_dir():
        raise OutputError(f"{out} is a file; results need a folder. Name another one with --out.")
    here = Path.cwd()
    if out == here or out in here.parents:
        raise OutputError(f"{out} is the folder you are in, or above it. Name a new one with --out, like {out}/scan.")
    if os.path.ismount(out):
        raise OutputError(
            f"{out} is where a disk is mounted, and results take the place of a folder. Name one in it: {out}/scan."
        )
    foreign = _foreign(out, results)
    if foreign:
        some = ", ".join(repr(name) for name in foreign[:3]) + (" …" if len(foreign) > 3 else "")
        raise OutputError(
            f"{out} holds things that {results.wrote} wrote ({some}), so it is not replaced. "
            "Name another folder with --out, or move them away."
        )


def _foreign(out: Path, results: Results) -> list[str]:
    """Names in a folder that are no results of ours. Without our record none of them is."""
    try:
        names = sorted(entry.name for entry in out.iterdir())
        if not names:
            return []
        if not _is_ours(out / results.record, results.schema):
            return names
        folder = results.pictures
        foreign = [name for name in names if name not in results.names or (out / name).is_dir() != (name == folder)]
        if folder and (out / folder).is_dir():
            pictures = sorted(entry.name for entry in (out / folder).iterdir())
            foreign += [f"{folder}/{name}" for name in pictures if not _THUMBNAIL.fullmatch(name)]
    except OSError as error:
        raise OutputError(f"{out} cannot be read ({error.strerror}). Name another folder with --out.") from error
    return foreign


def _is_ours(path: Path, schema: str) -> bool:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and record.get("schema") == schema


def _locked(path: Path) -> int:
    """Open a file and lock it; the lock ends with the process, however that ends."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _remove_abandoned(parent: Path) -> None:
    """Remove hidden folders whose writer is gone: their lock is free."""
    for folder in parent.glob(f"{_HIDDEN}*"):
        with suppress(OSError):
            handle = os.open(folder / _LOCK, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def _to_disk(folder: Path) -> None:
    """Wait until all bytes are on the disk, so that a power cut cannot leave a finished name over empty files."""
    for path in [*sorted(folder.rglob("*")), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _take_place(folder: Path, out: Path) -> None:
    """Rename ``folder`` to ``out``; where an earlier result is, the two change names in one step, then it goes."""
    if not out.exists():
        folder.rename(out)
        return
    if _exchange(folder, out):
        return  # the earlier result now has the hidden name, which the caller removes
    earlier = out.parent / f"{_HIDDEN}{secrets.token_hex(6)}"
    out.rename(earlier)
    try:
        folder.rename(out)
    except BaseException:
        earlier.rename(out)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step, where kernel and file system can (Linux from 3.15 on); else do nothing."""
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(swap(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
