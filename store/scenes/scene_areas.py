"""Areas whose ground a scene shows. They decide, beside the code of its batch, who may see it.

An image of a whole county, submitted under the county's code, shows the ground of its townships and villages: they see
it, too. The areas are computed when a scene is added, when its outline changes and when areas are loaded.
"""

from __future__ import annotations

from collections.abc import Iterable

from shapely.geometry.base import BaseGeometry
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from enforcement.overlap_ratio import overlap_ratios
from imagery.set_operations import make_valid
from store.schema.outlines import bounds_intersect
from store.schema.tables import Area, SceneArea, SceneRow

MIN_OVERLAP = 0.01
"""Minimum overlap of a scene with an area, as a share of the smaller of the two: edges of images do not count."""


def set_scene_areas(session: Session, scene_id: int, outline: BaseGeometry) -> None:
    """Store the areas whose ground a scene shows.

    Args:
        session: a write transaction.
        scene_id: of the scene.
        outline: of its valid pixels, in longitude and latitude.
    """
    ground = make_valid(outline)
    near = session.execute(select(Area.code, Area.outline).where(bounds_intersect(Area, ground)))
    codes = [code for code, area in near if overlap_ratios(ground, make_valid(area)).of_smaller >= MIN_OVERLAP]
    session.execute(delete(SceneArea).where(SceneArea.scene_id == scene_id))
    session.add_all(SceneArea(scene_id=scene_id, code=code) for code in codes)
    session.flush()


def update_scene_areas(session: Session, outlines: Iterable[BaseGeometry]) -> None:
    """Compute the areas of all scenes near ``outlines`` again, after areas with these outlines were loaded."""
    for outline in outlines:
        near = session.execute(select(SceneRow.id, SceneRow.outline).where(bounds_intersect(SceneRow, outline)))
        for scene_id, ground in near.all():
            set_scene_areas(session, scene_id, ground)


def add_missing_scene_areas(session: Session) -> None:
    """Compute the areas of scenes that have none, as those added by an earlier version."""
    missing = select(SceneRow.id, SceneRow.outline).where(~exists().where(SceneArea.scene_id == SceneRow.id))
    for scene_id, outline in session.execute(missing).all():
        set_scene_areas(session, scene_id, outline)
