"""What rests on an image: its comparisons and the alerts that they found."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from store.access.rights import Viewer, visible_to
from store.schema.tables import AlertRow, Batch, BatchFile, Observation, Scan, SceneRow

MAX_LISTED = 100


class ImageScan(NamedTuple):
    """A comparison of an image with another one."""

    scan: Scan
    before: SceneRow
    after: SceneRow


class ImageUse(NamedTuple):
    """What rests on an image, newest first, at most :data:`MAX_LISTED` each; and the batches that brought it."""

    scans: list[ImageScan]
    alerts: list[AlertRow]
    batches: list[Batch]


def image_use(session: Session, viewer: Viewer, scene: SceneRow) -> ImageUse:
    """Return the comparisons of an image, the viewer's alerts that they found, and the viewer's batches with it."""
    before, after = aliased(SceneRow), aliased(SceneRow)
    of_scene = (Scan.before_id == scene.id) | (Scan.after_id == scene.id)
    scans = session.execute(
        select(Scan, before, after)
        .join(before, before.id == Scan.before_id)
        .join(after, after.id == Scan.after_id)
        .where(of_scene)
        .order_by(Scan.id.desc())
        .limit(MAX_LISTED)
    )
    observed = select(Observation.alert_id).join(Scan, Scan.id == Observation.scan_id).where(of_scene)
    alerts = session.scalars(
        select(AlertRow)
        .where(AlertRow.id.in_(observed), visible_to(AlertRow.grid_code, viewer))
        .order_by(AlertRow.id.desc())
        .limit(MAX_LISTED)
    )
    batches = session.scalars(
        select(Batch)
        .where(
            Batch.id.in_(select(BatchFile.batch_id).where(BatchFile.scene_id == scene.id)),
            visible_to(Batch.area_code, viewer),
        )
        .order_by(Batch.id)
    )
    return ImageUse([ImageScan(*row) for row in scans], list(alerts), list(batches))
