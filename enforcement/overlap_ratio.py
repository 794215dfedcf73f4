"""Overlap ratios of polygons.

Ratios are computed from areas in square degrees. A local equal-area projection would scale longitudes by the cosine of
the latitude, but that factor cancels in a ratio; within an alert of one kilometre it varies by less than 0.0002.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import shapely
from shapely.geometry.base import BaseGeometry

from imagery.ellipsoid import ELLIPSOID
from imagery.set_operations import intersection, make_valid, union_all


class OverlapRatios(NamedTuple):
    """Overlap of two polygons.

    Attributes:
        of_smaller: area of the intersection over that of the smaller polygon, 0…1.
        iou: area of the intersection over that of the union, 0…1.
    """

    of_smaller: float
    iou: float


def overlap_ratios(one: BaseGeometry, other: BaseGeometry) -> OverlapRatios:
    """Compute the overlap ratios of two valid polygons (longitude, latitude); 0 if one has no area."""
    smaller = min(one.area, other.area)
    if smaller <= 0:
        return OverlapRatios(0.0, 0.0)
    common = float(intersection(one, other).area)
    return OverlapRatios(min(1.0, common / smaller), common / (one.area + other.area - common))


def coverage(outline: BaseGeometry, others: Sequence[BaseGeometry]) -> tuple[float, float]:
    """Compute how much of a valid polygon other polygons cover; overlaps between them count once.

    Args:
        outline: longitude, latitude.
        others: longitude, latitude; any order, may overlap each other.

    Returns:
        covered share of ``outline``, 0…1, and its ellipsoidal area in m².
    """
    if outline.area <= 0 or not others:
        return 0.0, 0.0
    # clip each before the union, which is slow for county-wide polygons
    clipped = [intersection(outline, make_valid(other)) for other in others]
    common = clipped[0] if len(clipped) == 1 else union_all(clipped)
    return min(1.0, float(common.area / outline.area)), area_m2(common)


def area_m2(outline: BaseGeometry) -> float:
    """Compute the ellipsoidal area in m² of all polygons in ``outline`` (longitude, latitude), without their holes."""
    total = 0.0
    for part in shapely.get_parts(outline):
        if part.geom_type == "Polygon" and not part.is_empty:
            shell = abs(ELLIPSOID.geometry_area_perimeter(shapely.Polygon(part.exterior))[0])
            holes = (abs(ELLIPSOID.geometry_area_perimeter(shapely.Polygon(r))[0]) for r in part.interiors)
            total += shell - sum(holes)
        elif part.geom_type in ("MultiPolygon", "GeometryCollection"):
            total += area_m2(part)
    return total
