"""Vector tiles: Mapbox Vector Tile specification 2.1, polygons only.

The format is a few messages of protocol buffers, which are written here directly: the library ``mapbox-vector-tile``
does not work with the protobuf that the detector's runtime needs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

EXTENT = 4096
"""Units of a tile's side."""

_BUFFER = 64  # units beyond the tile, so that outlines are not drawn along its edge
_MOVE_TO, _LINE_TO, _CLOSE = 1, 2, 7
_POLYGON = 3
_VERSION = 2

Value = str | int | float | bool


def vector_tile(
    layer: str, features: Iterable[tuple[BaseGeometry, Mapping[str, Value]]], bounds: tuple[float, float, float, float]
) -> bytes:
    """Encode polygons as a tile with one layer; empty if none of them is visible.

    Args:
        layer: name of the layer.
        features: polygons or multipolygons, in the coordinate system of ``bounds``, with their properties.
        bounds: of the tile: west, south, east, north.
    """
    keys: dict[str, int] = {}
    values: dict[tuple[type, Value], int] = {}
    encoded = []
    for outline, properties in features:
        geometry = _geometry(_to_tile(outline, bounds))
        if geometry:
            tags: list[int] = []
            for name, value in properties.items():
                tags.append(keys.setdefault(name, len(keys)))
                tags.append(values.setdefault((type(value), value), len(values)))
            feature = _packed(2, tags) + _number(3, _POLYGON) + _packed(4, geometry)
            encoded.append(_message(2, feature))
    if not encoded:
        return b""
    content = _message(1, layer.encode()) + b"".join(encoded)
    content += b"".join(_message(3, key.encode()) for key in keys)
    content += b"".join(_message(4, _value(value)) for _, value in values)
    content += _number(5, EXTENT) + _number(15, _VERSION)
    return _message(3, content)


def _to_tile(outline: BaseGeometry, bounds: tuple[float, float, float, float]) -> list[shapely.Polygon]:
    """Return the visible polygons in whole units of the tile, y downwards, valid and oriented as required."""
    west, south, east, north = bounds
    margin = (east - west) * _BUFFER / EXTENT
    clipped = shapely.clip_by_rect(outline, west - margin, south - margin, east + margin, north + margin)
    if clipped.is_empty:
        return []
    scale = np.array([EXTENT / (east - west), -EXTENT / (north - south)])
    units = shapely.transform(clipped, lambda points: np.round((points - (west, north)) * scale))
    if not units.is_valid:  # rounding made rings touch
        units = shapely.make_valid(units)
    # exterior rings are clockwise on the screen, where y points down: counter-clockwise by the sign of their area
    oriented = shapely.orient_polygons(units, exterior_cw=False)
    return [part for part in shapely.get_parts(oriented) if part.geom_type == "Polygon" and part.area > 0]


def _geometry(polygons: Sequence[shapely.Polygon]) -> list[int]:
    commands: list[int] = []
    x = y = 0
    for polygon in polygons:
        for ring in (polygon.exterior, *polygon.interiors):
            points: NDArray[np.int64] = shapely.get_coordinates(ring)[:-1].round().astype(np.int64)
            for index, (to_x, to_y) in enumerate(points.tolist()):
                if index == 0:
                    commands.append(_command(_MOVE_TO, 1))
                elif index == 1:
                    commands.append(_command(_LINE_TO, len(points) - 1))
                commands += (_zigzag(to_x - x), _zigzag(to_y - y))
                x, y = to_x, to_y
            commands.append(_command(_CLOSE, 1))
    return commands


def _command(number: int, count: int) -> int:
    return number & 0x7 | count << 3


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _value(value: Value) -> bytes:
    if isinstance(value, bool):
        return _number(7, int(value))
    if isinstance(value, int):
        return _number(6, _zigzag(value))
    if isinstance(value, float):
        return _varint(3 << 3 | 1) + struct.pack("<d", value)
    return _message(1, value.encode())


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _packed(field: int, values: Sequence[int]) -> bytes:
    return _message(field, b"".join(map(_varint, values)))
