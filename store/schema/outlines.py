"""Conversion and spatial filtering of outlines, and (de)serialization of error ellipses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypedDict

from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, and_

from imagery.error_ellipse import ErrorEllipse
from store.schema.tables import OutlineMixin


class OutlineColumns(TypedDict):
    """Values of the columns of :class:`store.schema.tables.OutlineMixin`."""

    outline: BaseGeometry
    west: float
    south: float
    east: float
    north: float


def bounds_of(outline: BaseGeometry) -> OutlineColumns:
    """Return an outline with its bounds, for ``Row(**bounds_of(outline), …)``. Longitude, latitude."""
    west, south, east, north = (float(v) for v in outline.bounds)
    return {"outline": outline, "west": west, "south": south, "east": east, "north": north}


def bounds_intersect(table: type[OutlineMixin], outline: BaseGeometry) -> ColumnElement[bool]:
    """Return the condition that a row's bounds intersect those of ``outline``.

    This is a prefilter: whether the outlines themselves intersect is checked with shapely.
    """
    west, south, east, north = outline.bounds
    columns: Any = table
    return and_(columns.west <= east, columns.east >= west, columns.south <= north, columns.north >= south)


def error_ellipse_from_json(stored: Mapping[str, Any] | None) -> ErrorEllipse | None:
    """Return the stored position error; None means the accuracy of an orthophoto."""
    return ErrorEllipse(**stored) if stored else None


def error_ellipse_to_json(error: ErrorEllipse | None) -> dict[str, Any] | None:
    """Return the position error as it is stored."""
    return None if error is None else asdict(error)
