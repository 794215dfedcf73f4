"""Batches: files that came in together, and what became of each.

A file is ``waiting`` until it has an outcome: ``placed`` (a scene was made of it), ``duplicate`` (of a scene that was
there), ``failed`` (with the reason), ``used`` (a zip file that was unpacked, a world file that was read with its
image) or ``ignored``. An outcome is never changed. A batch is ``receiving`` as long as files may be added, then
``working``, and ``done`` when every file has its outcome.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, String, cast, func, literal, select, update
from sqlalchemy.orm import Session

from errors import Reason
from store.scenes.photos import add_mosaic_job, mosaic_jobs
from store.schema.insert import insert_new
from store.schema.tables import Batch, BatchFile, Job, SceneRow

Outcome = Literal["placed", "duplicate", "failed", "used", "ignored"]
MAX_NAME_LENGTH = 400
REQUEST_KEY_PREFIX = "call:"
"""Keys that begin so say what was asked for, not what there is: they are free again when the batch is done."""

_JOB_KEY = "ingest:"


@dataclass(frozen=True)
class FileReport:
    """One file of a batch.

    Attributes:
        id: of its row.
        name: as the person called it.
        size: bytes.
        state: waiting, or its outcome.
        reason: why it failed or was ignored, and what a person should know of a placed one.
        scene_id: the scene it became, or equals.
        date: of that scene.
        job: of a file that waits: waiting, running or dead, with the last error; "" if it has no job.
        job_id: of that job.
    """

    id: int
    name: str
    size: int
    state: str
    reason: Reason
    scene_id: int | None
    date: dt.date | None
    job: str
    job_id: int | None


@dataclass(frozen=True)
class BatchReport:
    """How a batch stands; ``files`` in the order in which they were received."""

    id: int
    area_code: str
    name: str
    origin: str
    source: str
    state: str
    created_by: str
    created_at: dt.datetime
    finished_at: dt.datetime | None
    files: tuple[FileReport, ...]

    def count(self, *states: str) -> int:
        """Files in any of ``states``."""
        return sum(file.state in states for file in self.files)


def create_batch(
    session: Session,
    *,
    area_code: str,
    name: str,
    origin: str,
    source: str,
    created_by: str,
    unique_key: str | None,
    now: dt.datetime,
) -> Batch:
    """Begin a batch, or return the one of that key.

    A batch whose key begins with :data:`REQUEST_KEY_PREFIX` may be added to again as long as it is not done: it is set back to
    ``receiving``.

    Args:
        session: of a transaction that writes.
        area_code: where its images lie.
        name: for people.
        origin: command, folder or upload.
        source: drone, satellite or camera.
        created_by: who brought it.
        unique_key: makes sure that what is received twice is one batch; None: always a new one.
        now: this moment.

    Returns:
        the batch; one of that key that was there may be in any state.
    """
    values = {
        "area_code": area_code,
        "name": name[:MAX_NAME_LENGTH],
        "origin": origin,
        "source": source,
        "state": "receiving",
        "unique_key": unique_key,
        "created_by": created_by[:100],
        "created_at": now,
    }
    while True:
        added = insert_new(session, Batch, values, Batch.id)
        if added is not None:
            return session.get_one(Batch, added)
        batch = session.scalar(select(Batch).where(Batch.unique_key == unique_key).with_for_update())
        if batch is not None:  # else it was done, and its key free again, a moment ago
            if batch.state == "working" and (unique_key or "").startswith(REQUEST_KEY_PREFIX):
                batch.state = "receiving"
            return batch


def add_file(
    session: Session,
    batch_id: int,
    name: str,
    *,
    size: int,
    now: dt.datetime,
    sha256: str | None = None,
    received: str = "",
    outcome: Outcome | None = None,
    reason: str = "",
    scene_id: int | None = None,
) -> int | None:
    """Write down a file of a batch.

    Args:
        session: of a transaction that writes.
        batch_id: of its batch.
        name: as the person called it; at most 400 letters, of which a batch has no two alike.
        size: bytes.
        now: this moment.
        sha256: of its content, if it was read.
        received: key of the object that waits to be checked.
        outcome: of a file that needs no work; None: it waits.
        reason: for people, with an outcome.
        scene_id: with an outcome, the scene it equals.

    Returns:
        its id; None: the batch has a file of that name already.
    """
    values = {
        "batch_id": batch_id,
        "name": name,
        "size": size,
        "sha256": sha256,
        "received": received,
        "state": outcome or "waiting",
        "reason": str(reason),
        "why": Reason.json_of(reason),
        "scene_id": scene_id,
        "finished_at": now if outcome else None,
    }
    return insert_new(session, BatchFile, values, BatchFile.id)


def job_key(file_id: int) -> str:
    """Unique key of the job that works on a file."""
    return f"{_JOB_KEY}{file_id}"


def file_names(session: Session, batch_id: int) -> set[str]:
    """Names of the files that a batch has already."""
    return set(session.scalars(select(BatchFile.name).where(BatchFile.batch_id == batch_id)))


def set_outcome(
    session: Session, file_id: int, outcome: Outcome, reason: str, now: dt.datetime, scene_id: int | None = None
) -> bool:
    """Write down what became of a file that waits. False: it has an outcome already, and nothing was changed."""
    changed = session.scalar(
        update(BatchFile)
        .where(BatchFile.id == file_id, BatchFile.state == "waiting")
        .values(
            state=outcome,
            reason=str(reason),
            why=Reason.json_of(reason),
            scene_id=scene_id,
            finished_at=now,
            received="",
        )
        .returning(BatchFile.id)
        .execution_options(synchronize_session=False)
    )
    return changed is not None


def finish_receiving(session: Session, batch_id: int, now: dt.datetime) -> bool:
    """Note that no more files are added; a batch without work is done at once. Returns whether it is."""
    session.execute(
        update(Batch)
        .where(Batch.id == batch_id, Batch.state == "receiving")
        .values(state="working")
        .execution_options(synchronize_session=False)
    )
    return close_batch_if_finished(session, batch_id, now)


def close_batch_if_finished(session: Session, batch_id: int, now: dt.datetime) -> bool:
    """Close a batch whose last file has its outcome; to be called in the transaction that wrote one, after it.

    Where all that wait are photos that were checked, the job that lays them into a mosaic is added.

    Of two transactions that write the last two outcomes at once, one closes the batch: the second waits here for the
    first. Returns whether the batch was closed here.
    """
    locked = select(Batch.state, Batch.unique_key).where(Batch.id == batch_id).with_for_update()
    state, key = session.execute(locked).one()
    if state != "working":
        return False
    waiting = session.scalar(
        select(BatchFile.id).where(BatchFile.batch_id == batch_id, BatchFile.state == "waiting").limit(1)
    )
    if waiting is not None:
        add_mosaic_job(session, batch_id, now)
        return False
    session.execute(
        update(Batch)
        .where(Batch.id == batch_id)
        .values(state="done", finished_at=now, unique_key=None if key and key.startswith(REQUEST_KEY_PREFIX) else key)
        .execution_options(synchronize_session=False)
    )
    return True


def unfinished_jobs(session: Session, batch_id: int) -> list[Job]:
    """Jobs that files of a batch wait for, in the order of the files; dead ones included."""
    of_files = session.scalars(
        select(Job)
        .join(BatchFile, _is_job_of())
        .where(BatchFile.batch_id == batch_id, BatchFile.state == "waiting", Job.state != "done")
        .order_by(BatchFile.id)
    )
    return [*of_files, *mosaic_jobs(session, batch_id)]


def batch_report(
    session: Session, batch_id: int, *, state: str = "", skip: int = 0, limit: int | None = None
) -> BatchReport | None:
    """How a batch and its files stand; None: there is no such batch.

    Args:
        session: reads.
        batch_id: which.
        state: only files in it; "": all.
        skip: leave so many out at the beginning.
        limit: how many files at most; None: all.
    """
    batch = session.get(Batch, batch_id)
    if batch is None:
        return None
    rows = session.execute(
        select(BatchFile, SceneRow.date, Job.id, Job.state, Job.error)
        .outerjoin(SceneRow, SceneRow.id == BatchFile.scene_id)
        .outerjoin(Job, (BatchFile.state == "waiting") & (Job.state != "done") & _is_job_of())
        .where(BatchFile.batch_id == batch_id, *([BatchFile.state == state] if state else []))
        .order_by(BatchFile.id)
        .offset(skip)
        .limit(limit)
    )
    files = []
    mosaic = next(reversed(mosaic_jobs(session, batch_id)), None)
    for file, date, job_id, job_state, error in rows:
        if file.state == "waiting" and job_id is None and mosaic is not None:  # a photo that was checked
            job_id, job_state, error = mosaic.id, mosaic.state, mosaic.error
        job = "" if job_state is None else f"{job_state}: {error}" if error else job_state
        reason = Reason.from_json(file.reason, file.why)
        files.append(FileReport(file.id, file.name, file.size, file.state, reason, file.scene_id, date, job, job_id))
    return BatchReport(
        id=batch.id,
        area_code=batch.area_code,
        name=batch.name,
        origin=batch.origin,
        source=batch.source,
        state=batch.state,
        created_by=batch.created_by,
        created_at=batch.created_at,
        finished_at=batch.finished_at,
        files=tuple(files),
    )


def list_batches(
    session: Session, *, states: Sequence[str] = (), limit: int = 50
) -> list[tuple[Batch, dict[str, int]]]:
    """Batches, the newest first, each with how many of its files are in which state.

    Args:
        session: reads.
        states: only batches in these; none: all.
        limit: how many at most.
    """
    wanted = select(Batch).order_by(Batch.id.desc()).limit(limit)
    batches = list(session.scalars(wanted.where(Batch.state.in_(states)) if states else wanted))
    counts = count_files(session, [batch.id for batch in batches])
    return [(batch, counts[batch.id]) for batch in batches]


def count_files(session: Session, batch_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """How many files of each batch are in which state."""
    counts: dict[int, dict[str, int]] = {batch_id: {} for batch_id in batch_ids}
    rows = session.execute(
        select(BatchFile.batch_id, BatchFile.state, func.count())
        .where(BatchFile.batch_id.in_(batch_ids))
        .group_by(BatchFile.batch_id, BatchFile.state)
    )
    for batch_id, state, number in rows:
        counts[batch_id][state] = number
    return counts


def _is_job_of() -> ColumnElement[bool]:
    return Job.unique_key == literal(_JOB_KEY) + cast(BatchFile.id, String)
