"""Corner coordinates of an alert's outline, simplified so that they can be printed and staked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from enforcement.projection_zones import Zone, zone_at
from enforcement.units import METRES_PER_DEGREE

MAX_CORNERS = 20
"""Number of listed corners; outlines with more are simplified."""

_BISECTIONS = 40  # of the tolerance: from kilometres to less than a millimetre


@dataclass(frozen=True)
class Corner:
    """One corner.

    Attributes:
        label: like ``J1``; numbered consecutively across parts and holes.
        ring: number of its ring, from 1.
        lonlat: longitude and latitude in degrees, EPSG:4490.
        metres: easting and northing in the local zone; None outside all zones.
    """

    label: str
    ring: int
    lonlat: tuple[float, float]
    metres: tuple[float, float] | None


@dataclass(frozen=True)
class Corners:
    """Corners of an outline, clockwise from the north-western corner of each ring.

    Attributes:
        zone: local zone; None outside all zones.
        listed: corners, simplified if necessary.
        total: number of corners of the outline.
        holes: labels of the first corners of holes.
    """

    zone: Zone | None
    listed: Sequence[Corner]
    total: int
    holes: Sequence[str]

    @property
    def simplified(self) -> bool:
        """Whether the outline was simplified."""
        return len(self.listed) < self.total


def list_corners(outline: BaseGeometry, limit: int = MAX_CORNERS) -> Corners:
    """List the corners of a polygon or multipolygon (longitude, latitude, degrees).

    An outline with more than ``limit`` corners is simplified with the smallest sufficient tolerance (Douglas-Peucker).
    An outline of many small parts may keep more, because each part keeps three corners.
    """
    total = sum(len(ring) for _, ring in _rings(outline))
    simplified = _simplify(outline, limit) if total > limit else outline
    zone = zone_at(float(outline.centroid.x))
    listed: list[Corner] = []
    holes: list[str] = []
    for number, (is_hole, ring) in enumerate(_rings(simplified), 1):
        metres = shapely.get_coordinates(zone.project(shapely.MultiPoint(ring))) if zone else None
        if is_hole:
            holes.append(f"J{len(listed) + 1}")
        for index, (lon, lat) in enumerate(ring.tolist()):
            projected = None if metres is None else (float(metres[index, 0]), float(metres[index, 1]))
            listed.append(Corner(f"J{len(listed) + 1}", number, (lon, lat), projected))
    return Corners(zone, tuple(listed), total, tuple(holes))


def _rings(outline: BaseGeometry) -> list[tuple[bool, NDArray[np.float64]]]:
    """List (is hole, corners) of each ring: clockwise from the north-western corner, the first not repeated."""
    rings = []
    for part in shapely.get_parts(outline):
        for index, ring in enumerate((part.exterior, *part.interiors)):
            corners = np.asarray(ring.coords, np.float64)[:-1, :2]
            if ring.is_ccw:
                corners = corners[::-1]
            first = int(np.argmax(corners[:, 1] - corners[:, 0]))
            rings.append((index > 0, np.roll(corners, -first, axis=0)))
    return rings


def _simplify(outline: BaseGeometry, limit: int) -> BaseGeometry:
    """Simplify in local metres, because a degree of longitude is shorter than one of latitude."""
    scale = np.array([np.cos(np.radians(outline.centroid.y)), 1.0]) * METRES_PER_DEGREE
    flat = shapely.transform(outline, lambda lonlat: lonlat * scale)
    low, high = 0.0, float(max(np.ptp(flat.bounds[::2]), np.ptp(flat.bounds[1::2])))
    best = shapely.simplify(flat, high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        candidate = shapely.simplify(flat, middle)
        if sum(len(ring) for _, ring in _rings(candidate)) <= limit:
            best, high = candidate, middle
        else:
            low = middle
    return shapely.transform(best, lambda metres: metres / scale)
