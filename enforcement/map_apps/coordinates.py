"""Coordinates of public map apps, for display and navigation only: GCJ-02 and BD-09. They are never stored.

GCJ-02 shifts positions in China by some hundred metres; BD-09 shifts GCJ-02 once more. Both are defined by code, not by
a standard; the formulas are the published ones. Outside of China nothing is shifted.
"""

from __future__ import annotations

import math
from typing import Literal

System = Literal["wgs84", "gcj02", "bd09"]

_A, _EE = 6378245.0, 0.00669342162296594323  # Krasovsky ellipsoid: semi-major axis, squared eccentricity
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271  # rectangle in which the shift applies
_BD = math.pi * 3000.0 / 180.0


def display_position(lon: float, lat: float, system: System) -> tuple[float, float]:
    """Return a position in the coordinates of a map app.

    Args:
        lon: degrees, EPSG:4490 or WGS 84.
        lat: degrees.
        system: of the app.

    Returns:
        longitude and latitude, degrees.
    """
    if system == "wgs84":
        return lon, lat
    shifted = to_gcj02(lon, lat)
    return shifted if system == "gcj02" else _to_bd09(*shifted)


def to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """Return a position in GCJ-02, the system of Amap and Tencent."""
    if not (_WEST <= lon <= _EAST and _SOUTH <= lat <= _NORTH):
        return lon, lat
    x, y = lon - 105.0, lat - 35.0
    common = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + common
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + common
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    latitude = math.radians(lat)
    magic = 1.0 - _EE * math.sin(latitude) ** 2
    north = math.degrees(north / (_A * (1.0 - _EE) / (magic * math.sqrt(magic))))
    east = math.degrees(east / (_A / math.sqrt(magic) * math.cos(latitude)))
    return lon + east, lat + north


def _to_bd09(lon: float, lat: float) -> tuple[float, float]:
    """Return a position of GCJ-02 in BD-09, the system of Baidu."""
    radius = math.hypot(lon, lat) + 0.00002 * math.sin(lat * _BD)
    angle = math.atan2(lat, lon) + 0.000003 * math.cos(lon * _BD)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006
