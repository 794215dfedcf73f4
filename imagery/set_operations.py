"""Set operations of outlines that always have an answer.

GEOS computes them exactly, and in rare cases finds no consistent result (``TopologyException``): outlines whose edges
almost coincide, like those of one place seen on many days. Then the operation is repeated on repaired outlines with all
coordinates rounded to :data:`GRID`, where it cannot fail (snap rounding).
"""

from __future__ import annotations

from collections.abc import Iterable

import shapely
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

GRID = 1e-8
"""Rounding in the unit of the outlines: a millimetre in degrees, nothing in metres."""


def make_valid(outline: BaseGeometry) -> BaseGeometry:
    """Repair self-intersections, so that the outline can be intersected with others."""
    if outline.is_valid:
        return outline
    try:
        return _repaired(outline)
    except GEOSException:
        return _repaired(shapely.set_precision(outline, GRID, mode="pointwise"))


def _repaired(outline: BaseGeometry) -> BaseGeometry:
    return shapely.make_valid(outline, method="structure", keep_collapsed=False)


def intersection(one: BaseGeometry, other: BaseGeometry) -> BaseGeometry:
    """Return what two outlines have in common."""
    try:
        return shapely.intersection(one, other)
    except GEOSException:
        return shapely.intersection(make_valid(one), make_valid(other), grid_size=GRID)


def difference(one: BaseGeometry, other: BaseGeometry) -> BaseGeometry:
    """Return what belongs to the first outline only."""
    try:
        return shapely.difference(one, other)
    except GEOSException:
        return shapely.difference(make_valid(one), make_valid(other), grid_size=GRID)


def union(one: BaseGeometry, other: BaseGeometry) -> BaseGeometry:
    """Return what belongs to at least one of two outlines."""
    try:
        return shapely.union(one, other)
    except GEOSException:
        return shapely.union(make_valid(one), make_valid(other), grid_size=GRID)


def union_all(outlines: Iterable[BaseGeometry]) -> BaseGeometry:
    """Return what belongs to at least one of many outlines."""
    listed = list(outlines)
    try:
        return shapely.union_all(listed)
    except GEOSException:
        return shapely.union_all([make_valid(outline) for outline in listed], grid_size=GRID)
