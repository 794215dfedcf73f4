"""Scenes (checked and converted images, identified by the checksum of the received file), and area look-ups."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from imagery.set_operations import make_valid, union_all
from store.scenes.batches import MAX_NAME_LENGTH
from store.scenes.scene_areas import set_scene_areas
from store.schema.insert import insert_new
from store.schema.outlines import bounds_intersect, bounds_of
from store.schema.tables import Area, SceneRow

if TYPE_CHECKING:
    from imagery.conversion.ingested_image import IngestedImage


def add_scene(
    session: Session,
    image: IngestedImage,
    *,
    area_code: str,
    name: str,
    source: str,
    object_key: str,
    now: dt.datetime,
) -> int | None:
    """Add a scene.

    Args:
        session: a write transaction.
        image: metadata of the ingested image.
        area_code: of its batch.
        name: original file name.
        source: drone, satellite or camera.
        object_key: of its COG.
        now: current time.

    Returns:
        The id of the scene; None if a scene of the same file exists, possibly added concurrently.
    """
    scene_id = insert_new(
        session,
        SceneRow,
        {
            "area_code": area_code,
            "sha256": image.sha256,
            "name": name[:MAX_NAME_LENGTH],
            "source": source,
            "date": image.date,
            "date_source": image.date_source[:100],
            "moment": image.moment,
            "gsd_m": image.gsd_m,
            "crs": image.crs,
            "transform": list(image.transform),
            "width": image.width,
            "height": image.height,
            "valid_share": image.valid_share,
            "kind": image.kind,
            "bands": list(image.bands),
            "state": "ready",
            "state_reason": "",
            "object_key": object_key,
            "object_sha256": image.object_sha256,
            "created_at": now,
            **bounds_of(image.footprint),
        },
        SceneRow.id,
    )
    if scene_id is not None:
        set_scene_areas(session, scene_id, image.footprint)
    return scene_id


def scene_by_sha256(session: Session, sha256: str) -> SceneRow | None:
    """Return the scene of the file with this checksum; None if there is none."""
    return session.scalar(select(SceneRow).where(SceneRow.sha256 == sha256))


class AreaOutline(NamedTuple):
    """An administrative area with its outline; longitude, latitude."""

    code: str
    name: str
    outline: BaseGeometry


def find_area(session: Session, code: str) -> AreaOutline | None:
    """Return the area of a code, or else the union of the areas within it; None if no such area is loaded."""
    own = session.execute(select(Area.name, Area.outline).where(Area.code == code)).one_or_none()
    if own is not None:
        return AreaOutline(code, own.name, make_valid(own.outline))
    within = session.scalars(select(Area.outline).where(Area.code.startswith(code, autoescape=True))).all()
    return AreaOutline(code, "", union_all([make_valid(outline) for outline in within])) if within else None


def has_areas(session: Session) -> bool:
    """Return whether any area is loaded."""
    return session.scalar(select(Area.id).limit(1)) is not None


def similar_codes(session: Session, code: str, limit: int = 5) -> list[tuple[str, str]]:
    """Return codes and names of the areas that share the longest possible prefix with ``code``."""
    for length in range(len(code), 1, -1):
        rows = session.execute(
            select(Area.code, Area.name)
            .where(Area.code.startswith(code[:length], autoescape=True))
            .order_by(Area.code)
            .limit(limit)
        ).all()
        if rows:
            return [(row.code, row.name) for row in rows]
    return []


def smallest_area_at(session: Session, point: shapely.Point) -> AreaOutline | None:
    """Return the village, or else township or county, that contains ``point`` (longitude, latitude)."""
    rows = session.execute(select(Area.code, Area.name, Area.outline).where(bounds_intersect(Area, point)))
    inside = [AreaOutline(*row) for row in rows if make_valid(row.outline).intersects(point)]
    return max(inside, key=lambda area: len(area.code), default=None)
