"""The local coordinate system of a place: CGCS2000, Gauss-Krüger in zones of three degrees.

Metres, with the zone's number in front of the easting (EPSG:4513 to 4533, zones 25 to 45). EPSG lists northing first;
everything here is easting, northing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

FIRST, LAST = 25, 45
"""Zones that have a code: central meridians 75° to 135° east."""

GEOGRAPHIC = "EPSG:4490"


@dataclass(frozen=True)
class Zone:
    """One zone of three degrees.

    Attributes:
        number: 25…45; its central meridian lies at three times as many degrees east.
    """

    number: int

    @property
    def meridian(self) -> int:
        """Central meridian in degrees east."""
        return 3 * self.number

    @property
    def code(self) -> str:
        """Like ``EPSG:4528``."""
        return f"EPSG:{4513 + self.number - FIRST}"

    @property
    def name(self) -> str:
        """As EPSG calls it."""
        return f"CGCS2000 / 3-degree Gauss-Kruger zone {self.number}"

    def project(self, outline: BaseGeometry) -> BaseGeometry:
        """Turn longitude, latitude (EPSG:4490, degrees) into easting, northing (metres)."""
        return shapely.transform(outline, lambda lonlat: np.column_stack(_transformer(self.code).transform(*lonlat.T)))


def zone_at(longitude: float) -> Zone | None:
    """The zone whose central meridian is nearest to a longitude in degrees; None: no zone of China lies there."""
    number = int(np.floor(longitude / 3 + 0.5))
    return Zone(number) if FIRST <= number <= LAST else None


def zone_of_most(longitudes: Iterable[float]) -> tuple[Zone | None, Counter[int]]:
    """The zone that most places lie in, the lower of two equal ones, and how many lie in each zone.

    Places outside of all zones are counted under 0, and None is returned when no other is there.
    """
    counted = Counter(zone.number if (zone := zone_at(longitude)) else 0 for longitude in longitudes)
    known = {number: count for number, count in counted.items() if number}
    if not known:
        return None, counted
    return Zone(min(known, key=lambda number: (-known[number], number))), counted


@cache
def _transformer(code: str) -> Transformer:
    return Transformer.from_crs(GEOGRAPHIC, code, always_xy=True)
