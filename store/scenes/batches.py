"""Batches of received files, and the outcome of each file.

A file is ``waiting`` until it has an outcome: ``placed`` (it became a scene), ``duplicate`` (of an existing scene),
``failed`` (with the reason), ``used`` (a zip file that was unpacked, or a world file that was read with its image) or
``ignored``. An outcome never changes. A batch is ``receiving`` while files may be added, then ``working``, and
``done`` when every file has an outcome.
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
"""Prefix of keys that identify a request and not its files; such a key can be reused once its batch is done."""

_JOB_KEY = "ingest:"


@dataclass(frozen=True)
class FileReport:
    """State of one file of a batch.

    Attributes:
        id: of the row.
        name: original file name.
        size: bytes.
        state: waiting, or the outcome.
        reason: why it failed or was ignored, or a remark on a placed file.
        scene_id: the scene that it became or duplicates.
        date: of that scene.
        job: state of a waiting file's job (waiting, running or dead) with the last error; "" without a job.
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
    """State of a batch; ``files`` are in the order in which they were received."""

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
        """Count the files in any of ``states``."""
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
    """Create a batch, or return the existing one with that key.

    An unfinished batch whose key begins with :data:`REQUEST_KEY_PREFIX` is set back to ``receiving``, so that more
    files can be added.

    Args:
        session: a write transaction.
        area_code: area of the images.
        name: display name.
        origin: command, folder or upload.
        source: drone, satellite or camera.
        created_by: login of the user.
        unique_key: prevents a second batch for the same request; None: always create a new one.
        now: current time.

    Returns:
        The batch; an existing one may be in any state.
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
        if batch is not None:  # None: it was finished concurrently, which released its key
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
    """Add a file to a batch.

    Args:
        session: a write transaction.
        batch_id: of the batch.
        name: original file name, at most 400 characters; unique within the batch.
        size: bytes.
        now: current time.
        sha256: of the content, if it was read.
        received: object key while the file waits to be checked.
        outcome: of a file that needs no processing; None: the file waits.
        reason: message for users, with an outcome.
        scene_id: with an outcome, the scene that it duplicates.

    Returns:
        The id of the file; None if the batch has a file with that name already.
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
    """Return the unique key of the job of a file."""
    return f"{_JOB_KEY}{file_id}"


def file_names(session: Session, batch_id: int) -> set[str]:
    """Return the names of the files of a batch."""
    return set(session.scalars(select(BatchFile.name).where(BatchFile.batch_id == batch_id)))


def set_outcome(
    session: Session, file_id: int, outcome: Outcome, reason: str, now: dt.datetime, scene_id: int | None = None
) -> bool:
    """Set the outcome of a waiting file; False if it has one already, in which case nothing was changed."""
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
    """Stop accepting files for a batch; True if it is done already because no file needs processing."""
    session.execute(
        update(Batch)
        .where(Batch.id == batch_id, Batch.state == "receiving")
        .values(state="working")
        .execution_options(synchronize_session=False)
    )
    return close_batch_if_finished(session, batch_id, now)


def close_batch_if_finished(session: Session, batch_id: int, now: dt.datetime) -> bool:
    """Close a batch if all its files have outcomes, and return whether this call closed it.

    Call it in every transaction that sets an outcome, afterwards. If only checked photos are waiting, their mosaic job
    is added. Of two transactions that set the last two outcomes concurrently, the second waits for the first, so that
    exactly one closes the batch.
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
    """Return the jobs of the waiting files of a batch, in the order of the files, including dead jobs."""
    of_files = session.scalars(
        select(Job)
        .join(BatchFile, _is_job_of())
        .where(BatchFile.batch_id == batch_id, BatchFile.state == "waiting", Job.state != "done")
        .order_by(BatchFile.id)
    )
    return [*of_files, *mosaic_jobs(session, batch_id)]


def batch_report(
    session: Session, batch_id: int, *, state: str = "", offset: int = 0, limit: int | None = None
) -> BatchReport | None:
    """Return the state of a batch and its files; None if it does not exist.

    Args:
        session: a read transaction.
        batch_id: which batch.
        state: only files in this state; "": all.
        offset: number of files to skip.
        limit: maximum number of files; None: all.
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
        .offset(offset)
        .limit(limit)
    )
    files = []
    mosaic = next(reversed(mosaic_jobs(session, batch_id)), None)
    for file, date, job_id, job_state, error in rows:
        if file.state == "waiting" and job_id is None and mosaic is not None:  # a checked photo
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


def count_files(session: Session, batch_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return {batch id: {state: number of files}}."""
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
