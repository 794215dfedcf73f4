"""Coordinate systems by reference (OGC API - Features, Part 2, OGC 18-058r1), in the axis order of their authority."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import numpy as np
import shapely
from fastapi import Query
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from enforcement.projection_zones import FIRST_ZONE, LAST_ZONE, Zone
from errors import Reason
from store.search.alert_filter import Box
from web.http_errors import HttpError

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG = "http://www.opengis.net/def/crs/EPSG/0/"

SUPPORTED = {
    CRS84: "OGC:CRS84",
    **{_EPSG + str(code): f"EPSG:{code}" for code in (4490, 4326, 3857)},
    **{_EPSG + zone.code.removeprefix("EPSG:"): zone.code for zone in map(Zone, range(FIRST_ZONE, LAST_ZONE + 1))},
}
"""URI → code. Longitude and latitude are EPSG:4490, which is CRS84 within a metre (a null transformation in PROJ)."""

CrsParameter = Annotated[
    str,
    Query(alias="crs", description="URI of the coordinate system of the response.", max_length=100),
]
BoxCrsParameter = Annotated[
    str,
    Query(alias="bbox-crs", description="URI of the coordinate system of `bbox`.", max_length=100),
]


def check_crs(name: str, uri: str) -> str:
    """Return the URI of a coordinate system; CRS84 if it is empty.

    Raises:
        HttpError: it is not supported.
    """
    uri = uri.strip("[]") or CRS84
    if uri not in SUPPORTED:
        message = f"{name} is {uri[:80]!r}; expected one of the `crs` of the collection, like {_EPSG}4490."
        raise HttpError(Reason(message, "query.crs", name=name, value=uri[:80], example=f"{_EPSG}4490"))
    return uri


def transform_outline(outline: BaseGeometry, uri: str) -> BaseGeometry:
    """Transform longitude and latitude to a supported system, in the axis order of its authority."""
    if uri == CRS84:
        return outline
    transformer = _transformer(uri)
    digits = 9 if CRS(SUPPORTED[uri]).is_geographic else 3
    return shapely.transform(
        outline, lambda places: np.round(np.column_stack(transformer.transform(*places.T)), digits)
    )


def box_to_degrees(numbers: list[float], uri: str) -> list[float]:
    """Transform a box of four numbers in a supported system to west, south, east, north in degrees."""
    if uri == CRS84:
        return numbers
    corners = _transformer(uri).transform_bounds(*numbers, densify_pts=21, direction="INVERSE")
    return [float(value) for value in corners]


def bounds_in(box: Box, uri: str) -> list[float]:
    """Return bounds of degrees as bounds in a supported system."""
    if uri == CRS84:
        return list(box)
    return [float(value) for value in _transformer(uri).transform_bounds(*box, densify_pts=21)]


@cache
def _transformer(uri: str) -> Any:
    return Transformer.from_crs("OGC:CRS84", SUPPORTED[uri], always_xy=False)
