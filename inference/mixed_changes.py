"""Combination of building and ground parts of one site into one change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry import Polygon

from imagery.set_operations import intersection, union, union_all
from inference.fragments import BUILDING_BUFFER_PX

GAP_PX = BUILDING_BUFFER_PX + 1.5
"""Largest gap between the parts of one site: the strip around buildings that is not reported as ground, and a pixel of
its opening."""

HALVES_SHARE = 0.18
"""Share of the border of *both* parts from which they are halves of one plot. Two squares share a quarter of theirs; a
house along a new road shares much of its own border but little of the road's."""

ENCLOSED_SHARE = 0.6
"""Share of the smaller part's border from which it lies inside the site that the larger part shows."""


@dataclass(frozen=True)
class ChangePart:
    """A change of one output, or of both.

    Attributes:
        output: network output of the larger part.
        polygon: outline along pixel edges, (column, row) of the grid.
        pixels: area in grid pixels.
        probability: sum of the output's probability over the pixels.
        direction: sum of the signed output over the pixels.
    """

    output: str
    polygon: Polygon
    pixels: int
    probability: float
    direction: float

    @property
    def appeared(self) -> bool:
        """Whether the signed output is positive on average."""
        return self.direction >= 0


def combine_outputs(parts: Sequence[ChangePart]) -> list[ChangePart]:
    """Combine building and ground parts that share a border; the output of the larger area is kept.

    Parts of which one appeared and the other disappeared stay apart. The order of ``parts`` does not matter.
    """
    ground = [i for i, part in enumerate(parts) if part.output == "ground"]
    group = list(range(len(parts)))

    def root(i: int) -> int:
        while group[i] != i:
            i = group[i]
        return i

    if ground:
        tree = shapely.STRtree([parts[i].polygon for i in ground])
        for i, part in enumerate(parts):
            if part.output == "ground":
                continue
            for j in tree.query(part.polygon, predicate="dwithin", distance=GAP_PX):
                other = parts[ground[int(j)]]
                if part.appeared == other.appeared and _one_site(part.polygon, other.polygon):
                    group[root(i)] = root(ground[int(j)])
    members: dict[int, list[ChangePart]] = {}
    for i, part in enumerate(parts):
        members.setdefault(root(i), []).append(part)
    return [_union(site) if len(site) > 1 else site[0] for site in members.values()]


def _one_site(one: Polygon, other: Polygon) -> bool:
    """Whether two polygons are halves of one plot, or the smaller one lies inside the larger one's site."""
    smaller, larger = sorted((one, other), key=lambda polygon: polygon.area)
    share = _border_along(smaller, larger)
    return share >= ENCLOSED_SHARE or min(share, _border_along(larger, smaller)) >= HALVES_SHARE


def _border_along(polygon: Polygon, other: Polygon) -> float:
    """Return the share of the polygon's exterior that lies within :data:`GAP_PX` of the other polygon."""
    near = shapely.buffer(other, GAP_PX, join_style="mitre")
    return float(intersection(polygon.exterior, near).length / polygon.exterior.length)


def _union(parts: Sequence[ChangePart]) -> ChangePart:
    areas: dict[str, float] = {}
    for part in parts:
        areas[part.output] = areas.get(part.output, 0.0) + part.polygon.area
    output = max(sorted(areas), key=lambda name: areas[name])
    # closing bridges the strip between the parts and leaves all other edges in place
    half = GAP_PX / 2
    outlines = union_all([part.polygon for part in sorted(parts, key=lambda part: part.polygon.bounds)])
    grown = shapely.buffer(outlines, half, join_style="mitre")
    closed = union(shapely.buffer(grown, -half, join_style="mitre"), outlines)
    polygon = max(shapely.get_parts(closed), key=lambda one: one.area)
    return ChangePart(
        output,
        polygon,
        sum(part.pixels for part in parts),
        sum(part.probability for part in parts),
        sum(part.direction for part in parts),
    )
