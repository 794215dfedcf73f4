"""The corners of an alert's outline, few enough to be printed and staked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from enforcement.projection_zones import Zone, zone_at
from enforcement.units import METRES_PER_DEGREE

MOST = 20
"""Corners that are listed; an outline with more is simplified."""

_STEPS = 40  # halvings of the tolerance: from kilometres to less than a millimetre


@dataclass(frozen=True)
class Corner:
    """One corner.

    Attributes:
        label: like ``J1``; corners of the second part continue the numbers, those of a hole too.
        ring: 1, 2 …: which ring it belongs to.
        lonlat: longitude and latitude in degrees, EPSG:4490.
        metres: easting and northing in the local zone; None outside of all zones.
    """

    label: str
    ring: int
    lonlat: tuple[float, float]
    metres: tuple[float, float] | None


@dataclass(frozen=True)
class Corners:
    """The corners of an outline, clockwise from the north-western one of each ring.

    Attributes:
        zone: the local zone; None where there is none.
        listed: the corners.
        total: how many the outline has.
        holes: labels of the first corners of rings that are holes.
    """

    zone: Zone | None
    listed: Sequence[Corner]
    total: int
    holes: Sequence[str]

    @property
    def simplified(self) -> bool:
        """Whether fewer corners are listed than there are."""
        return len(self.listed) < self.total


def corners_of(outline: BaseGeometry, most: int = MOST) -> Corners:
    """List the corners of a polygon or multipolygon (longitude, latitude, degrees).

    An outline with more than ``most`` corners is simplified by the smallest distance (Douglas-Peucker) that leaves no
    more; of many small parts more may stay, as each keeps its three corners.
    """
    total = sum(len(ring) for _, ring in _rings(outline))
    few = _simplified(outline, most) if total > most else outline
    zone = zone_at(float(outline.centroid.x))
    listed: list[Corner] = []
    holes: list[str] = []
    for number, (is_hole, ring) in enumerate(_rings(few), 1):
        metres = shapely.get_coordinates(zone.project(shapely.MultiPoint(ring))) if zone else None
        if is_hole:
            holes.append(f"J{len(listed) + 1}")
        for index, (lon, lat) in enumerate(ring.tolist()):
            place = None if metres is None else (float(metres[index, 0]), float(metres[index, 1]))
            listed.append(Corner(f"J{len(listed) + 1}", number, (lon, lat), place))
    return Corners(zone, tuple(listed), total, tuple(holes))


def _rings(outline: BaseGeometry) -> list[tuple[bool, NDArray[np.float64]]]:
    """Each ring: whether it is a hole, and its corners clockwise from the north-western one, the first not repeated."""
    found = []
    for part in shapely.get_parts(outline):
        for index, ring in enumerate((part.exterior, *part.interiors)):
            around = np.asarray(ring.coords, np.float64)[:-1, :2]
            if ring.is_ccw:
                around = around[::-1]
            first = int(np.argmax(around[:, 1] - around[:, 0]))
            found.append((index > 0, np.roll(around, -first, axis=0)))
    return found


def _simplified(outline: BaseGeometry, most: int) -> BaseGeometry:
    """With degrees of one length: a degree of longitude is shorter than one of latitude."""
    shrink = np.array([np.cos(np.radians(outline.centroid.y)), 1.0]) * METRES_PER_DEGREE
    flat = shapely.transform(outline, lambda lonlat: lonlat * shrink)
    low, high = 0.0, float(max(np.ptp(flat.bounds[::2]), np.ptp(flat.bounds[1::2])))
    best = shapely.simplify(flat, high)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        tried = shapely.simplify(flat, middle)
        if sum(len(ring) for _, ring in _rings(tried)) <= most:
            best, high = tried, middle
        else:
            low = middle
    return shapely.transform(best, lambda metres: metres / shrink)
