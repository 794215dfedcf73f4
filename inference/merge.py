"""Fragments of all blocks → changes. What comes out does not depend on where the blocks were cut."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import shapely
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from shapely.affinity import affine_transform
from shapely.geometry import Polygon
from shapely.geometry.polygon import orient

from enforcement.units import mu
from inference.changes import Change, Kind
from inference.fragments import Fragment
from inference.pair import ELLIPSOID, LONLAT
from inference.settings import MinimumAreas

EDGE_MAY_MOVE_PX = 1.0
"""How far simplifying may move an outline."""

GONE_BELOW = -0.3
"""Mean direction (−1 gone … +1 new) below which something is gone. Not 0: works appear far more often than they vanish,
so a sign in doubt is taken for the usual one."""

THINNEST_PX = 3.0
"""Mean width below which a change is a sliver: the edge of something that stands a little differently."""


@dataclass(frozen=True)
class _Joined:
    output: str
    polygon: Polygon
    pixels: int
    probability: float
    direction: float


def _canonical(polygon: Polygon) -> Polygon:
    """The same outline with corners only, beginning at one corner: seams leave no vertex behind."""
    # normalised, a ring begins at its lowest leftmost point, which is a corner, so that none is in the way
    return shapely.normalize(shapely.simplify(shapely.normalize(polygon), 0))


def join_fragments(fragments: Iterable[Fragment]) -> list[_Joined]:
    """Join what touches across block seams along an edge, per output."""
    joined: list[_Joined] = []
    by_output: dict[str, list[Fragment]] = {}
    for fragment in fragments:
        if fragment.on_seam:
            by_output.setdefault(fragment.output, []).append(fragment)
        else:
            joined.append(
                _Joined(fragment.output, fragment.polygon, fragment.pixels, fragment.probability, fragment.direction)
            )
    for output, parts in by_output.items():
        whole = shapely.get_parts(shapely.unary_union([part.polygon for part in parts]))
        tree = shapely.STRtree(whole)
        members: list[list[Fragment]] = [[] for _ in whole]
        for part in parts:
            index = tree.query(part.polygon.representative_point(), predicate="within")
            members[int(index[0])].append(part)
        joined += [
            _Joined(
                output,
                polygon,
                sum(part.pixels for part in group),
                sum(part.probability for part in group),
                sum(part.direction for part in group),
            )
            for polygon, group in zip(whole, members, strict=True)
        ]
    return joined


def _kind(part: _Joined) -> Kind:
    if part.direction / part.pixels < GONE_BELOW:
        return "demolition"
    return "construction" if part.output == "building" else "ground"


def _without_small_holes(polygon: Polygon, smallest_px: float) -> Polygon:
    return Polygon(polygon.exterior, [ring for ring in polygon.interiors if Polygon(ring).area >= smallest_px])


def _simplified(polygon: Polygon) -> Polygon:
    simple = shapely.simplify(polygon, EDGE_MAY_MOVE_PX, preserve_topology=True)
    return simple if simple.is_valid and not simple.is_empty else polygon


def merge_changes(
    fragments: Sequence[Fragment], grid: GeoBox, pixel_area_m2: float, minimum: MinimumAreas
) -> tuple[Change, ...]:
    """Join fragments, drop what is below the minimum mapping unit, and place the rest on the map.

    Args:
        fragments: of all blocks of one scan, in any order.
        grid: the scan's grid.
        pixel_area_m2: ground of one grid pixel.
        minimum: minimum mapping unit by kind, m².

    Returns:
        changes, numbered from north to south and west to east.
    """
    to_lonlat = (
        None if grid.crs is None else Transformer.from_crs(CRS.from_user_input(str(grid.crs)), LONLAT, always_xy=True)
    )
    found: list[tuple[tuple[float, float], Kind, float, Polygon, Polygon | None, float]] = []
    for part in join_fragments(fragments):
        kind = _kind(part)
        smallest = getattr(minimum, kind)
        outline = _canonical(_without_small_holes(part.polygon, smallest / pixel_area_m2))
        if 2 * outline.area / outline.length < THINNEST_PX:
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
        middle = outline.representative_point()
        score = part.probability / part.pixels
        found.append(((middle.y, middle.x), kind, score, orient(polygon), lonlat, area))
    found.sort(key=lambda item: (item[0], item[1]))
    return tuple(
        Change(number, kind, round(score, 4), polygon, lonlat, round(area, 2), round(mu(area), 4))
        for number, (_, kind, score, polygon, lonlat, area) in enumerate(found, 1)
    )
