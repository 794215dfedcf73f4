"""Projected coordinate systems: CGCS2000, Gauss-Krüger, zones of three degrees.

Coordinates are metres, with the zone number as prefix of the easting (EPSG:4513 to 4533, zones 25 to 45). EPSG lists
northing first; everything here is easting, northing.
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

FIRST_ZONE, LAST_ZONE = 25, 45
"""Zones with an EPSG code: central meridians 75° to 135° east."""

GEOGRAPHIC = "EPSG:4490"


@dataclass(frozen=True)
class Zone:
    """A zone of three degrees.

    Attributes:
        number: 25…45; a third of the longitude of its central meridian in degrees east.
    """

    number: int

    @property
    def meridian(self) -> int:
        """Central meridian in degrees east."""
        return 3 * self.number

    @property
    def code(self) -> str:
        """Code like ``EPSG:4528``."""
        return f"EPSG:{4513 + self.number - FIRST_ZONE}"

    @property
    def name(self) -> str:
        """Name in the EPSG registry."""
        return f"CGCS2000 / 3-degree Gauss-Kruger zone {self.number}"

    def project(self, outline: BaseGeometry) -> BaseGeometry:
        """Transform longitude, latitude (EPSG:4490, degrees) to easting, northing (metres)."""
        return shapely.transform(outline, lambda lonlat: np.column_stack(_transformer(self.code).transform(*lonlat.T)))


def zone_at(longitude: float) -> Zone | None:
    """Return the zone whose central meridian is nearest to a longitude in degrees; None outside all zones."""
    number = int(np.floor(longitude / 3 + 0.5))
    return Zone(number) if FIRST_ZONE <= number <= LAST_ZONE else None


def majority_zone(longitudes: Iterable[float]) -> tuple[Zone | None, Counter[int]]:
    """Return the most frequent zone, on a tie the lower number, and the number of places in each zone.

    Places outside all zones are counted under 0; the zone is None if all places are outside.
    """
    counts = Counter(zone.number if (zone := zone_at(longitude)) else 0 for longitude in longitudes)
    known = {number: count for number, count in counts.items() if number}
    if not known:
        return None, counts
    return Zone(min(known, key=lambda number: (-known[number], number))), counts


@cache
def _transformer(code: str) -> Transformer:
    return Transformer.from_crs(GEOGRAPHIC, code, always_xy=True)
