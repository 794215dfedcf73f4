"""Coordinates as people type or paste them → longitude, latitude. The systems are those of ``DOMAIN.md``.

Degrees (EPSG:4490; WGS 84 is the same), decimal or with minutes and seconds, and Gauss-Krüger of CGCS2000 in zones of
three degrees, EPSG:4513 to 4554. Either axis may stand first: the numbers of China tell which is which.
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

LONGEST = 200

_LONGITUDES, _LATITUDES = (70.0, 140.0), (0.0, 60.0)  # by which the axes are told apart
_OFFSET = (150_000.0, 850_000.0)  # eastings without the zone's number: zones may be used beyond their edge
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


class NotCoordinates(ValueError):  # noqa: N818  (says what is)
    """What was typed is no place; ``key`` is a text of the catalogue that says why, to be filled with ``values``."""

    def __init__(self, key: str, **values: Any) -> None:
        """Keep both."""
        super().__init__(key)
        self.key, self.values = key, values


@dataclass(frozen=True)
class TypedPlace:
    """A place that was typed.

    Attributes:
        lon, lat: degrees, EPSG:4490.
        system: code of the system in which it was read, like ``EPSG:4526``.
        assumed: whether the zone was not told and the one near the map was taken.
    """

    lon: float
    lat: float
    system: str
    assumed: bool = False


@dataclass(frozen=True)
class _Part:
    """One of two numbers, and the axis it was marked with: N, E, or "" where it was not."""

    value: float
    axis: str = ""
    degrees: bool = field(default=False)  # written with a sign for degrees


def read_place(text: str, near_lon: float | None = None) -> TypedPlace:
    """Find the place that ``text`` tells.

    Args:
        text: as typed.
        near_lon: longitude in degrees of what the map shows: the zone of eastings that do not tell theirs.

    Raises:
        NotCoordinates: says why it is none.
    """
    text = unicodedata.normalize("NFKC", text.translate(_MARKS).replace("″", '"')).replace('"', "″").strip()
    text = _DEGREES.sub("°", text.replace("′′", "″").replace("−", "-"))
    if not text or len(text) > LONGEST:
        raise NotCoordinates("map.goto_empty")
    if _GCJ.search(text):
        raise NotCoordinates("map.goto_gcj")
    code, zone, text = _system(text)
    parts = _parts(text)
    if any(abs(part.value) > 1000 for part in parts):
        if code == GEOGRAPHIC:
            raise NotCoordinates("map.goto_unreadable")
        return _metres(parts, zone, near_lon)
    if zone is not None:
        raise NotCoordinates("map.goto_unreadable")
    return _degrees(parts)


def in_zone(lon: float, lat: float) -> tuple[str, float, float] | None:
    """A place in its local zone: code, easting with the zone's number, northing in metres. None: no zone is there."""
    zone = zone_at(lon)
    if zone is None:
        return None
    there = zone.project(Point(lon, lat))
    return zone.code, float(there.x), float(there.y)


