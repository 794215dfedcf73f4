"""The watched folder: what is put into one of its sub-folders, named by an administrative code, is ingested.

``FOLDER/330102/…``; below that a folder ``satellite``, ``camera`` or ``drone`` says where the images in it come from.

A file is taken when neither its size nor its time has changed between two looks that lie ``watch.settled_seconds``
apart, together with the files of the same name beside it (world file, .prj). It is moved to ``.taken/`` in the folder
of its code, where it stays: people may delete it there. The move makes sure that nothing is taken twice, and the names
of the folders in ``.taken`` what is still to be done: ``KEY.taking`` while files are moved, ``KEY.receiving`` until
all of them are in a batch, then ``KEY``.
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
_HALF_WRITTEN = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".download", ".!ut")
"""How programs name a file until it is whole."""

logger = structlog.get_logger("tuban.watch")


@dataclass(frozen=True)
class _Seen:
    """A file as it was at a look: its size, its time, and since when it has been like that."""

    size: int
    time_ns: int
    since: dt.datetime


_Look = dict[str, _Seen]  # by path below the watched folder, with "/"


def poll_watched_folder(context: Context) -> list[int]:
    """Look once into the watched folder, and receive what has settled.

    Copying takes as long as it takes, so this is called where nothing else waits, by one process at a time.

    Returns:
        ids of the batches that were received.

    Raises:
        SettingsError: the watched folder is not there.
    """
    if not context.settings.watch.folder:
        return []
    root = Path(context.settings.watch.folder).resolve()
    if not root.is_dir():
        raise SettingsError(f"The watched folder {root} is not there; make it, or change watch.folder.")
    memory = context.settings.home.resolve() / "watch.json"
    before, now = _read(memory), context.clock()
    after: _Look = {}
    batches = []
    for area in sorted(root.iterdir()):
        if is_hidden(area.name) or area.is_symlink() or not area.is_dir():
            continue
        try:
            check_area(context, area.name)
            batches += _taken_before(context, area)
            seen = _look_into(root, area, before, now)
            settled = _settled(seen, now, context.settings.watch.settled_seconds)
            after |= {name: file for name, file in seen.items() if name not in settled}
            batches += _take(context, root, area, settled)
        except (TubanError, OSError) as error:  # the other folders are looked into all the same
            logger.warning("nothing was taken from a watched folder", folder=area.name, error=str(error))
    _write(memory, after)
    return batches


def _look_into(root: Path, area: Path, before: _Look, now: dt.datetime) -> _Look:
    seen: _Look = {}
    for path in _files(area):
        name = path.relative_to(root).as_posix()
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            continue
        known = before.get(name)
        same = known is not None and (known.size, known.time_ns) == (status.st_size, status.st_mtime_ns)
        since = known.since if known is not None and same and known.since <= now else now
        seen[name] = _Seen(status.st_size, status.st_mtime_ns, since)
    return seen


def _files(area: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(area):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(files):
            if not (is_hidden(name) or name.startswith("~") or name.lower().endswith(_HALF_WRITTEN)):
                yield Path(where) / name


def _settled(seen: _Look, now: dt.datetime, seconds: float) -> _Look:
    """Files of which no file of the same name beside them has changed lately either."""

    def group(name: str) -> str:
        folder, _, own = name.rpartition("/")
        return f"{folder}/{own.split('.')[0].lower()}"

    lately = {group(name) for name, file in seen.items() if now - file.since < dt.timedelta(seconds=seconds)}
    return {name: file for name, file in seen.items() if group(name) not in lately}


def _take(context: Context, root: Path, area: Path, settled: _Look) -> list[int]:
    batches = []
    for source in SOURCES:
        chosen = {name: file for name, file in settled.items() if _source(name) == source}
        if not chosen:
            continue
        told = json.dumps([(name, file.size, file.time_ns) for name, file in sorted(chosen.items())])
        key = f"{context.clock():%Y%m%dT%H%M%S}-{source}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
        taking = area / TAKEN / (key + _TAKING)
        for name, file in chosen.items():
            _move(root / name, taking / Path(name).relative_to(area.name), file)
        if not taking.is_dir():  # all of them changed or went in the last moment
            continue
        receiving = taking.with_name(key + _RECEIVING)
        taking.rename(receiving)
        batches.append(_receive(context, area.name, receiving))
    return batches


def _source(name: str) -> str:
    """By the folder below that of the code; drones, if it does not say."""
    parts = name.split("/")
    return parts[1] if len(parts) > 2 and parts[1] in SOURCES else SOURCES[0]


def _move(path: Path, to: Path, seen: _Seen) -> None:
    """Move a file, unless it has changed since the look."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if (status.st_size, status.st_mtime_ns) == (seen.size, seen.time_ns):
        to.parent.mkdir(parents=True, exist_ok=True)
        path.rename(to)


def _taken_before(context: Context, area: Path) -> list[int]:
    """Go on with what a process that was killed had begun."""
    for taking in sorted((area / TAKEN).glob(f"*{_TAKING}")):
        for path in sorted(path for path in taking.rglob("*") if path.is_file()):
            back = area / path.relative_to(taking)
            if not back.exists():
                back.parent.mkdir(parents=True, exist_ok=True)
                path.rename(back)
        if any(path.is_file() for path in taking.rglob("*")):  # another file has come to its place
            taking.rename(taking.with_name(taking.name.removesuffix(_TAKING) + _RECEIVING))
        else:
            for folder in sorted((path for path in taking.rglob("*")), reverse=True):
                folder.rmdir()
            taking.rmdir()
    return [_receive(context, area.name, folder) for folder in sorted((area / TAKEN).glob(f"*{_RECEIVING}"))]


def _receive(context: Context, code: str, folder: Path) -> int:
    key = folder.name.removesuffix(_RECEIVING)
    moment, source = key.split("-")[:2]
    name = f"{code} {moment}"
    batch = receive_files(
        context, [folder], code, source, "folder", "watched folder", name, unique_key=f"watch:{code}:{key}"
    )
    folder.rename(folder.with_name(key))
    logger.info("received from the watched folder", folder=code, batch=batch)
    return batch


def _read(memory: Path) -> _Look:
    try:
        kept = json.loads(memory.read_text(encoding="utf-8"))
        return {name: _Seen(size, time, dt.datetime.fromisoformat(since)) for name, (size, time, since) in kept.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):  # then every file is seen for the first time
        return {}


def _write(memory: Path, seen: _Look) -> None:
    kept = {name: (file.size, file.time_ns, file.since.isoformat()) for name, file in seen.items()}
    memory.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(memory, json.dumps(kept).encode())
