"""Merging of fragments across blocks into changes. The result does not depend on how the grid was divided."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import shapely
from odc.geo.geobox import GeoBox
from shapely.affinity import affine_transform
from shapely.geometry import Polygon
from shapely.geometry.polygon import orient

from enforcement.units import mu
from imagery.ellipsoid import ELLIPSOID
from imagery.resample import transformer
from imagery.set_operations import union_all
from inference.changes import Change, Kind
from inference.fragments import Fragment
from inference.mixed_changes import ChangePart, combine_outputs
from inference.pair import LONLAT
from inference.settings import MinimumAreas

SIMPLIFY_TOLERANCE_PX = 1.0
"""Tolerance of the simplification of outlines."""

DEMOLITION_BELOW = -0.3
"""Mean direction (−1 gone … +1 new) below which a change is a demolition. Not 0, because construction is far more
frequent than demolition: an uncertain sign counts as construction."""

MIN_MEAN_WIDTH_PX = 3.0
"""Mean width below which a change is a sliver along a misregistered edge."""


def _canonical(polygon: Polygon) -> Polygon:
    """Return the outline without collinear vertices, which seams leave, and with a canonical start vertex."""
    # a normalized ring starts at its lowest leftmost point, a corner, so simplification can remove all other vertices
    return shapely.normalize(shapely.simplify(shapely.normalize(polygon), 0))


def merge_fragments(fragments: Iterable[Fragment]) -> list[ChangePart]:
    """Merge fragments that share an edge across block seams, per output."""
    merged: list[ChangePart] = []
    by_output: dict[str, list[Fragment]] = {}
    for fragment in fragments:
        if fragment.on_seam:
            by_output.setdefault(fragment.output, []).append(fragment)
        else:
            merged.append(
                ChangePart(fragment.output, fragment.polygon, fragment.pixels, fragment.probability, fragment.direction)
            )
    for output, parts in by_output.items():
        outlines = shapely.get_parts(union_all([part.polygon for part in parts]))
        tree = shapely.STRtree(outlines)
        members: list[list[Fragment]] = [[] for _ in outlines]
        for part in parts:
            index = tree.query(part.polygon.representative_point(), predicate="within")
            members[int(index[0])].append(part)
        merged += [
            ChangePart(
                output,
                polygon,
                sum(part.pixels for part in group),
                sum(part.probability for part in group),
                sum(part.direction for part in group),
            )
            for polygon, group in zip(outlines, members, strict=True)
        ]
    return merged


def _kind(part: ChangePart) -> Kind:
    if part.direction / part.pixels < DEMOLITION_BELOW:
        return "demolition"
    return "construction" if part.output == "building" else "ground"


def _without_small_holes(polygon: Polygon, smallest_px: float) -> Polygon:
    return Polygon(polygon.exterior, [ring for ring in polygon.interiors if Polygon(ring).area >= smallest_px])


def _simplified(polygon: Polygon) -> Polygon:
    simplified = shapely.simplify(polygon, SIMPLIFY_TOLERANCE_PX, preserve_topology=True)
    return simplified if simplified.is_valid and not simplified.is_empty else polygon


def merge_changes(
    fragments: Sequence[Fragment], grid: GeoBox, pixel_area_m2: float, minimum: MinimumAreas
) -> tuple[Change, ...]:
    """Merge fragments into changes on the map.

    Buildings and ground works of one site are one change; changes below the minimum mapping unit are dropped.

    Args:
        fragments: of all blocks of one scan, in any order.
        grid: the scan's grid.
        pixel_area_m2: ground area of one grid pixel.
        minimum: minimum mapping unit by kind, m².

    Returns:
        changes, numbered from north to south and west to east.
    """
    to_lonlat = None if grid.crs is None else transformer(str(grid.crs), LONLAT)
    located: list[tuple[tuple[float, float], Kind, float, Polygon, Polygon | None, float]] = []
    for part in combine_outputs(merge_fragments(fragments)):
        kind = _kind(part)
        smallest = getattr(minimum, kind)
        outline = _canonical(_without_small_holes(part.polygon, smallest / pixel_area_m2))
        if 2 * outline.area / outline.length < MIN_MEAN_WIDTH_PX:
            continue
        outline = _simplified(outline)
        a = grid.affine
        polygon = affine_transform(outline, [a.a, a.b, a.d, a.e, a.c, a.f])
        lonlat = None
        if to_lonlat is None:
            area = outline.area * pixel_area_m2
        else:
            lonlat = orient(shapely.transform(polygon, to_lonlat.transform, interleaved=False))
            area = abs(ELLIPSOID.geometry_area_perimeter(lonlat)[0])
        if area < smallest or math.isnan(area):
            continue
        point = outline.representative_point()
        score = part.probability / part.pixels
        located.append(((point.y, point.x), kind, score, orient(polygon), lonlat, area))
    located.sort(key=lambda item: (item[0], item[1]))
    return tuple(
        Change(number, kind, round(score, 4), polygon, lonlat, round(area, 2), round(mu(area), 4))
        for number, (_, kind, score, polygon, lonlat, area) in enumerate(located, 1)
    )
