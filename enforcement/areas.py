"""Which village, township and county answer for a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shapely.geometry.base import BaseGeometry

from enforcement.overlap_ratio import covered, sound

LEVELS = {"county": 6, "township": 9, "village": 12}
"""Levels from above, with the digits of their codes."""

LEAST_SHARE = 0.01
"""Neighbours with less of the polygon are not named: boundaries of areas are not more exact than that."""


@dataclass(frozen=True)
class NamedArea:
    """A village, township or county.

    Attributes:
        code: 6, 9 or 12 digits; begins with the code of the area that it lies in.
        name: for people.
        level: county, township or village.
        outline: longitude, latitude.
    """

    code: str
    name: str
    level: str
    outline: BaseGeometry


@dataclass(frozen=True)
class Placement:
    """Who answers for a place; "" where no area is known.

    Attributes:
        county_code: 6 digits.
        township_code: 9 digits.
        grid_code: of the smallest area that answers for it.
        also_in: ``{"code", "name", "share"}`` of other areas it lies in, from county to village, by falling share.
    """

    county_code: str = ""
    township_code: str = ""
    grid_code: str = ""
    also_in: list[dict[str, Any]] = field(default_factory=list)


def place_in_areas(outline: BaseGeometry, areas: Sequence[NamedArea]) -> Placement:
    """Find who answers for a polygon: the county with the largest share of it, in it the township, in it the village.

    Going down from the county keeps the three in one line, so that a report goes from the village to its own
    township. A level that is not loaded follows from the code of the one below.

    Args:
        outline: longitude, latitude.
        areas: those that may touch it, in any order.
    """
    place = sound(outline)
    shares = [(area, covered(place, [area.outline])[0]) for area in areas if area.outline.intersects(place)]
    chosen: dict[str, NamedArea] = {}
    within = ""
    for level in LEVELS:
        here = [
            (-share, area.code, area)
            for area, share in shares
            if share > 0 and area.level == level and area.code.startswith(within)
        ]
        if here:
            chosen[level] = min(here, key=lambda item: item[:2])[2]
            within = chosen[level].code
    others = [
        (area, share) for area, share in shares if share >= LEAST_SHARE and all(area is not c for c in chosen.values())
    ]
    others.sort(key=lambda item: (len(item[0].code), -item[1], item[0].code))
    return Placement(
        county_code=within[: LEVELS["county"]],
        township_code=within[: LEVELS["township"]] if len(within) >= LEVELS["township"] else "",
        grid_code=within,
        also_in=[{"code": area.code, "name": area.name, "share": round(share, 4)} for area, share in others],
    )
