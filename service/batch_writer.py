"""Write received files into a batch: content into the object store, rows and jobs into the database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from errors import ImageError, Reason
from imagery.conversion.given_metadata import NOTHING_GIVEN, GivenMetadata
from imagery.files.file_roles import FileRole, assign_file_roles
from service.context import Context
from service.file_discovery import checksum, read_sidecar, require_regular_file
from service.home import require_intake_space
from service.images.duplicates import record_duplicate
from service.images.rewrite import is_replaced
from store.jobs.queue import add_job
from store.scenes.batches import Outcome, add_file, file_names, job_key
from store.scenes.scenes import scene_by_sha256
from store.schema.database import Session
from store.schema.tables import Batch

DAMAGED_IN_TRANSIT = Reason(
    "it was damaged in transit: its content does not match the checksum sent with it; send it again",
    "sent.damaged",
)


@dataclass(frozen=True)
class SubmittedFile:
    """A local file to be added to a batch.

    Attributes:
        name: as submitted, including folders.
        path: location of its content.
        size: bytes.
        sha256: checksum sent with it, in hexadecimal; "": none.
        folder: name of the folder that contains it beside those in ``name``.
    """

    name: str
    path: Path
    size: int
    sha256: str = ""
    folder: str = ""


@dataclass(frozen=True)
class BatchWriter:
    """Adds files to one batch, whether they come from a folder, an upload or a zip file.

    Attributes:
        context: of this process.
        batch_id: the batch.
        given: what a person stated about the files.
        publish: notify the workers of each file immediately.
    """

    context: Context
    batch_id: int
    given: GivenMetadata = NOTHING_GIVEN
    publish: bool = True

    def queue_file(
        self,
        name: str,
        path: Path,
        size: int,
        sha256: str,
        sidecars: Mapping[str, bytes],
        kind: str = "ingest.file",
        folder: str = "",
    ) -> None:
        """Store a file and add its ingest job; a file identical to a known scene is recorded as a duplicate instead,
        unless it replaces that (:func:`service.images.rewrite.is_replaced`).

        Args:
            name: as submitted.
            path: the file.
            size: bytes.
            sha256: of its content.
            sidecars: content of its sidecar files by suffix (:attr:`imagery.files.file_roles.FileRole.sidecars`).
            kind: of the job.
            folder: name of the folder that contains the file beside those in ``name``.
        """
        with self.context.database.read() as session:
            known = scene_by_sha256(session, sha256)
            batch = session.get(Batch, self.batch_id)
        assert batch is not None
        given = self.given.in_folder(folder or self.given.folder)
        if known is not None and not is_replaced(known, given, batch.area_code):
            with self.context.database.write() as session:
                now = self.context.clock()
                reason = record_duplicate(
                    session, known, name, given, area_code=batch.area_code, who=batch.created_by,
                    settings=self.context.settings.alerts, today=self.context.today, now=now,
                )  # fmt: skip
                add_file(
                    session, self.batch_id, name, size=size, now=now, sha256=sha256,
                    outcome="duplicate", reason=reason, scene_id=known.id,
                )  # fmt: skip
            return
        require_intake_space(self.context.settings)
        # derived from the name, so that a repeated call overwrites the same object
        key = f"received/{self.batch_id}/{hashlib.sha256(name.encode()).hexdigest()[:24]}"
        self.context.objects.put(key, path)
        for suffix, content in sidecars.items():
            self.context.objects.put(f"{key}.{suffix}", content)
        with self.transaction() as session:
            now = self.context.clock()
            file_id = add_file(session, self.batch_id, name, size=size, now=now, sha256=sha256, received=key)
            if file_id is not None:
                payload = {"file": file_id, "given": given.to_json(), "beside": list(sidecars)}
                add_job(session, kind=kind, queue="ingest", payload=payload, unique_key=job_key(file_id), now=now)

    def record_failed(self, name: str, size: int, reason: str) -> None:
        """Record an unusable file with the reason."""
        with self.context.database.write() as session:
            now = self.context.clock()
            add_file(session, self.batch_id, name, size=size, now=now, outcome="failed", reason=reason)

    def record_unused(self, role: FileRole, size: int) -> None:
        """Record a file that needs no job: a sidecar or an ignored file."""
        outcome: Outcome = "used" if role.role == "sidecar" else "ignored"
        with self.context.database.write() as session:
            now = self.context.clock()
            add_file(session, self.batch_id, role.name, size=size, now=now, outcome=outcome, reason=role.reason)

    def transaction(self) -> AbstractContextManager[Session]:
        """Open a write transaction; if ``publish`` is set, its jobs are published after the commit."""
        return self.context.database.write(publish=self.publish)


def submit_files(
    writer: BatchWriter,
    files: Mapping[str, SubmittedFile],
    *,
    progress: Callable[[str, int], None] = lambda name, size: None,
    submitted: Callable[[FileRole], None] = lambda role: None,
) -> None:
    """Add files to a batch. Files already in the batch are skipped, so an interrupted call can be repeated.

    Args:
        writer: of the batch.
        files: by name.
        progress: called with a file's name and the number of its bytes read since the last call.
        submitted: called after each file is recorded in the batch.

    Raises:
        OutputError: the object store is unavailable; repeating the call resumes.
    """
    with writer.context.database.read() as session:
        present = file_names(session, writer.batch_id)
    for role in assign_file_roles(files):
        file = files[role.name]
        if role.name in present:
            progress(role.name, file.size)
        else:
            _submit(writer, role, files, progress)
        submitted(role)


def _submit(
    writer: BatchWriter, role: FileRole, files: Mapping[str, SubmittedFile], progress: Callable[[str, int], None]
) -> None:
    file = files[role.name]
    if role.role in ("sidecar", "ignored"):
        writer.record_unused(role, file.size)
        progress(role.name, file.size)
        return
    if role.role == "refused":
        writer.record_failed(role.name, file.size, role.reason)
        progress(role.name, file.size)
        return
    try:
        regular = require_regular_file(file.path, file.name)
        sha256 = checksum(regular, file.name, lambda size: progress(role.name, size))
        if file.sha256 not in ("", sha256):
            raise ImageError(DAMAGED_IN_TRANSIT)
        sidecars = {suffix: _read_sidecar(files[name], suffix) for suffix, name in role.sidecars.items()}
    except ImageError as error:
        writer.record_failed(file.name, file.size, error.reason)
        return
    kind = "ingest.zip" if role.role == "zip" else "ingest.file"
    writer.queue_file(file.name, regular.path, regular.size, sha256, sidecars, kind, file.folder)


def _read_sidecar(file: SubmittedFile, suffix: str) -> bytes:
    if (
        file.sha256
        and checksum(require_regular_file(file.path, file.name), file.name, lambda size: None) != file.sha256
    ):
        raise ImageError(
            f"its sidecar file {file.name} was damaged in transit; send both again",
            "sent.damaged_beside",
            name=file.name,
        )
    return read_sidecar(file.path, suffix)
