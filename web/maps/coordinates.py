"""Parse typed or pasted coordinates into longitude and latitude.

Supported are degrees (EPSG:4490; WGS 84 is treated as equal), decimal or with minutes and seconds, and CGCS2000
Gauss-Krüger coordinates in 3° zones, EPSG:4513 to 4554. Either axis may be first: within China the ranges of values
distinguish them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pyproj import Transformer
from shapely import Point

from enforcement.projection_zones import FIRST_ZONE, GEOGRAPHIC, LAST_ZONE, Zone, zone_at

MAX_LENGTH = 200

_LONGITUDES, _LATITUDES = (70.0, 140.0), (0.0, 60.0)  # ranges that distinguish the axes
_EASTINGS = (150_000.0, 850_000.0)  # without the zone prefix; zones may be used beyond their edge
_NORTHINGS = (0.0, 6_700_000.0)  # equator to 60°

_GCJ = re.compile(r"gcj|bd-?0?9|火星|高德|腾讯|百度|amap|baidu|google", re.I)
_EPSG = re.compile(r"epsg\s*[:：]*\s*(\d{4,6})", re.I)
_NAMES = re.compile(
    r"cgcs\s*2000|wgs\s*-?\s*(?:19)?84|2000\s*国家大地坐标系|国家\s*2000|gauss\s*-?\s*kr(?:u|ü|ue)ger|高斯\s*-?\s*克吕格|"
    r"(?:3|三)\s*[-°度]?\s*(?:degrees?|分?带)|坐标系?|投影",
    re.I,
)
_ZONE = re.compile(r"(?:zone|带号|第)\s*[:=]?\s*(\d{2})(?!\d)(?:\s*号?带)?|(?<!\d)(\d{2})\s*号?带", re.I)
_MERIDIAN = re.compile(r"(?:\bcm|中央(?:经线|子午线)|central meridian)\s*[:=]?\s*(\d{2,3})(?!\d)\s*[°度]?\s*e?", re.I)
_WORDS = (
    (re.compile(r"东经|经度|longitude|\blong?\b|\blng\b", re.I), " E "),
    (re.compile(r"北纬|纬度|latitude|\blat\b", re.I), " N "),
    (re.compile(r"西经", re.I), " W "),
    (re.compile(r"南纬", re.I), " S "),
    (re.compile(r"东坐标|easting|东", re.I), " E "),
    (re.compile(r"北坐标|northing|北", re.I), " N "),
)
_MARKS = str.maketrans(
    {"º": "°", "˚": "°", "分": "′", "秒": "″", "'": "′", "’": "′", "‘": "′", '"': "″", "”": "″", "“": "″"}
)
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_ANGLE = rf"(?P<deg>{_NUMBER})\s*(?:°\s*(?:(?P<min>\d+(?:\.\d+)?)\s*′\s*(?:(?P<sec>\d+(?:\.\d+)?)\s*(?:″|′′)?)?)?)?"
_PART = re.compile(rf"(?:(?P<pre>[NSEWXY])\s*[:=]?\s*)?{_ANGLE}", re.I)
_POST = re.compile(r"\s*(?P<post>[NSEW])(?![A-Z])", re.I)
_DEGREES = re.compile(r"(?<=\d)\s*度")
_BETWEEN = re.compile(r"[\s,;，；、/()\[\]|:=]*(?:m|米)?[\s,;，；、/()\[\]|:=]*", re.I)


class CoordinateError(ValueError):
    """The text cannot be parsed; ``key`` is the catalogue's text for the reason, with the placeholders ``values``."""

    def __init__(self, key: str, **values: Any) -> None:
        """Set both attributes."""
        super().__init__(key)
        self.key, self.values = key, values


@dataclass(frozen=True)
class ParsedCoordinates:
    """A position parsed from text.

    Attributes:
        lon, lat: degrees, EPSG:4490.
        system: code of the CRS of the text, like ``EPSG:4526``.
        assumed: whether the text has no zone, so that the zone of the map was assumed.
    """

    lon: float
    lat: float
    system: str
    assumed: bool = False


@dataclass(frozen=True)
class _Number:
    """One of the two numbers, and the axis of its label: N, E, x, y, or "" without a label."""

    value: float
    axis: str = ""
    degrees: bool = field(default=False)  # written with a degree sign


def parse_coordinates(text: str, near_lon: float | None = None) -> ParsedCoordinates:
    """Parse typed coordinates.

    Args:
        text: the typed text.
        near_lon: longitude in degrees of the map's centre, which determines the zone of eastings without one.

    Raises:
        CoordinateError: the text cannot be parsed, or is ambiguous.
    """
    text = unicodedata.normalize("NFKC", text.translate(_MARKS).replace("″", '"')).replace('"', "″").strip()
    text = _DEGREES.sub("°", text.replace("′′", "″").replace("−", "-"))
    if not text or len(text) > MAX_LENGTH:
        raise CoordinateError("map.goto_empty")
    if _GCJ.search(text):
        raise CoordinateError("map.goto_gcj")
    code, zone, text = _extract_system(text)
    numbers = _extract_numbers(text)
    if any(abs(number.value) > 1000 for number in numbers):
        if code == GEOGRAPHIC:
            raise CoordinateError("map.goto_unreadable")
        return _from_metres(numbers, zone, near_lon)
    if zone is not None:
        raise CoordinateError("map.goto_unreadable")
    return _from_degrees(numbers)


