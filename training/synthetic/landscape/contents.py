"""Everything in the world on one date, in metres: plain data between planning and rendering."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from shapely import contains_xy
from shapely.geometry import Polygon

from training.synthetic.landscape.layout import Line
from training.synthetic.raster_window import Points
from training.synthetic.season import Colour

Roof = Literal["flat", "gable", "hip", "steel", "tunnel", "frame", "cabin", "panel"]


@dataclass(frozen=True)
class Parcel:
    """Ground of one use; ``angle`` is the direction of its rows (radians), ``number`` seeds its look on each date."""

    polygon: Points
    use: str
    angle: float
    number: int


@dataclass(frozen=True)
class Building:
    """Rectangular building: centre, length along ``angle`` (radians, x towards y), width and heights in metres."""

    x: float
    y: float
    length: float
    width: float
    angle: float
    eave: float
    rise: float
    roof: Roof
    colour: Colour
    number: int

    def outline(self, margin: float = 0.0) -> Points:
        """Return the four corners (4×2), moved outwards by ``margin`` metres."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        a, b = self.length / 2 + margin, self.width / 2 + margin
        return np.array(
            [[self.x + cos * p - sin * q, self.y + sin * p + cos * q] for p, q in ((-a, -b), (a, -b), (a, b), (-a, b))]
        )


@dataclass(frozen=True)
class Earthwork:
    """Pit (negative ``height``) or heap of loose soil (positive) inside an outline; ``slope`` is rise over run."""

    outline: Points
    height: float
    slope: float
    number: int
    wet: bool = False


@dataclass(frozen=True)
class Vehicle:
    """Car, truck, excavator or stack of material: centre, size in metres, direction, colour."""

    x: float
    y: float
    length: float
    width: float
    height: float
    angle: float
    colour: Colour


@dataclass(frozen=True)
class Crane:
    """Tower crane: foot, height, length and direction of the jib."""

    x: float
    y: float
    height: float
    jib: float
    angle: float


@dataclass
class Contents:
    """Everything on one date.

    ``trees`` are rows (x, y, crown radius, height, species): species 0 evergreen, 1 deciduous.
    ``lines`` are painted in the order of :mod:`training.synthetic.rendering.lines`. Later parcels cover earlier ones.
    ``covers`` are outlines of new ground that hides older paths and ditches.
    """

    parcels: list[Parcel] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    buildings: list[Building] = field(default_factory=list)
    trees: list[tuple[float, float, float, float, int]] = field(default_factory=list)
    earthworks: list[Earthwork] = field(default_factory=list)
    vehicles: list[Vehicle] = field(default_factory=list)
    cranes: list[Crane] = field(default_factory=list)
    covers: list[Points] = field(default_factory=list)

    def __add__(self, other: Contents) -> Contents:
        """Combine both, with ``other`` on top."""
        return Contents(
            self.parcels + other.parcels,
            self.lines + other.lines,
            self.buildings + other.buildings,
            self.trees + other.trees,
            self.earthworks + other.earthworks,
            self.vehicles + other.vehicles,
            self.cranes + other.cranes,
            self.covers + other.covers,
        )

    def without_trees_on(self, areas: list[Polygon]) -> Contents:
        """Return the contents without the trees inside the areas."""
        if not areas or not self.trees:
            return self
        rows = np.array([tree[:2] for tree in self.trees])
        felled = np.zeros(len(rows), bool)
        for area in areas:
            west, north, east, south = area.bounds
            near = (rows[:, 0] > west) & (rows[:, 0] < east) & (rows[:, 1] > north) & (rows[:, 1] < south)
            felled[near] |= contains_xy(area, rows[near])
        kept = [tree for tree, gone in zip(self.trees, felled, strict=True) if not gone]
        return replace(self, trees=kept)
