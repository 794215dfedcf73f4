"""Responsible village, township and county of a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shapely.geometry.base import BaseGeometry

from enforcement.overlap_ratio import coverage
from imagery.set_operations import make_valid

LEVELS = {"county": 6, "township": 9, "village": 12}
"""Levels from the highest to the lowest, with the number of digits of their codes."""

MIN_SHARE = 0.01
"""Neighbouring areas with a smaller share of the polygon are ignored, given the accuracy of boundaries."""


@dataclass(frozen=True)
class NamedArea:
    """A village, township or county with its boundary.

    Attributes:
        code: 6, 9 or 12 digits; starts with the code of the area above it.
        name: display name.
        level: county, township or village.
        outline: longitude, latitude.
    """

    code: str
    name: str
    level: str
    outline: BaseGeometry


@dataclass(frozen=True)
class Placement:
    """Responsible areas of a place; "" where no area is known.

    Attributes:
        county_code: 6 digits.
        township_code: 9 digits.
        grid_code: code of the smallest responsible area.
        also_in: ``{"code", "name", "share"}`` of other areas it overlaps, from county to village, by decreasing share.
    """

    county_code: str = ""
    township_code: str = ""
    grid_code: str = ""
    also_in: list[dict[str, Any]] = field(default_factory=list)


def place_in_areas(outline: BaseGeometry, areas: Sequence[NamedArea]) -> Placement:
    """Find the areas responsible for a polygon: the county with its largest share, then a township and village in it.

    Selecting from the county downwards keeps the three areas nested, so that a village reports to its own township. The
    code of a level without loaded areas is derived from the level below.

    Args:
        outline: longitude, latitude.
        areas: areas that may touch it, in any order.
    """
    polygon = make_valid(outline)
    shares = [(area, coverage(polygon, [area.outline])[0]) for area in areas if area.outline.intersects(polygon)]
    chosen: dict[str, NamedArea] = {}
    within = ""
    for level in LEVELS:
        candidates = [
            (-share, area.code, area)
            for area, share in shares
            if share > 0 and area.level == level and area.code.startswith(within)
        ]
        if candidates:
            chosen[level] = min(candidates, key=lambda item: item[:2])[2]
            within = chosen[level].code
    others = [
        (area, share) for area, share in shares if share >= MIN_SHARE and all(area is not c for c in chosen.values())
    ]
    others.sort(key=lambda item: (len(item[0].code), -item[1], item[0].code))
    return Placement(
        county_code=within[: LEVELS["county"]],
        township_code=within[: LEVELS["township"]] if len(within) >= LEVELS["township"] else "",
        grid_code=within,
        also_in=[{"code": area.code, "name": area.name, "share": round(share, 4)} for area, share in others],
    )