def in_zone(lon: float, lat: float) -> tuple[str, float, float] | None:
    """Project a position to its 3° zone: EPSG code, easting with zone prefix, northing in metres; None: no zone."""
    zone = zone_at(lon)
    if zone is None:
        return None
    point = zone.project(Point(lon, lat))
    return zone.code, float(point.x), float(point.y)


def _extract_system(text: str) -> tuple[str | None, int | None, str]:
    """Return EPSG code and zone number if the text names them, and the text without them."""
    code, zone = None, None
    match = _EPSG.search(text)
    if match:
        number = int(match[1])
        text = text[: match.start()] + " " + text[match.end() :]
        if number in (4490, 4326):
            code = GEOGRAPHIC
        elif 4513 <= number <= 4554:
            code, zone = f"EPSG:{number}", FIRST_ZONE + (number - 4513) % (LAST_ZONE - FIRST_ZONE + 1)
        else:
            raise CoordinateError("map.goto_system", system=f"EPSG:{number}")
    text = _NAMES.sub(" ", text)
    for pattern, scale in ((_MERIDIAN, 3), (_ZONE, 1)):
        match = pattern.search(text)
        if match:
            number = int(next(group for group in match.groups() if group))
            if number % scale or not FIRST_ZONE <= number // scale <= LAST_ZONE:
                raise CoordinateError("map.goto_zone", zone=number)
            if zone not in (None, number // scale):
                raise CoordinateError("map.goto_zones")
            zone = number // scale
            text = text[: match.start()] + " " + text[match.end() :]
    return code, zone, text


def _extract_numbers(text: str) -> tuple[_Number, _Number]:
    for pattern, letter in _WORDS:
        text = pattern.sub(letter, text)
    numbers: list[_Number] = []
    has_prefix = False
    position = _skip_separators(text, 0)
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or len(numbers) == 2:
            raise CoordinateError("map.goto_unreadable")
        label, end = (match["pre"] or "").upper(), match.end()
        # "N30 E113" or "30N 113E": a letter before the first number implies one before the second
        suffix = None if label or (numbers and has_prefix) else _POST.match(text, end)
        has_prefix = bool(label)
        if suffix is not None:
            label, end = suffix["post"].upper(), suffix.end()
        numbers.append(_to_number(match, label))
        position = _skip_separators(text, end)
    if len(numbers) != 2:
        raise CoordinateError("map.goto_unreadable")
    return numbers[0], numbers[1]


def _skip_separators(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    return match.end() if match else position


def _to_number(match: re.Match[str], label: str) -> _Number:
    minutes, seconds = float(match["min"] or 0), float(match["sec"] or 0)
    if minutes >= 60 or seconds >= 60:
        raise CoordinateError("map.goto_unreadable")
    value = float(match["deg"])
    value += (-1 if match["deg"].startswith("-") else 1) * (minutes / 60 + seconds / 3600)
    if label in ("S", "W"):
        value = -value
    # X is the northing on Chinese plans but the longitude in most programs, so it does not distinguish degrees
    axis = {"N": "N", "S": "N", "E": "E", "W": "E", "X": "x", "Y": "y"}.get(label, "")
    return _Number(value, axis, "°" in match[0])


def _from_degrees(numbers: tuple[_Number, _Number]) -> ParsedCoordinates:
    first, second = numbers
    if "N" in (first.axis, second.axis) or "E" in (first.axis, second.axis):
        if first.axis == second.axis:
            raise CoordinateError("map.goto_unreadable")
        swapped = first.axis == "N" or second.axis == "E"
    else:
        swapped = _within(first.value, _LATITUDES) and _within(second.value, _LONGITUDES)
    lon, lat = (second.value, first.value) if swapped else (first.value, second.value)
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise CoordinateError("map.goto_unreadable")
    return ParsedCoordinates(lon, lat, GEOGRAPHIC)


def _from_metres(numbers: tuple[_Number, _Number], zone: int | None, near_lon: float | None) -> ParsedCoordinates:
    if any(number.degrees for number in numbers):
        raise CoordinateError("map.goto_unreadable")
    orders = [order for order in (numbers, numbers[::-1]) if _can_be_east_north(*order)]
    if len(orders) != 1:  # far in the south both orders are possible, unless the numbers are labelled
        raise CoordinateError("map.goto_axes" if orders else "map.goto_metres")
    east, north = orders[0][0].value, orders[0][1].value
    prefix, assumed = int(east // 1e6) or None, False
    if prefix and zone and prefix != zone:
        raise CoordinateError("map.goto_zones")
    zone_number = prefix or zone
    if zone_number is None:
        nearest = zone_at(near_lon) if near_lon is not None else None
        if nearest is None:
            raise CoordinateError("map.goto_no_zone")
        zone_number, assumed = nearest.number, True
    lon, lat = _to_geographic(Zone(zone_number).code).transform(zone_number * 1e6 + east % 1e6, north)
    code = Zone(zone_number).code if prefix else f"EPSG:{4534 + zone_number - FIRST_ZONE}"
    return ParsedCoordinates(float(lon), float(lat), code, assumed)


def _can_be_east_north(east: _Number, north: _Number) -> bool:
    """Return whether the two can be easting and northing, in this order."""
    if east.axis in ("N", "x") or north.axis in ("E", "y"):
        return False
    zone = int(east.value // 1e6)
    valid_east = (zone == 0 or FIRST_ZONE <= zone <= LAST_ZONE) and _within(east.value % 1e6, _EASTINGS)
    return valid_east and _within(north.value, _NORTHINGS)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


@cache
def _to_geographic(code: str) -> Transformer:
    return Transformer.from_crs(code, GEOGRAPHIC, always_xy=True)
