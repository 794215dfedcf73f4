"""The watched folder: files put into a sub-folder named by an administrative code are ingested.

``FOLDER/330102/…``; below it, a folder ``satellite``, ``camera`` or ``drone`` gives the source of its images.

A file has settled when its size and modification time have not changed for ``watch.settled_seconds``, and neither have
files of the same name next to it (world file, .prj). Settled files are moved to ``.taken/`` in the folder of their
code, where they stay until somebody deletes them. The move ensures that no file is ingested twice; the names of the
folders in ``.taken`` show their progress: ``KEY.taking`` while files are moved, ``KEY.receiving`` until all of them are
in a batch, then ``KEY``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from errors import SettingsError, TubanError
from imagery.files.file_roles import is_hidden
from service.batch_intake import SOURCES, check_area, receive_files
from service.context import Context
from store.objects.folder import write_atomically

TAKEN = ".taken"
_TAKING, _RECEIVING = ".taking", ".receiving"
_PARTIAL_SUFFIXES = (
    *(".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".download", ".opdownload", ".!ut", ".!qb"),
    *(".downloading", ".xltd", ".td", ".bc!"),  # Baidu, Xunlei, BitComet
)
"""Suffixes that programs give to files they are still writing."""
_CONTROL_SUFFIXES = (".aria2", ".td.cfg")
"""Suffixes of a file beside one that is still being written, which has its final name and size from the beginning."""

logger = structlog.get_logger("tuban.watch")


@dataclass(frozen=True)
class _FileState:
    """Size and modification time of a file, and since when they have not changed."""

    size: int
    time_ns: int
    since: dt.datetime


_Snapshot = dict[str, _FileState]  # by POSIX path relative to the watched folder


def poll_watched_folder(context: Context) -> list[int]:
    """Check the watched folder once, and receive the files that have settled.

    Copying large files takes long, so callers run this on a thread of its own, in one process at a time.

    Returns:
        ids of the received batches.

    Raises:
        SettingsError: the watched folder does not exist.
    """
    if not context.settings.watch.folder:
        return []
    root = Path(context.settings.watch.folder).resolve()
    if not root.is_dir():
        raise SettingsError(
            f"The watched folder {root} does not exist; create it, or change watch.folder.",
            "setup.watched",
            folder=str(root),
        )
    state_file = context.settings.home.resolve() / "watch.json"
    before, now = _read(state_file), context.clock()
    after: _Snapshot = {}
    batches = []
    for area in sorted(root.iterdir()):
        if is_hidden(area.name) or area.is_symlink() or not area.is_dir():
            continue
        try:
            check_area(context, area.name)
            batches += _resume(context, area)
            current = _take_snapshot(root, area, before, now)
            settled = _settled(current, now, context.settings.watch.settled_seconds)
            after |= {name: file for name, file in current.items() if name not in settled}
            batches += _receive_settled(context, root, area, settled)
        except (TubanError, OSError) as error:  # continue with the other folders
            logger.warning("a watched folder could not be ingested", folder=area.name, error=str(error))
    _write(state_file, after)
    return batches


def _take_snapshot(root: Path, area: Path, before: _Snapshot, now: dt.datetime) -> _Snapshot:
    """Return the state of all files of an area's folder, carrying over ``since`` of unchanged ones."""
    snapshot: _Snapshot = {}
    for path in _files(area):
        name = path.relative_to(root).as_posix()
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            continue
        previous = before.get(name)
        unchanged = previous is not None and (previous.size, previous.time_ns) == (status.st_size, status.st_mtime_ns)
        since = previous.since if previous is not None and unchanged and previous.since <= now else now
        snapshot[name] = _FileState(status.st_size, status.st_mtime_ns, since)
    return snapshot


def _files(area: Path) -> Iterator[Path]:
    for current, folders, files in os.walk(area):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(files):
            partial = name.startswith("~") or name.lower().endswith(_PARTIAL_SUFFIXES + _CONTROL_SUFFIXES)
            if not (is_hidden(name) or partial or any(name + suffix in files for suffix in _CONTROL_SUFFIXES)):
                yield Path(current) / name


