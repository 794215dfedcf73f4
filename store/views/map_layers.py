"""What lies under the alerts of a map: areas, layers of the bureau, scans. Simplified to what a screen can show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import NamedTuple

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from errors import Reason
from store.access.rights import Viewer, visible_features, visible_to
from store.schema.outlines import bounds_intersect
from store.schema.tables import Area, Feature, Layer, Scan, SceneRow
from store.search.alert_filter import Box
from store.search.image_search import MAX_ID


class ShownArea(NamedTuple):
    """An area as a map shows it; longitude, latitude."""

    code: str
    name: str
    level: str
    outline: BaseGeometry


class MapScan(NamedTuple):
    """A scan as a map shows it: its days, how it ended, and the bounds that both scenes have in common."""

    id: int
    state: str
    reason: Reason
    changes: int
    before_id: int
    after_id: int
    before_date: dt.date | None
    after_date: dt.date | None
    bounds: Box


def areas_on_map(
    session: Session, viewer: Viewer, bbox: Box, levels: Collection[str], tolerance: float, limit: int = 500
) -> list[ShownArea]:
    """Their areas in a box, and those that these lie in.

    Args:
        session: reads.
        viewer: who asks.
        bbox: west, south, east, north in degrees.
        levels: of county, township, village.
        tolerance: how far an outline may be from the true one, degrees.
        limit: not more than so many, the largest first.
    """
    above = [viewer.code[:digits] for digits in (6, 9) if digits < len(viewer.code)]
    theirs = or_(visible_to(Area.code, viewer), Area.code.in_(above))
    query = select(Area).where(bounds_intersect(Area, box(*bbox)), theirs, Area.level.in_(levels))
    found = session.scalars(query.order_by(func.length(Area.code), Area.code).limit(limit))
    return [
        ShownArea(area.code, area.name, area.level, shapely.simplify(area.outline, tolerance, preserve_topology=True))
        for area in found
    ]


def visible_bounds(session: Session, viewer: Viewer) -> Box | None:
    """Around all their areas, else around all their scenes; west, south, east, north. None: there is neither."""
    for table, code in ((Area, Area.code), (SceneRow, SceneRow.area_code)):
        columns = (func.min(table.west), func.min(table.south), func.max(table.east), func.max(table.north))
        found = session.execute(select(*columns).where(visible_to(code, viewer))).one()
        if found[0] is not None:
            west, south, east, north = (float(side) for side in found)
            return west, south, east, north
    return None


def layer_on_map(
    session: Session, viewer: Viewer, layer_id: int, bbox: Box, tolerance: float, limit: int = 1000
) -> list[tuple[Feature, BaseGeometry]]:
    """Polygons of a layer in a box that touch their ground, each with its outline simplified.

    Args:
        session: reads.
        viewer: who asks.
        layer_id: which layer.
        bbox: west, south, east, north in degrees.
        tolerance: how far an outline may be from the true one, degrees.
        limit: not more than so many.
    """
    within = bounds_intersect(Feature, box(*bbox))
    found = visible_features(session, viewer, Feature.layer_id == layer_id, within, limit=limit)
    return [(one, shapely.simplify(one.outline, tolerance, preserve_topology=True)) for one in found]


def layer_by_id(session: Session, layer_id: int) -> Layer | None:
    """The layer; None: there is none."""
    return session.get(Layer, layer_id) if 0 < layer_id < MAX_ID else None


def scans_on_map(session: Session, viewer: Viewer, bbox: Box, limit: int = 100) -> list[MapScan]:
    """Their scans whose later scene touches a box, the latest first.

    Args:
        session: reads.
        viewer: who asks.
        bbox: west, south, east, north in degrees.
        limit: not more than so many.
    """
    before, after = aliased(SceneRow), aliased(SceneRow)
    west, south, east, north = bbox
    query = (
        select(
            Scan.id,
            Scan.state,
            Scan.reason,
            Scan.why,
            Scan.changes,
            Scan.before_id,
            Scan.after_id,
            before.date.label("before_date"),
            after.date.label("after_date"),
            *(getattr(scene, side) for scene in (before, after) for side in ("west", "south", "east", "north")),
        )
        .join(before, before.id == Scan.before_id)
        .join(after, after.id == Scan.after_id)
        .where(visible_to(Scan.area_code, viewer), after.west <= east, after.east >= west)
        .where(after.south <= north, after.north >= south)
        .order_by(Scan.id.desc())
        .limit(limit)
    )
    shown = []
    for row in session.execute(query):
        number, state, words, why, *told = row[:9]
        first, second = row[9:13], row[13:17]
        common = max(first[0], second[0]), max(first[1], second[1]), min(first[2], second[2]), min(first[3], second[3])
        shown.append(MapScan._make((number, state, Reason.from_json(words, why), *told, common)))
    return shown
