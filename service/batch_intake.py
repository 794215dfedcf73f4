"""Receive files into a batch: list them, copy them into the object store, and add a job for each.

Each file is added in a short transaction of its own. An interrupted call leaves a batch in the state ``receiving``,
and the same call continues it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from errors import SettingsError
from service.batch_writer import BatchWriter, SubmittedFile, submit_files
from service.context import Context
from service.file_discovery import file_size, list_files, printable_name
from store.scenes.batches import REQUEST_KEY_PREFIX, create_batch, finish_receiving
from store.scenes.scenes import find_area, has_areas, similar_codes

SOURCES = ("drone", "satellite", "camera")
Progress = Callable[[str, int, int], None]
"""Called with the name of the file being received, the bytes received so far, and the bytes of all files."""


def receive_files(
    context: Context,
    paths: Sequence[Path],
    area_code: str,
    source: str,
    origin: str,
    created_by: str,
    name: str,
    progress: Progress | None = None,
    *,
    date: dt.date | None = None,
    unique_key: str | None = None,
    publish: bool = True,
) -> int:
    """Receive files into a batch, and add a job for each.

    Args:
        context: of this process.
        paths: files, zip files and folders; folders with all that lies below them, hidden files left out.
        area_code: where the images lie.
        source: drone, satellite or camera.
        origin: command, folder or upload.
        created_by: who submitted them.
        name: of the batch, for people.
        progress: called while files are received.
        date: day of acquisition for images that have none.
        unique_key: of the batch. A batch of that key that is complete is returned as it is. None: a batch of the
            same call that is not done is continued, with files that have come since; otherwise there is a new one.
        publish: notify the workers of each file at once.

    Returns:
        the id of the batch. Files that cannot be read are in it, with the reason.

    Raises:
        SettingsError: the area or the source is unknown, a path points to nothing, or there are too many files.
        OutputError: the object store cannot take them now; the same call continues.
    """
    check_area(context, area_code)
    if source not in SOURCES:
        raise SettingsError(f"The source is {source!r}; expected one of {', '.join(SOURCES)}.")
    brought = list_files(paths, context.settings.batch.max_files)
    key = unique_key or _key(origin, area_code, source, paths)
    with context.database.write() as session:
        batch = create_batch(
            session,
            area_code=area_code,
            name=printable_name(name),
            origin=origin,
            source=source,
            created_by=printable_name(created_by),
            unique_key=key,
            now=context.clock(),
        )
    if batch.state != "receiving":
        return batch.id
    writer = BatchWriter(context, batch.id, date, publish)
    files = {file.name: SubmittedFile(file.name, file.path, file_size(file.path)) for file in brought}
    progress_of_all = _Progress(progress, sum(file.size for file in files.values()))
    submit_files(writer, files, progress=progress_of_all.add)
    with writer.writing() as session:
        finish_receiving(session, batch.id, context.clock())
    return batch.id


def check_area(context: Context, code: str) -> None:
    """Refuse a code that no loaded area has. As long as no area is loaded, every code of 6, 9 or 12 digits is taken.

    Raises:
        SettingsError: with codes that are like it.
    """
    if not (code.isascii() and code.isdigit() and len(code) in (6, 9, 12)):
        raise SettingsError(
            f"{code!r} is no administrative code; expected 6 digits (county), 9 (township) or 12 (village).",
            "area.digits",
            given=code[:20],
        )
    with context.database.read() as session:
        if find_area(session, code) is not None or not has_areas(session):
            return
        like = similar_codes(session, code)
    hint = ", ".join(f"{other} {name}" for other, name in like)
    raise SettingsError(
        f"No area that is loaded has the code {code}" + (f"; there are {hint}." if hint else ".") + " Load it first.",
        "area.unknown",
        given=code,
        like=hint or "–",
    )


class _Progress:
    def __init__(self, notify: Progress | None, total: int) -> None:
        self._notify, self._total, self._done = notify, total, 0

    def add(self, name: str, size: int) -> None:
        self._done = min(self._total, self._done + size)
        if self._notify is not None:
            self._notify(name, self._done, self._total)


def _key(origin: str, area_code: str, source: str, paths: Sequence[Path]) -> str:
    told = "\0".join([origin, area_code, source, *sorted(str(path.resolve()) for path in paths)])
    return REQUEST_KEY_PREFIX + hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()
