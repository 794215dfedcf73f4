"""Files that people bring: listed, copied into the object store, and written down as a batch with a job for each.

Each file is added in a short transaction of its own. What is killed in the middle leaves a batch in the state
``receiving``, and the same call goes on with it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from errors import ImageError, Reason, SettingsError
from imagery.files.file_roles import Sorted, sort_out
from service.context import Context
from service.file_discovery import checksum, list_files, read_sidecar, regular_file, shown, size_of
from service.home import require_room
from service.publishing import publishing
from store.jobs.queue import add_job
from store.scenes.batches import CALL_KEY, Outcome, add_file, create_batch, end_receiving, file_names, job_key
from store.scenes.scenes import any_area, codes_like, known_area, scene_by_sha256
from store.schema.database import Session
from store.schema.tables import SceneRow

SOURCES = ("drone", "satellite", "camera")
Told = Callable[[str, int, int], None]
"""Called with the name of the file that is received, the bytes received so far, and the bytes of all files."""


def receive(
    context: Context,
    paths: Sequence[Path],
    area_code: str,
    source: str,
    origin: str,
    created_by: str,
    name: str,
    progress: Told | None = None,
    *,
    date: dt.date | None = None,
    unique_key: str | None = None,
    publish: bool = True,
) -> int:
    """Take files over into a batch, and add a job for each.

    Args:
        context: of this process.
        paths: files, zip files and folders; folders with all that lies below them, hidden files left out.
        area_code: where the images lie.
        source: drone, satellite or camera.
        origin: command, folder or upload.
        created_by: who brought them.
        name: of the batch, for people.
        progress: is told how far it is.
        date: day of acquisition, for images that tell none.
        unique_key: of the batch. A batch of that key that is complete is returned as it is. None: a batch of the
            same call that is not done is continued, with files that have come since; otherwise there is a new one.
        publish: tell the workers of each file at once.

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
            name=shown(name),
            origin=origin,
            source=source,
            created_by=shown(created_by),
            unique_key=key,
            now=context.clock(),
        )
        have = file_names(session, batch.id)
    if batch.state != "receiving":
        return batch.id
    desk = Desk(context, batch.id, date, publish)
    told = _Progress(progress, sum(size_of(file.path) for file in brought))
    where = {file.name: file.path for file in brought}
    for entry in sort_out(where):
        if entry.name not in have:
            _receive_one(desk, entry, where, told)
        else:
            told.add(entry.name, size_of(where[entry.name]))
    with desk.writing() as session:
        end_receiving(session, batch.id, context.clock())
    return batch.id


@dataclass(frozen=True)
class Desk:
    """Where the files of one batch are handed in, whether from a folder or out of a zip file."""

    context: Context
    batch_id: int
    date: dt.date | None
    publish: bool = True

    def image(
        self, name: str, path: Path, size: int, sha256: str, sidecars: Mapping[str, bytes], kind: str = "ingest.file"
    ) -> None:
        """Keep a file until a worker takes it; one that is known as a scene gets its outcome at once.

        Args:
            name: as the person called it.
            path: the file.
            size: its bytes.
            sha256: of its content.
            sidecars: content of what is to lie beside it, by suffix (see :attr:`imagery.files.file_roles.Sorted.beside`).
            kind: of the job.
        """
        with self.context.database.read() as session:
            known = scene_by_sha256(session, sha256)
        if known is not None:
            reason = same_as(known)
            with self.context.database.write() as session:
                now = self.context.clock()
                add_file(
                    session, self.batch_id, name, size=size, now=now, sha256=sha256,
                    outcome="duplicate", reason=reason, scene_id=known.id,
                )  # fmt: skip
            return
        require_room(self.context.settings)
        # made from the name, so that who was killed here writes the same object again
        key = f"received/{self.batch_id}/{hashlib.sha256(name.encode()).hexdigest()[:24]}"
        self.context.objects.put(key, path)
        for suffix, content in sidecars.items():
            self.context.objects.put(f"{key}.{suffix}", content)
        with self.writing() as session:
            now = self.context.clock()
            file_id = add_file(session, self.batch_id, name, size=size, now=now, sha256=sha256, received=key)
            if file_id is not None:
                payload = {"file": file_id, "date": self.date and self.date.isoformat(), "beside": list(sidecars)}
                add_job(session, kind=kind, queue="ingest", payload=payload, unique_key=job_key(file_id), now=now)

    def failed(self, name: str, size: int, reason: str) -> None:
        """Write down a file that cannot be taken."""
        with self.context.database.write() as session:
            now = self.context.clock()
            add_file(session, self.batch_id, name, size=size, now=now, outcome="failed", reason=reason)

    def beside(self, entry: Sorted, size: int) -> None:
        """Write down a file that is no image."""
        outcome: Outcome = "used" if entry.role == "sidecar" else "ignored"
        with self.context.database.write() as session:
            now = self.context.clock()
            add_file(session, self.batch_id, entry.name, size=size, now=now, outcome=outcome, reason=entry.reason)

    def writing(self) -> AbstractContextManager[Session]:
        """A transaction that writes; the workers are told of the jobs it adds, if they are to be."""
        database, settings = self.context.database, self.context.settings
        return publishing(database, settings) if self.publish else database.write()


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
        if known_area(session, code) is not None or not any_area(session):
            return
        like = codes_like(session, code)
    hint = ", ".join(f"{other} {name}" for other, name in like)
    raise SettingsError(
        f"No area that is loaded has the code {code}" + (f"; there are {hint}." if hint else ".") + " Load it first.",
        "area.unknown",
        given=code,
        like=hint or "–",
    )


def same_as(scene: SceneRow) -> Reason:
    """Words for a file that equals a scene."""
    return Reason(
        f"the same content as {scene.name} of {scene.date or 'unknown date'} (scene {scene.id})",
        "duplicate.known",
        name=scene.name,
        date=scene.date or "–",
        scene=scene.id,
    )


class _Progress:
    def __init__(self, told: Told | None, total: int) -> None:
        self._told, self._total, self._done = told, total, 0

    def add(self, name: str, size: int) -> None:
        self._done = min(self._total, self._done + size)
        if self._told is not None:
            self._told(name, self._done, self._total)


def _receive_one(desk: Desk, entry: Sorted, where: Mapping[str, Path], told: _Progress) -> None:
    path = where[entry.name]
    if entry.role in ("sidecar", "ignored"):
        desk.beside(entry, size_of(path))
        told.add(entry.name, size_of(path))
        return
    try:
        file = regular_file(path, entry.name)
        sha256 = checksum(file, entry.name, lambda size: told.add(entry.name, size))
        beside = {suffix: read_sidecar(where[name]) for suffix, name in entry.beside.items()}
    except ImageError as error:
        desk.failed(entry.name, size_of(path), error.reason)
        return
    desk.image(entry.name, file.path, file.size, sha256, beside, "ingest.zip" if entry.role == "zip" else "ingest.file")


def _key(origin: str, area_code: str, source: str, paths: Sequence[Path]) -> str:
    told = "\0".join([origin, area_code, source, *sorted(str(path.resolve()) for path in paths)])
    return CALL_KEY + hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()
