"""How much of one polygon lies in another.

Areas are compared in degrees as they stand. A local equal-area map would stretch longitudes by the cosine of the
latitude, but the same factor stands above and below the line of a share and cancels; inside an alert one kilometre tall
it changes by less than 0.0002.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import shapely
from shapely.geometry.base import BaseGeometry

from imagery.ellipsoid import ELLIPSOID


class Overlap(NamedTuple):
    """How alike two polygons lie.

    Attributes:
        of_smaller: their common area over the area of the smaller one, 0…1.
        likeness: their common area over the area of both together, 0…1.
    """

    of_smaller: float
    likeness: float


def sound(outline: BaseGeometry) -> BaseGeometry:
    """The same polygon with crossing edges undone, so that it can be cut with others."""
    return outline if outline.is_valid else shapely.make_valid(outline, method="structure", keep_collapsed=False)


def overlap(one: BaseGeometry, other: BaseGeometry) -> Overlap:
    """Compare two sound polygons (longitude, latitude); one without area overlaps nothing."""
    smaller = min(one.area, other.area)
    if smaller <= 0:
        return Overlap(0.0, 0.0)
    common = float(shapely.intersection(one, other).area)
    return Overlap(min(1.0, common / smaller), common / (one.area + other.area - common))


def covered(outline: BaseGeometry, others: Sequence[BaseGeometry]) -> tuple[float, float]:
    """How much of a sound polygon lies under others, counting what several cover once.

    Args:
        outline: longitude, latitude.
        others: the same; any order, may overlap.

    Returns:
        share of ``outline``, 0…1, and the ellipsoidal area in m².
    """
    if outline.area <= 0 or not others:
        return 0.0, 0.0
    # each is cut first: joining whole county-wide polygons would take long
    cut = [shapely.intersection(outline, sound(other)) for other in others]
    common = cut[0] if len(cut) == 1 else shapely.union_all(cut)
    return min(1.0, float(common.area / outline.area)), area_m2(common)


def area_m2(outline: BaseGeometry) -> float:
    """Ellipsoidal area in m² of what is polygon in ``outline`` (longitude, latitude), holes taken off."""
    total = 0.0
    for part in shapely.get_parts(outline):
        if part.geom_type == "Polygon" and not part.is_empty:
            shell = abs(ELLIPSOID.geometry_area_perimeter(shapely.Polygon(part.exterior))[0])
            holes = (abs(ELLIPSOID.geometry_area_perimeter(shapely.Polygon(r))[0]) for r in part.interiors)
            total += shell - sum(holes)
        elif part.geom_type in ("MultiPolygon", "GeometryCollection"):
            total += area_m2(part)
    return total
