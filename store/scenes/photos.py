"""Photos of drones: checked one by one, then laid into a mosaic when their batch has nothing else to check.

A photo that was checked keeps the state ``waiting`` and has a row of its own; the mosaic's job gives it its outcome.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.jobs.queue import add_job
from store.schema.insert import insert_new
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
    """Write down a photo that was checked; called again it changes nothing.

    Args:
        session: of a transaction that writes.
        file_id: of its file.
        outline: ground that it shows by its sensors; longitude, latitude.
        error_m: how far that may be off.
        taken: by the camera's clock, ISO.
        date: day it was taken, as it is believed.
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
    """Write down where a photo was placed, and how well."""
    photo = session.scalars(select(PhotoRow).where(PhotoRow.file_id == file_id)).one()
    photo.tied, photo.error_m, photo.residual_m = tied, error_m, residual_m
    for name, value in bounds_of(outline).items():
        setattr(photo, name, value)


def scene_of_photo(session: Session, sha256: str) -> SceneRow | None:
    """The mosaic that a photo of that checksum is part of."""
    return session.scalar(
        select(SceneRow)
        .join(BatchFile, BatchFile.scene_id == SceneRow.id)
        .join(PhotoRow, PhotoRow.file_id == BatchFile.id)
        .where(BatchFile.sha256 == sha256, BatchFile.state == "placed")
        .order_by(SceneRow.id)
        .limit(1)
    )


def add_mosaic_job(session: Session, batch_id: int, now: dt.datetime) -> bool:
    """Add the mosaic's job if all files of a batch that wait are photos that were checked.

    To be called with the batch locked, by :func:`store.scenes.batches.close_batch_if_finished`. Photos that come later have a
    job, and a mosaic, of their own.
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
    """Jobs that lay photos of a batch into mosaics, the newest last; done ones left out."""
    keys = Job.unique_key.startswith(f"{_MOSAIC_KEY}{batch_id}:", autoescape=True)
    return list(session.scalars(select(Job).where(keys, Job.state != "done").order_by(Job.id)))


def waiting_photos(session: Session, files: Sequence[int]) -> list[tuple[BatchFile, PhotoRow]]:
    """Of some files those that still wait, with what is known of them, in their order."""
    wanted = (
        select(BatchFile, PhotoRow)
        .join(PhotoRow, PhotoRow.file_id == BatchFile.id)
        .where(BatchFile.id.in_(files), BatchFile.state == "waiting")
        .order_by(BatchFile.id)
    )
    return [(file, photo) for file, photo in session.execute(wanted)]


def reference_scenes(session: Session, ground: BaseGeometry, coarsest_m: float) -> list[SceneRow]:
    """Scenes that may serve to place photos of some ground (longitude, latitude), the newest first."""
    wanted = select(SceneRow).where(bounds_intersect(SceneRow, ground), SceneRow.gsd_m <= coarsest_m)
    return list(session.scalars(wanted.order_by(SceneRow.date.desc().nulls_last(), SceneRow.id.desc())))
