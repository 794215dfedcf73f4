"""Rows with an outline, found by its bounds and compared by shapely."""

from __future__ import annotations

from typing import Any, TypedDict

from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, and_

from store.tables import Bounded


class Placed(TypedDict):
    """The columns of :class:`store.tables.Bounded`."""

    outline: BaseGeometry
    west: float
    south: float
    east: float
    north: float


def bounds_of(outline: BaseGeometry) -> Placed:
    """An outline with its bounds, for ``Row(**bounds_of(outline), …)``. Longitude, latitude."""
    west, south, east, north = (float(v) for v in outline.bounds)
    return {"outline": outline, "west": west, "south": south, "east": east, "north": north}


def near(table: type[Bounded], outline: BaseGeometry) -> ColumnElement[bool]:
    """Condition: the row's bounds touch those of ``outline``; whether the outlines do is for shapely to say."""
    west, south, east, north = outline.bounds
    columns: Any = table
    return and_(columns.west <= east, columns.east >= west, columns.south <= north, columns.north >= south)
