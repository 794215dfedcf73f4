"""Detected changes: plain data for output files, reports and alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shapely.geometry import Polygon

Kind = Literal["construction", "ground", "demolition"]
"""construction: a new building; ground: land was cleared, dug, filled, levelled or paved; demolition: a building is
gone."""


@dataclass(frozen=True)
class Change:
    """One changed place.

    Attributes:
        number: 1, 2, 3 … from north to south, then west to east; labels the outline in pictures.
        kind: see :data:`Kind`.
        score: mean probability inside the polygon, 0…1.
        polygon: outline in the CRS of the scan's grid (x, y); in pixels (column, row) of the later image when the
            scan is not georeferenced.
        lonlat: the same outline in degrees (longitude, latitude), WGS 84 = EPSG:4490, counter-clockwise exterior;
            None when the scan is not georeferenced.
        area_m2: ellipsoidal area in m².
        area_mu: the same in mu (10,000/15 m²).
    """

    number: int
    kind: Kind
    score: float
    polygon: Polygon
    lonlat: Polygon | None
    area_m2: float
    area_mu: float
