"""Receive files into a batch: list them, copy them into the object store, and add an ingest job for each.

Each file is added in a short transaction of its own. An interrupted call leaves the batch in the state ``receiving``;
repeating the call resumes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from errors import SettingsError
from imagery.conversion.given_metadata import NOTHING_GIVEN, GivenMetadata
from service.batch_writer import BatchWriter, SubmittedFile, submit_files
from service.context import Context
from service.file_discovery import file_size, list_files, printable_name
from service.images.correct import SOURCES as SOURCES
from store.scenes.batches import REQUEST_KEY_PREFIX, create_batch, finish_receiving
from store.scenes.scenes import find_area, has_areas, similar_codes

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
    given: GivenMetadata = NOTHING_GIVEN,
    unique_key: str | None = None,
    publish: bool = True,
    own_folder: bool = True,
) -> int:
    """Receive files into a batch and add an ingest job for each.

    Args:
        context: of this process.
        paths: files, zip files and folders; folders are read recursively, without hidden files.
        area_code: administrative area of the images.
        source: drone, satellite or camera.
        origin: command, folder or upload.
        created_by: name of the person or process that submitted them.
        name: display name of the batch.
        progress: called while files are received.
        given: what a person stated about the files.
        unique_key: of the batch. A complete batch with that key is returned unchanged. None: an unfinished batch of
            the same call is resumed, including files added since; otherwise a new batch is created.
        publish: notify the workers of each file immediately.
        own_folder: whether the names of the submitted folders may hold the day of their files.

    Returns:
        The id of the batch. Unreadable files are recorded in it with the reason.

    Raises:
        SettingsError: unknown area or source, missing path, or too many files.
        OutputError: the object store is unavailable; repeating the call resumes.
    """
    check_area(context, area_code)
    if source not in SOURCES:
        raise SettingsError(f"The source is {source!r}; expected one of {', '.join(SOURCES)}.")
    discovered = list_files(paths, context.settings.batch.max_files)
    key = unique_key or _call_key(origin, area_code, source, paths)
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
    writer = BatchWriter(context, batch.id, given, publish)
    files = {
        file.name: SubmittedFile(file.name, file.path, file_size(file.path), folder=file.folder if own_folder else "")
        for file in discovered
    }
    total = _TotalProgress(progress, sum(file.size for file in files.values()))
    submit_files(writer, files, progress=total.add)
    with writer.transaction() as session:
        finish_receiving(session, batch.id, context.clock())
    return batch.id


def check_area(context: Context, code: str) -> None:
    """Require the code of a loaded area. While no area is loaded, every code of 6, 9 or 12 digits is accepted.

    Raises:
        SettingsError: unknown code; the message lists similar ones.
    """
    if not (code.isascii() and code.isdigit() and len(code) in (6, 9, 12)):
        raise SettingsError(
            f"{code!r} is not an administrative code; expected 6 digits (county), 9 (township) or 12 (village).",
            "area.digits",
            given=code[:20],
        )
    with context.database.read() as session:
        if find_area(session, code) is not None or not has_areas(session):
            return
        similar = similar_codes(session, code)
    hint = ", ".join(f"{other} {name}" for other, name in similar)
    raise SettingsError(
        f"No loaded area has the code {code}" + (f"; similar codes: {hint}." if hint else ".") + " Load it first.",
        "area.unknown",
        given=code,
        like=hint or "–",
    )


class _TotalProgress:
    """Adds up the bytes of all files."""

    def __init__(self, notify: Progress | None, total: int) -> None:
        self._notify, self._total, self._done = notify, total, 0

    def add(self, name: str, size: int) -> None:
        self._done = min(self._total, self._done + size)
        if self._notify is not None:
            self._notify(name, self._done, self._total)


def _call_key(origin: str, area_code: str, source: str, paths: Sequence[Path]) -> str:
    """Return the batch key of a call: the same arguments give the same key."""
    arguments = "\0".join([origin, area_code, source, *sorted(str(path.resolve()) for path in paths)])
    return REQUEST_KEY_PREFIX + hashlib.sha256(arguments.encode(errors="surrogateescape")).hexdigest()
