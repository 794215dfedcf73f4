"""Drone photos: checked one by one, then mosaicked when their batch has no other files to check.

A checked photo keeps the file state ``waiting`` and has a row of its own; the mosaic job sets its outcome.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.jobs.queue import add_job
from store.schema.insert import insert_new
from store.schema.job_states import unfinished
from store.schema.outlines import bounds_intersect, bounds_of
from store.schema.tables import BatchFile, Job, PhotoRow, SceneRow

NOT_TIED = "not yet"
_MOSAIC_KEY = "mosaic:"


def add_photo(
    session: Session,
    file_id: int,
    outline: BaseGeometry,
    error_m: float,
    taken: str,
    date: dt.date | None,
    camera: str,
) -> None:
    """Add a checked photo; has no effect if it exists already.

    Args:
        session: a write transaction.
        file_id: of its file.
        outline: footprint from the photo's sensor data; longitude, latitude.
        error_m: position error of the footprint.
        taken: local time of the camera, ISO 8601.
        date: capture date after plausibility checks.
        camera: model and serial number.
    """
    values = {
        "file_id": file_id,
        "tied": NOT_TIED,
        "error_m": error_m,
        "residual_m": None,
        "taken": taken[:40],
        "date": date,
        "camera": camera[:100],
        **bounds_of(outline),
    }
    insert_new(session, PhotoRow, values, PhotoRow.id)


def place_photo(
    session: Session, file_id: int, outline: BaseGeometry, tied: str, error_m: float, residual_m: float | None
) -> None:
    """Store the footprint and accuracy of a photo that was placed in a mosaic."""
    photo = session.scalars(select(PhotoRow).where(PhotoRow.file_id == file_id)).one()
    photo.tied, photo.error_m, photo.residual_m = tied, error_m, residual_m
    for name, value in bounds_of(outline).items():
        setattr(photo, name, value)


def scene_of_photo(session: Session, sha256: str) -> SceneRow | None:
    """Return the mosaic that contains the photo with this checksum; None if there is none."""
    return session.scalar(
        select(SceneRow)
        .join(BatchFile, BatchFile.scene_id == SceneRow.id)
        .join(PhotoRow, PhotoRow.file_id == BatchFile.id)
        .where(BatchFile.sha256 == sha256, BatchFile.state == "placed")
        .order_by(SceneRow.id)
        .limit(1)
    )


def add_mosaic_job(session: Session, batch_id: int, now: dt.datetime) -> bool:
    """Add the mosaic job if all waiting files of a batch are checked photos; return whether it was added.

    Called by :func:`store.scenes.batches.close_batch_if_finished` with the batch locked. Photos received later get a
    job and a mosaic of their own.
    """
    waiting = session.execute(
        select(BatchFile.id, PhotoRow.id)
        .outerjoin(PhotoRow, PhotoRow.file_id == BatchFile.id)
        .where(BatchFile.batch_id == batch_id, BatchFile.state == "waiting")
        .order_by(BatchFile.id)
    ).all()
    if not waiting or any(photo is None for _, photo in waiting):
        return False
    files = [file for file, _ in waiting]
    key = f"{_MOSAIC_KEY}{batch_id}:{files[-1]}"
    payload = {"batch": batch_id, "files": files}
    return add_job(session, kind="ingest.mosaic", queue="ingest", payload=payload, unique_key=key, now=now) is not None


def mosaic_jobs(session: Session, batch_id: int) -> list[Job]:
    """Return the unfinished mosaic jobs of a batch, newest last."""
    keys = Job.unique_key.startswith(f"{_MOSAIC_KEY}{batch_id}:", autoescape=True)
    mosaics = select(Job).where(unfinished(), Job.kind == "ingest.mosaic", keys)
    return list(session.scalars(mosaics.order_by(Job.id)))


def waiting_photos(session: Session, files: Sequence[int]) -> list[tuple[BatchFile, PhotoRow]]:
    """Return those of ``files`` that are still waiting, with their photo rows, ordered by id."""
    query = (
        select(BatchFile, PhotoRow)
        .join(PhotoRow, PhotoRow.file_id == BatchFile.id)
        .where(BatchFile.id.in_(files), BatchFile.state == "waiting")
        .order_by(BatchFile.id)
    )
    return [(file, photo) for file, photo in session.execute(query)]


def reference_scenes(session: Session, ground: BaseGeometry, coarsest_m: float) -> list[SceneRow]:
    """Return scenes that can serve as reference for photos of ``ground`` (longitude, latitude), newest first."""
    usable = SceneRow.state == "ready", SceneRow.gsd_m <= coarsest_m
    query = select(SceneRow).where(bounds_intersect(SceneRow, ground), *usable)
    return list(session.scalars(query.order_by(SceneRow.date.desc().nulls_last(), SceneRow.id.desc())))
