"""Scenes: images that were checked and rewritten, known by the checksum of the file they came as."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.overlap_ratio import sound
from store.scenes.batches import MAX_NAME_LENGTH
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
    """Write down a scene.

    Args:
        session: of a transaction that writes.
        image: what is known of it.
        area_code: of the batch it came with.
        name: as the person called the file.
        source: drone, satellite or camera.
        object_key: of its COG.
        now: this moment.

    Returns:
        its id; None: a scene of the same file is there already, perhaps since a moment ago.
    """
    return insert_new(
        session,
        SceneRow,
        {
            "area_code": area_code,
            "sha256": image.sha256,
            "name": name[:MAX_NAME_LENGTH],
            "source": source,
            "date": image.date,
            "date_source": image.date_source[:100],
            "gsd_m": image.gsd_m,
            "crs": image.crs,
            "width": image.width,
            "height": image.height,
            "valid_share": image.valid_share,
            "object_key": object_key,
            "object_sha256": image.object_sha256,
            "created_at": now,
            **bounds_of(image.footprint),
        },
        SceneRow.id,
    )


def scene_by_sha256(session: Session, sha256: str) -> SceneRow | None:
    """The scene of a file with that checksum."""
    return session.scalar(select(SceneRow).where(SceneRow.sha256 == sha256))


class AreaOutline(NamedTuple):
    """Ground of an administrative code; longitude, latitude."""

    code: str
    name: str
    outline: BaseGeometry


def find_area(session: Session, code: str) -> AreaOutline | None:
    """The area of a code, else all areas within it together; None: nothing is known of it."""
    own = session.execute(select(Area.name, Area.outline).where(Area.code == code)).one_or_none()
    if own is not None:
        return AreaOutline(code, own.name, sound(own.outline))
    within = session.scalars(select(Area.outline).where(Area.code.startswith(code, autoescape=True))).all()
    return AreaOutline(code, "", shapely.union_all([sound(outline) for outline in within])) if within else None


def has_areas(session: Session) -> bool:
    """Whether any area was loaded."""
    return session.scalar(select(Area.id).limit(1)) is not None


def similar_codes(session: Session, code: str, limit: int = 5) -> list[tuple[str, str]]:
    """Codes and names of areas that begin like ``code``, those with most digits in common first."""
    for length in range(len(code), 1, -1):
        found = session.execute(
            select(Area.code, Area.name)
            .where(Area.code.startswith(code[:length], autoescape=True))
            .order_by(Area.code)
            .limit(limit)
        ).all()
        if found:
            return [(row.code, row.name) for row in found]
    return []


def smallest_area_at(session: Session, point: shapely.Point) -> AreaOutline | None:
    """The village, else township, else county, that ``point`` (longitude, latitude) lies in."""
    found = session.execute(select(Area.code, Area.name, Area.outline).where(bounds_intersect(Area, point)))
    inside = [AreaOutline(*row) for row in found if sound(row.outline).intersects(point)]
    return max(inside, key=lambda area: len(area.code), default=None)