def _system(text: str) -> tuple[str | None, int | None, str]:
    """What system is named: code, number of the zone, and the text without it."""
    code, zone = None, None
    found = _EPSG.search(text)
    if found:
        number = int(found[1])
        text = text[: found.start()] + " " + text[found.end() :]
        if number in (4490, 4326):
            code = GEOGRAPHIC
        elif 4513 <= number <= 4554:
            code, zone = f"EPSG:{number}", FIRST_ZONE + (number - 4513) % (LAST_ZONE - FIRST_ZONE + 1)
        else:
            raise NotCoordinates("map.goto_system", system=f"EPSG:{number}")
    text = _NAMES.sub(" ", text)
    for pattern, scale in ((_MERIDIAN, 3), (_ZONE, 1)):
        found = pattern.search(text)
        if found:
            number = int(next(group for group in found.groups() if group))
            if number % scale or not FIRST_ZONE <= number // scale <= LAST_ZONE:
                raise NotCoordinates("map.goto_zone", zone=number)
            if zone not in (None, number // scale):
                raise NotCoordinates("map.goto_zones")
            zone = number // scale
            text = text[: found.start()] + " " + text[found.end() :]
    return code, zone, text


def _parts(text: str) -> tuple[_Part, _Part]:
    for pattern, letter in _WORDS:
        text = pattern.sub(letter, text)
    found: list[_Part] = []
    before = False
    at = _after(text, 0)
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or len(found) == 2:
            raise NotCoordinates("map.goto_unreadable")
        mark, end = (part["pre"] or "").upper(), part.end()
        # "N30 E113" or "30N 113E": who puts the letter before the first number does so for the second
        after = None if mark or (found and before) else _POST.match(text, end)
        before = bool(mark)
        if after is not None:
            mark, end = after["post"].upper(), after.end()
        found.append(_part(part, mark))
        at = _after(text, end)
    if len(found) != 2:
        raise NotCoordinates("map.goto_unreadable")
    return found[0], found[1]


def _after(text: str, at: int) -> int:
    between = _BETWEEN.match(text, at)
    return between.end() if between else at


def _part(found: re.Match[str], mark: str) -> _Part:
    minutes, seconds = float(found["min"] or 0), float(found["sec"] or 0)
    if minutes >= 60 or seconds >= 60:
        raise NotCoordinates("map.goto_unreadable")
    value = float(found["deg"])
    value += (-1 if found["deg"].startswith("-") else 1) * (minutes / 60 + seconds / 3600)
    if mark in ("S", "W"):
        value = -value
    # X is the northing on Chinese plans, and the longitude to most programs: it says nothing about degrees
    axis = {"N": "N", "S": "N", "E": "E", "W": "E", "X": "x", "Y": "y"}.get(mark, "")
    return _Part(value, axis, "°" in found[0])


def _degrees(parts: tuple[_Part, _Part]) -> TypedPlace:
    first, second = parts
    if "N" in (first.axis, second.axis) or "E" in (first.axis, second.axis):
        if first.axis == second.axis:
            raise NotCoordinates("map.goto_unreadable")
        swapped = first.axis == "N" or second.axis == "E"
    else:
        swapped = _within(first.value, _LATITUDES) and _within(second.value, _LONGITUDES)
    lon, lat = (second.value, first.value) if swapped else (first.value, second.value)
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise NotCoordinates("map.goto_unreadable")
    return TypedPlace(lon, lat, GEOGRAPHIC)


def _metres(parts: tuple[_Part, _Part], zone: int | None, near_lon: float | None) -> TypedPlace:
    if any(part.degrees for part in parts):
        raise NotCoordinates("map.goto_unreadable")
    ways = [way for way in (parts, parts[::-1]) if _is_way(*way)]
    if len(ways) != 1:  # far in the south each could be either, unless they are marked
        raise NotCoordinates("map.goto_axes" if ways else "map.goto_metres")
    east, north = ways[0][0].value, ways[0][1].value
    told, assumed = int(east // 1e6) or None, False
    if told and zone and told != zone:
        raise NotCoordinates("map.goto_zones")
    number = told or zone
    if number is None:
        close = zone_at(near_lon) if near_lon is not None else None
        if close is None:
            raise NotCoordinates("map.goto_no_zone")
        number, assumed = close.number, True
    lon, lat = _back(Zone(number).code).transform(number * 1e6 + east % 1e6, north)
    code = Zone(number).code if told else f"EPSG:{4534 + number - FIRST_ZONE}"
    return TypedPlace(float(lon), float(lat), code, assumed)


def _is_way(east: _Part, north: _Part) -> bool:
    """Whether the two may be easting and northing, in this order."""
    if east.axis in ("N", "x") or north.axis in ("E", "y"):
        return False
    zone = int(east.value // 1e6)
    known = (zone == 0 or FIRST_ZONE <= zone <= LAST_ZONE) and _within(east.value % 1e6, _OFFSET)
    return known and _within(north.value, _NORTHINGS)


def _within(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]


@cache
def _back(code: str) -> Transformer:
    return Transformer.from_crs(code, GEOGRAPHIC, always_xy=True)
