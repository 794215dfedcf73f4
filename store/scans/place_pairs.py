"""The two latest images of a place, and the scan of just that place on request."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.position_uncertainty import METRES_PER_DEGREE
from imagery.set_operations import make_valid
from store.scans.nights import NOT_FROM_CAMERA, USABLE
from store.schema.outlines import bounds_intersect
from store.schema.tables import Scan, SceneRow

_MOST_IMAGES = 400


@dataclass(frozen=True)
class PlacePair:
    """The latest image of a place and the one before it, of comparable scale; ``before`` None: there is no other."""

    before: SceneRow | None
    after: SceneRow


def latest_pair_at(session: Session, ground: BaseGeometry, max_scale_ratio: float) -> PlacePair | None:
    """Return the two latest dated images that show a place completely; None: no image shows it.

    Args:
        session: a read transaction.
        ground: the place; longitude, latitude.
        max_scale_ratio: largest ratio of the ground sample distances of two images that can be compared.
    """
    shows = bounds_intersect(SceneRow, ground), USABLE, NOT_FROM_CAMERA, SceneRow.date.is_not(None)
    query = select(SceneRow).where(*shows)
    rows = session.scalars(query.order_by(SceneRow.date.desc(), SceneRow.gsd_m, SceneRow.id.desc()).limit(_MOST_IMAGES))
    after: SceneRow | None = None
    for row in rows:
        if not make_valid(row.outline).covers(ground):
            continue
        if after is None:
            after = row
        elif (
            row.date != after.date
            and row.kind == after.kind
            and max(row.gsd_m, after.gsd_m) <= max_scale_ratio * min(row.gsd_m, after.gsd_m)
        ):
            return PlacePair(row, after)
    return None if after is None else PlacePair(None, after)


def place_window(lon: float, lat: float, half_m: float) -> tuple[float, float, float, float]:
    """Return a square around a place: west, south, east, north in degrees."""
    north = half_m / METRES_PER_DEGREE
    east = north / max(math.cos(math.radians(lat)), 0.01)
    return round(lon - east, 7), round(lat - north, 7), round(lon + east, 7), round(lat + north, 7)


def place_scan(session: Session, before: int, after: int, lon: float, lat: float) -> Scan | None:
    """Return the scan of two images that was requested around a place, or else the regular one; None: neither."""
    place = shapely.Point(lon, lat)
    query = select(Scan).where(Scan.before_id == before, Scan.after_id == after, Scan.withdrawn_at.is_(None))
    scans = list(session.scalars(query.order_by(Scan.id.desc())))
    for scan in scans:
        if scan.windows is not None and any(shapely.box(*window).covers(place) for window in scan.windows):
            return scan
    return next((scan for scan in scans if scan.windows is None), None)


def days_between(pair: PlacePair) -> int | None:
    """Return the number of days between both images; None: there is only one."""
    first, last = (pair.before.date if pair.before else None), pair.after.date
    return None if first is None or last is None else (last - first) // dt.timedelta(days=1)
