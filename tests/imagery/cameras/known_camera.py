"""A camera with known pose for tests: it looks north from a mast over flat ground."""

from __future__ import annotations

import numpy as np
from pyproj import Transformer

from imagery.cameras.camera import ControlPoint

SIZE = (1280, 720)
FOOT = (500_000.0 + 38_000_000.0, 3_400_000.0)  # easting, northing in EPSG:4526
HEIGHT, PITCH, FOCAL = 30.0, np.radians(12.0), 1000.0
_to_degrees = Transformer.from_crs("EPSG:4526", "EPSG:4490", always_xy=True)


def ground_to_pixel(east: float, north: float) -> tuple[float, float]:
    """Pixel of a ground point in metres east and north of the mast's foot."""
    depth = north * np.cos(PITCH) + HEIGHT * np.sin(PITCH)
    down = HEIGHT * np.cos(PITCH) - north * np.sin(PITCH)
    return float(SIZE[0] / 2 + FOCAL * east / depth), float(SIZE[1] / 2 + FOCAL * down / depth)


def ground_to_lonlat(east: float, north: float) -> tuple[float, float]:
    """Longitude and latitude of a ground point."""
    lon, lat = _to_degrees.transform(FOOT[0] + east, FOOT[1] + north)
    return float(lon), float(lat)


def lonlat_to_ground(lon: float, lat: float) -> tuple[float, float]:
    """Metres east and north of the mast's foot."""
    east, north = _to_degrees.transform(lon, lat, direction="INVERSE")
    return float(east - FOOT[0]), float(north - FOOT[1])


def control_point(east: float, north: float, dx: float = 0.0, dy: float = 0.0) -> ControlPoint:
    """Control point at a ground point, clicked ``dx``, ``dy`` pixels off in the frame."""
    x, y = ground_to_pixel(east, north)
    return ControlPoint(x + dx, y + dy, *ground_to_lonlat(east, north))


SPREAD_POINTS = [
    (-30.0, 80.0),
    (30.0, 90.0),
    (-60.0, 160.0),
    (70.0, 150.0),
    (-90.0, 240.0),
    (95.0, 250.0),
    (5.0, 120.0),
]
