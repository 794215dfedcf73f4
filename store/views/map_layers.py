"""Layers of the map below the alerts: areas, polygon layers and scans, simplified to screen resolution."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import NamedTuple

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from enforcement.areas import NamedArea
from errors import Reason
from store.access.rights import Viewer, scene_visible_to, visible_features, visible_to
from store.schema.outlines import bounds_intersect
from store.schema.tables import Area, Feature, Layer, Scan, SceneRow
from store.search.alert_filter import Box
from store.search.image_search import MAX_ID


class MapScan(NamedTuple):
    """A scan on the map: its days, its result, and the intersection of both scenes' bounds."""

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
) -> list[NamedArea]:
    """List the viewer's areas in a box and the areas that contain them, largest first.

    Args:
        session: a read transaction.
        viewer: the current user.
        bbox: west, south, east, north in degrees.
        levels: any of county, township, village.
        tolerance: maximum deviation of the simplified outlines, degrees.
        limit: maximum number of areas.
    """
    ancestors = [viewer.code[:digits] for digits in (6, 9) if digits < len(viewer.code)]
    visible = or_(visible_to(Area.code, viewer), Area.code.in_(ancestors))
    query = select(Area).where(bounds_intersect(Area, box(*bbox)), visible, Area.level.in_(levels))
    found = session.scalars(query.order_by(func.length(Area.code), Area.code).limit(limit))
    return [
        NamedArea(area.code, area.name, area.level, shapely.simplify(area.outline, tolerance, preserve_topology=True))
        for area in found
    ]


def visible_bounds(session: Session, viewer: Viewer) -> Box | None:
    """Return west, south, east, north of the viewer's areas, else of their scenes; None: there are neither."""
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
    """List the polygons of a layer in a box that touch the viewer's area, each with its simplified outline.

    Args:
        session: a read transaction.
        viewer: the current user.
        layer_id: id of the layer.
        bbox: west, south, east, north in degrees.
        tolerance: maximum deviation of the simplified outlines, degrees.
        limit: maximum number of polygons.
    """
    layer = layer_by_id(session, layer_id)
    used = Feature.layer_id == layer_id, Feature.version == (layer.version if layer else 0)
    within = bounds_intersect(Feature, box(*bbox))
    found = visible_features(session, viewer, *used, within, limit=limit)
    return [(row, shapely.simplify(row.outline, tolerance, preserve_topology=True)) for row in found]


def layer_by_id(session: Session, layer_id: int) -> Layer | None:
    """Return a layer; None: it does not exist."""
    return session.get(Layer, layer_id) if 0 < layer_id < MAX_ID else None


def scans_on_map(session: Session, viewer: Viewer, bbox: Box, limit: int = 100) -> list[MapScan]:
    """List the viewer's scans whose later scene touches a box, newest first.

    Args:
        session: a read transaction.
        viewer: the current user.
        bbox: west, south, east, north in degrees.
        limit: maximum number of scans.
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
        .where(scene_visible_to(viewer, Scan.after_id, Scan.area_code), Scan.withdrawn_at.is_(None))
        .where(after.west <= east, after.east >= west)
        .where(after.south <= north, after.north >= south)
        .order_by(Scan.id.desc())
        .limit(limit)
    )
    scans = []
    for row in session.execute(query):
        scan_id, state, message, why, *rest = row[:9]
        first, second = row[9:13], row[13:17]
        common = max(first[0], second[0]), max(first[1], second[1]), min(first[2], second[2]), min(first[3], second[3])
        scans.append(MapScan._make((scan_id, state, Reason.from_json(message, why), *rest, common)))
    return scans
