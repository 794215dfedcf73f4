"""A local plane in metres, in which outlines of one alert are compared and measured by width."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from enforcement.position_uncertainty import METRES_PER_DEGREE
from imagery.set_operations import intersection, make_valid, union_all


class MetricPlane:
    """Equirectangular projection about the centre of some outlines; true to 0.5 % within ten kilometres."""

    def __init__(self, outlines: Iterable[BaseGeometry]) -> None:
        """Take the centre of the bounds of ``outlines`` (longitude, latitude), in any order."""
        west, south, east, north = shapely.total_bounds(list(outlines))
        self._origin = np.array([(west + east) / 2, (south + north) / 2])
        latitude = math.radians(self._origin[1])
        self._scale = METRES_PER_DEGREE * np.array([max(math.cos(latitude), 0.01), 1.0])

    def metres(self, outline: BaseGeometry) -> BaseGeometry:
        """Convert an outline from longitude and latitude to metres east and north."""

        def convert(positions: NDArray[np.float64]) -> NDArray[np.float64]:
            metres: NDArray[np.float64] = (positions - self._origin) * self._scale
            return metres

        return make_valid(shapely.transform(make_valid(outline), convert))

    def degrees(self, outline: BaseGeometry) -> BaseGeometry:
        """Convert an outline from metres to longitude and latitude; lines that a repair leaves are dropped."""

        def convert(positions: NDArray[np.float64]) -> NDArray[np.float64]:
            degrees: NDArray[np.float64] = positions / self._scale + self._origin
            return degrees

        return _polygonal(make_valid(shapely.transform(outline, convert)))


def polygons_of(outline: BaseGeometry) -> BaseGeometry:
    """Return the polygons of a result of set operations, without the lines and points where outlines only touch."""
    parts = [part for part in shapely.get_parts(shapely.get_parts(outline)) if part.geom_type == "Polygon"]
    kept = [part for part in parts if part.area > 0]
    return kept[0] if len(kept) == 1 else _polygonal(union_all(kept)) if kept else Polygon()


def _polygonal(outline: BaseGeometry) -> BaseGeometry:
    """Return an outline without lines and points: slivers collapse to lines when outlines are joined or repaired."""
    if outline.geom_type in ("Polygon", "MultiPolygon"):
        return outline
    parts = [part for part in shapely.get_parts(shapely.get_parts(outline)) if part.geom_type == "Polygon"]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def wide_parts(outline: BaseGeometry, width: float) -> BaseGeometry:
    """Return the parts of an outline that are wider than ``width``, in the outline's own unit."""
    eroded = outline.buffer(-width / 2, join_style="mitre")
    if eroded.is_empty:
        return Polygon()
    return polygons_of(intersection(outline, eroded.buffer(width / 2 * 1.001, join_style="mitre")))
