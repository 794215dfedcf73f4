"""Search of scenes as STAC items: by footprint, day or ids, sorted, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, scene_visible_to
from store.schema.outlines import bounds_intersect
from store.schema.tables import SceneRow
from store.search.image_search import SceneFilter

SortKey = Literal["id", "datetime", "created", "gsd"]
COLUMNS: dict[SortKey, Any] = {
    "id": SceneRow.id,
    "datetime": SceneRow.date,
    "created": SceneRow.created_at,
    "gsd": SceneRow.gsd_m,
}
"""Name of an item's field → column that it is sorted by."""


@dataclass(frozen=True)
class SceneItems:
    """A page of scenes with their footprints.

    Attributes:
        rows: the scenes of the page.
        matched: number of all scenes that match.
        next_offset: offset of the next page; None: last page.
    """

    rows: list[SceneRow]
    matched: int
    next_offset: int | None


def search_items(
    session: Session,
    viewer: Viewer,
    scene_filter: SceneFilter,
    *,
    region: BaseGeometry | None,
    sort: Sequence[tuple[SortKey, bool]],
    limit: int,
    offset: int,
) -> SceneItems:
    """Find scenes that match a filter and whose footprint intersects a region.

    Args:
        session: a read transaction.
        viewer: the current user.
        scene_filter: conditions.
        region: longitude, latitude; None: anywhere.
        sort: keys with whether they descend; ties are in order of the ids, newest first.
        limit: maximum number of rows.
        offset: number of matching scenes to skip.
    """
    order = [COLUMNS[key].desc() if descending else COLUMNS[key].asc() for key, descending in sort]
    where = [scene_visible_to(viewer), *scene_filter.conditions()]
    columns: list[Any] = [SceneRow.id]
    if region is not None:
        columns.append(SceneRow.outline)
        where.append(bounds_intersect(SceneRow, region))
        shapely.prepare(region)
    found = session.execute(select(*columns).where(*where).order_by(*order, SceneRow.id.desc()))
    ids = [row[0] for row in found if region is None or region.intersects(row[1])]
    page = ids[offset : offset + limit]
    rows = {row.id: row for row in session.scalars(select(SceneRow).where(SceneRow.id.in_(page)))}
    following = offset + limit
    return SceneItems([rows[scene_id] for scene_id in page], len(ids), following if following < len(ids) else None)