def _settled(snapshot: _Snapshot, now: dt.datetime, seconds: float) -> _Snapshot:
    """Return the files that have not changed recently, nor has any file of the same name next to them."""

    def stem(name: str) -> str:
        folder, _, file_name = name.rpartition("/")
        return f"{folder}/{file_name.split('.')[0].lower()}"

    changing = {stem(name) for name, file in snapshot.items() if now - file.since < dt.timedelta(seconds=seconds)}
    return {name: file for name, file in snapshot.items() if stem(name) not in changing}


def _receive_settled(context: Context, root: Path, area: Path, settled: _Snapshot) -> list[int]:
    """Move settled files to ``.taken`` and receive them, one batch per source."""
    batches = []
    for source in SOURCES:
        selected = {name: file for name, file in settled.items() if _source(name) == source}
        if not selected:
            continue
        content = json.dumps([(name, file.size, file.time_ns) for name, file in sorted(selected.items())])
        key = f"{context.clock():%Y%m%dT%H%M%S}-{source}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
        taking = area / TAKEN / (key + _TAKING)
        for name, file in selected.items():
            _move(root / name, taking / Path(name).relative_to(area.name), file)
        if not taking.is_dir():  # all files changed or disappeared in the meantime
            continue
        receiving = taking.with_name(key + _RECEIVING)
        taking.rename(receiving)
        batches.append(_receive(context, area.name, receiving))
    return batches


def _source(name: str) -> str:
    """Return the source named by the folder below that of the code; by default, drones."""
    parts = name.split("/")
    return parts[1] if len(parts) > 2 and parts[1] in SOURCES else SOURCES[0]


def _move(path: Path, target: Path, state: _FileState) -> None:
    """Move a file, unless it has changed since the snapshot."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if (status.st_size, status.st_mtime_ns) == (state.size, state.time_ns):
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def _resume(context: Context, area: Path) -> list[int]:
    """Finish what a killed process had started: move ``.taking`` files back, receive ``.receiving`` folders."""
    for taking in sorted((area / TAKEN).glob(f"*{_TAKING}")):
        for path in sorted(path for path in taking.rglob("*") if path.is_file()):
            original = area / path.relative_to(taking)
            if not original.exists():
                original.parent.mkdir(parents=True, exist_ok=True)
                path.rename(original)
        if any(path.is_file() for path in taking.rglob("*")):  # a new file has the same name
            taking.rename(taking.with_name(taking.name.removesuffix(_TAKING) + _RECEIVING))
        else:
            for folder in sorted((path for path in taking.rglob("*")), reverse=True):
                folder.rmdir()
            taking.rmdir()
    return [_receive(context, area.name, folder) for folder in sorted((area / TAKEN).glob(f"*{_RECEIVING}"))]


def _receive(context: Context, code: str, folder: Path) -> int:
    key = folder.name.removesuffix(_RECEIVING)
    timestamp, source = key.split("-")[:2]
    name = f"{code} {timestamp}"
    batch = receive_files(
        context, [folder], code, source, "folder", "watched folder", name, unique_key=f"watch:{code}:{key}",
        own_folder=False,
    )  # fmt: skip
    folder.rename(folder.with_name(key))
    logger.info("received from the watched folder", folder=code, batch=batch)
    return batch


def _read(state_file: Path) -> _Snapshot:
    try:
        stored = json.loads(state_file.read_text(encoding="utf-8"))
        return {
            name: _FileState(size, time, dt.datetime.fromisoformat(since))
            for name, (size, time, since) in stored.items()
        }
    except (FileNotFoundError, ValueError, TypeError, AttributeError):  # treat every file as new
        return {}


def _write(state_file: Path, snapshot: _Snapshot) -> None:
    stored = {name: (file.size, file.time_ns, file.since.isoformat()) for name, file in snapshot.items()}
    state_file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(state_file, json.dumps(stored).encode())
