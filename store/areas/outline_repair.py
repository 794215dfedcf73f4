"""Geometries of a file as valid polygons in longitude and latitude."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely import MultiPolygon, Polygon
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from errors import Reason
from imagery.datum import datum_remark, lonlat_transformation
from imagery.set_operations import make_valid

ToLonLat = Callable[[NDArray[Any]], NDArray[Any]]
"""Transformation of (n, 2) coordinates, easting or longitude first, to longitude and latitude."""

Repaired = tuple[Polygon | MultiPolygon | None, str]
"""A valid polygon and how it was repaired, or None and why it cannot be used."""


def to_lonlat_of(crs: str) -> tuple[ToLonLat, str]:
    """Return the transformation from a coordinate system, and a remark on its accuracy.

    Raises:
        ValueError: it is no coordinate system on the Earth.
    """
    try:
        source = CRS.from_user_input(crs)
        transform = lonlat_transformation(source)
    except CRSError as error:
        raise ValueError(str(error).splitlines()[0]) from error

    def to_lonlat(points: NDArray[Any]) -> NDArray[Any]:
        return np.column_stack(transform(points[:, 0], points[:, 1]))

    return to_lonlat, datum_remark(source) or ""


def repair_outlines(shapes: Sequence[bytes | BaseGeometry | str | None], to_lonlat: ToLonLat) -> list[Repaired]:
    """Return the polygon of each shape: WKB, a geometry, None, or a message why it cannot be read."""
    messages = [shape if isinstance(shape, str) else "" for shape in shapes]
    geometries = np.empty(len(shapes), object)
    geometries[:] = [_geometry(shape) for shape in shapes]
    try:
        outlines = _to_lonlat(geometries, to_lonlat)
    except (ShapelyError, ValueError):  # one bad geometry must not spoil its neighbours
        outlines = np.array([_alone(geometry, to_lonlat) for geometry in geometries], object)
    bounds = shapely.bounds(outlines)
    on_earth = (bounds >= (-180, -90, -180, -90)).all(axis=1) & (bounds <= (180, 90, 180, 90)).all(axis=1)
    fine = shapely.is_valid(outlines) & (shapely.area(outlines) > 0) & (shapely.get_type_id(outlines) == 3)
    repaired: list[Repaired] = []
    for geometry, outline, message, located, simple in zip(geometries, outlines, messages, on_earth, fine, strict=True):
        if simple and located:
            repaired.append((outline, ""))
        elif message:
            repaired.append((None, message))
        elif outline is None or outline.is_empty:
            why = "its geometry is empty or cannot be read"
            repaired.append((None, Reason(why, "polygons.row_empty")))
        elif not located:
            why = "its coordinates do not match the coordinate system of the file"
            repaired.append((None, Reason(why, "polygons.row_crs")))
        else:
            repaired.append(_repair(outline, geometry.geom_type))
    return repaired


def _geometry(shape: bytes | BaseGeometry | str | None) -> BaseGeometry | None:
    if isinstance(shape, bytes):
        geometry: BaseGeometry | None = shapely.from_wkb(shape, on_invalid="fix")
        return geometry
    return None if isinstance(shape, str) else shape


def _to_lonlat(geometries: NDArray[Any], to_lonlat: ToLonLat) -> NDArray[Any]:
    outlines: NDArray[Any] = shapely.transform(shapely.force_2d(geometries), to_lonlat)
    return outlines


def _alone(geometry: BaseGeometry | None, to_lonlat: ToLonLat) -> BaseGeometry | None:
    try:
        alone = np.empty(1, object)
        alone[0] = geometry
        found: BaseGeometry | None = _to_lonlat(alone, to_lonlat)[0]
    except (ShapelyError, ValueError):
        return None
    return found


def _repair(outline: BaseGeometry, kind: str) -> Repaired:
    remark = ""
    if not outline.is_valid:
        why = shapely.is_valid_reason(outline)
        remark = Reason(f"outline repaired ({why})", "polygons.row_repaired", why=why)
        outline = make_valid(outline)
    parts = [part for part in _parts(outline) if part.area > 0]
    if not parts:
        return None, Reason(f"expected a polygon with an area, found a {kind}", "polygons.row_kind", kind=kind)
    return (parts[0] if len(parts) == 1 else MultiPolygon(parts)), remark


def _parts(shape: BaseGeometry) -> list[Polygon]:
    if isinstance(shape, Polygon):
        return [shape]
    return [polygon for part in getattr(shape, "geoms", ()) for polygon in _parts(part)]
