"""Photos of drones as a person sees them: where each of a batch lies, and how well that is known."""

from __future__ import annotations

from typing import NamedTuple

from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, visible_to
from store.schema.tables import Batch, BatchFile, PhotoRow


class PhotoView(NamedTuple):
    """A photo as a person sees it.

    Attributes:
        id: of its file.
        name: as the person called it.
        state: of its file.
        tied: to the reference image, to neighbours, to nothing; or not yet.
        error_m: how far its ground may lie off.
        residual_m: median distance to what it was tied to.
        taken: by the camera's clock.
        camera: model and serial number.
        scene_id: the mosaic that it became part of.
        outline: its ground; longitude, latitude.
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
    """Photos of a batch of the viewer's ground, in the order in which they were received."""
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
