"""Drone photos of a batch with their footprints and position accuracy."""

from __future__ import annotations

from typing import NamedTuple

from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, visible_to
from store.schema.tables import Batch, BatchFile, PhotoRow


class PhotoView(NamedTuple):
    """A drone photo.

    Attributes:
        id: id of its file.
        name: original file name.
        state: state of its file.
        tied: georeferenced by tie points to the reference image, to neighbours or to nothing; or not yet processed.
        error_m: estimated position error, metres.
        residual_m: median residual of the tie points, metres.
        taken: time by the camera's clock.
        camera: model and serial number.
        scene_id: the mosaic that contains it.
        outline: footprint; longitude, latitude.
    """

    id: int
    name: str
    state: str
    tied: str
    error_m: float | None
    residual_m: float | None
    taken: str
    camera: str
    scene_id: int | None
    outline: BaseGeometry


def photos_of_batch(session: Session, viewer: Viewer, batch_id: int) -> list[PhotoView]:
    """List the photos of a batch in the viewer's area, in the order in which they were received."""
    rows = session.execute(
        select(BatchFile, PhotoRow)
        .join(PhotoRow, PhotoRow.file_id == BatchFile.id)
        .join(Batch, Batch.id == BatchFile.batch_id)
        .where(BatchFile.batch_id == batch_id, visible_to(Batch.area_code, viewer))
        .order_by(BatchFile.id)
    )
    return [
        PhotoView(
            file.id,
            file.name,
            file.state,
            photo.tied,
            photo.error_m,
            photo.residual_m,
            photo.taken,
            photo.camera,
            file.scene_id,
            photo.outline,
        )
        for file, photo in rows
    ]
