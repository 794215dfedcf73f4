"""Rows with an outline, found by its bounds and compared by shapely; and how well the place of one is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypedDict

from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, and_

from imagery.error_ellipse import ErrorEllipse
from store.schema.tables import OutlineMixin


class OutlineColumns(TypedDict):
    """The columns of :class:`store.schema.tables.OutlineMixin`."""

    outline: BaseGeometry
    west: float
    south: float
    east: float
    north: float


def bounds_of(outline: BaseGeometry) -> OutlineColumns:
    """An outline with its bounds, for ``Row(**bounds_of(outline), …)``. Longitude, latitude."""
    west, south, east, north = (float(v) for v in outline.bounds)
    return {"outline": outline, "west": west, "south": south, "east": east, "north": north}


def bounds_intersect(table: type[OutlineMixin], outline: BaseGeometry) -> ColumnElement[bool]:
    """Condition: the row's bounds touch those of ``outline``; whether the outlines do is for shapely to say."""
    west, south, east, north = outline.bounds
    columns: Any = table
    return and_(columns.west <= east, columns.east >= west, columns.south <= north, columns.north >= south)


def error_ellipse_from_json(kept: Mapping[str, Any] | None) -> ErrorEllipse | None:
    """How well a place is known, as it was kept; None: as well as an orthophoto's."""
    return ErrorEllipse(**kept) if kept else None


def error_ellipse_to_json(error: ErrorEllipse | None) -> dict[str, Any] | None:
    """What is kept of it."""
    return None if error is None else asdict(error)
