"""Rows of images to be corrected, withdrawn or purged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, defer

from store.scenes.scene_areas import set_scene_areas
from store.schema.camera_tables import CaptureRow
from store.schema.outlines import bounds_of
from store.schema.tables import Batch, BatchFile, Scan, SceneRow

if TYPE_CHECKING:
    from imagery.conversion.ingested_image import IngestedImage

READY, WITHDRAWN, PURGED = "ready", "withdrawn", "purged"
"""States of a scene: used by scans; kept but not used; kept without its object."""


def locked_scene(session: Session, scene_id: int) -> SceneRow | None:
    """Return a scene, locked until the transaction ends; None: it does not exist."""
    if not 0 < scene_id < 2**63:
        return None
    query = select(SceneRow).where(SceneRow.id == scene_id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def scene_ids_of_batch(session: Session, batch_id: int) -> list[int]:
    """Return the scenes that the files of a batch became, not those that they duplicate."""
    files = select(BatchFile.scene_id).where(BatchFile.batch_id == batch_id, BatchFile.state == "placed")
    return list(session.scalars(select(SceneRow.id).where(SceneRow.id.in_(files)).order_by(SceneRow.id)))


def list_images(
    session: Session,
    *,
    area: str = "",
    batch_id: int | None = None,
    undated: bool = False,
    state: str = "",
    limit: int,
) -> list[SceneRow]:
    """Return scenes without their outlines, newest first.

    Args:
        session: a read transaction.
        area: prefix of the administrative code.
        batch_id: only scenes of this batch.
        undated: only scenes whose day is unknown.
        state: only scenes in this state; "": all.
        limit: maximum number.
    """
    query = select(SceneRow).where(SceneRow.area_code.startswith(area, autoescape=True))
    if batch_id is not None:
        query = query.where(SceneRow.id.in_(scene_ids_of_batch(session, batch_id)))
    if undated:
        query = query.where(SceneRow.date.is_(None))
    if state:
        query = query.where(SceneRow.state == state)
    return list(session.scalars(query.options(defer(SceneRow.outline)).order_by(SceneRow.id.desc()).limit(limit)))


def uploaders(session: Session, scene_ids: Collection[int]) -> dict[int, set[str]]:
    """Return the logins of those who submitted the files of scenes, by scene id."""
    found: dict[int, set[str]] = {scene_id: set() for scene_id in scene_ids}
    rows = session.execute(
        select(BatchFile.scene_id, Batch.created_by)
        .join(Batch, Batch.id == BatchFile.batch_id)
        .where(BatchFile.scene_id.in_(scene_ids), BatchFile.state == "placed")
    )
    for scene_id, login in rows:
        found[scene_id or 0].add(login)
    return found


def object_in_use(session: Session, object_key: str) -> bool:
    """Return whether a scene that was not purged has this object; equal pixels of two files share one."""
    used = exists().where(SceneRow.object_key == object_key, SceneRow.state != PURGED)
    return bool(session.scalar(select(used)))


def is_capture(session: Session, scene_id: int) -> bool:
    """Return whether a scene is a frame of a fixed camera."""
    return bool(session.scalar(select(exists().where(CaptureRow.scene_id == scene_id))))


def scan_ids_of_scene(session: Session, scene_id: int) -> list[int]:
    """Return all scans of a scene, withdrawn ones included."""
    return list(
        session.scalars(
            select(Scan.id).where((Scan.before_id == scene_id) | (Scan.after_id == scene_id)).order_by(Scan.id)
        )
    )


def replace_image(
    session: Session, scene: SceneRow, image: IngestedImage, object_key: str, *, name: str = "", source: str = ""
) -> str:
    """Give a scene the pixels and metadata of its file ingested again, and make it ready.

    Args:
        session: a write transaction.
        scene: locked.
        image: metadata of the new COG.
        object_key: of the new COG.
        name: new name; "": unchanged.
        source: new source; "": unchanged.

    Returns:
        the object key that it had before.
    """
    before = scene.object_key
    scene.object_key, scene.object_sha256 = object_key, image.object_sha256
    scene.date, scene.date_source, scene.moment = image.date, image.date_source[:100], image.moment
    scene.transform = list(image.transform)
    scene.gsd_m, scene.crs, scene.width, scene.height = image.gsd_m, image.crs, image.width, image.height
    scene.valid_share, scene.bands, scene.kind = image.valid_share, list(image.bands), image.kind
    scene.name, scene.source = name or scene.name, source or scene.source
    scene.state, scene.state_reason = READY, ""
    for column, value in bounds_of(image.footprint).items():
        setattr(scene, column, value)
    session.flush()
    set_scene_areas(session, scene.id, image.footprint)
    return before


def set_date(session: Session, scene: SceneRow, date: dt.date | None, source: str) -> None:
    """Set the day of a scene and the source of that day."""
    scene.date, scene.date_source, scene.moment = date, source, ""
    session.flush()
