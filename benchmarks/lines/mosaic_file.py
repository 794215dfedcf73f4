"""Images of many gigapixels in small files: a BigTIFF whose tiles are those of one image, repeated.

Tiles of equal content are stored once and referred to many times; tiles without content are missing, as in sparse
mosaics. Overviews are written too, so that the file is read like any other.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

TILE = 512
LEVELS = 8
_SHORT, _LONG, _DOUBLE, _LONG8, _ASCII = 3, 4, 12, 16, 2
_FORMAT = {_SHORT: "H", _LONG: "I", _DOUBLE: "d", _LONG8: "Q"}

Image = NDArray[np.uint8]


def write_mosaic(
    path: Path, image: Image, cells: int, filled: Callable[[int, int], bool], origin: tuple[float, float], gsd_m: float
) -> None:
    """Write a mosaic of ``cells``² copies of ``image``.

    Args:
        path: the file.
        image: S×S×3 uint8 RGB without black pixels, S a power of two of at least 512.
        cells: copies along each side.
        filled: (row, column) of a cell → whether it has content.
        origin: easting and northing of the upper left corner, EPSG:4547.
        gsd_m: metres per pixel.
    """
    side = image.shape[0]
    with path.open("wb") as file:
        file.write(b"II" + struct.pack("<HHHQ", 43, 8, 0, 0))
        directories = []
        for level in range(LEVELS):
            width = side * cells >> level
            if level and width < TILE:
                break
            offsets, counts = _write_tiles(file, image, side >> level, cells, filled)
            directories.append((width, offsets, counts))
        pointer = 8
        for level, (width, offsets, counts) in enumerate(directories):
            at = file.seek(0, 2)
            file.seek(pointer)
            file.write(struct.pack("<Q", at))
            pointer = _write_directory(file, at, level, width, offsets, counts, origin, gsd_m)


def _write_tiles(
    file: BinaryIO, image: Image, cell: int, cells: int, filled: Callable[[int, int], bool]
) -> tuple[list[int], list[int]]:
    """Write the different tiles of one level, whose cells are ``cell``² pixels; return all offsets and byte counts."""
    reduced = cv2.resize(image, (cell, cell), interpolation=cv2.INTER_AREA)
    tiles = -(-cells * cell // TILE)
    known: dict[object, tuple[int, int]] = {}
    offsets, counts = [], []
    for row in range(tiles):
        for column in range(tiles):
            key, pixels = _tile(reduced, cell, cells, row, column, filled)
            if key not in known:
                known[key] = (0, 0) if pixels is None else _append(file, zlib.compress(pixels.tobytes(), 6))
            offsets.append(known[key][0])
            counts.append(known[key][1])
    return offsets, counts


def _tile(
    reduced: Image, cell: int, cells: int, row: int, column: int, filled: Callable[[int, int], bool]
) -> tuple[object, Image | None]:
    """Return what identifies the content of a tile, and its pixels; None: empty."""
    if cell >= TILE:
        per_cell = cell // TILE
        if not filled(row // per_cell, column // per_cell):
            return None, None
        top, left = row % per_cell * TILE, column % per_cell * TILE
        return (top, left), np.ascontiguousarray(reduced[top : top + TILE, left : left + TILE])
    per_tile = TILE // cell
    numbers = range(per_tile)
    key = tuple(
        (r, c)
        for r in numbers
        for c in numbers
        if (y := row * per_tile + r) < cells and (x := column * per_tile + c) < cells and filled(y, x)
    )
    if not key:
        return None, None
    pixels = np.zeros((TILE, TILE, 3), np.uint8)
    for r, c in key:
        pixels[r * cell : (r + 1) * cell, c * cell : (c + 1) * cell] = reduced
    return key, pixels


def _append(file: BinaryIO, content: bytes) -> tuple[int, int]:
    offset = file.seek(0, 2)
    file.write(content)
    return offset, len(content)


def _write_directory(
    file: BinaryIO, at: int, level: int, width: int, offsets: list[int], counts: list[int],
    origin: tuple[float, float], gsd_m: float,
) -> int:  # fmt: skip
    """Write a directory at the end of the file; return where the offset of the next one is to be written."""
    entries: list[tuple[int, int, bytes | Sequence[float]]] = [
        (254, _LONG, [int(level > 0)]), (256, _LONG, [width]), (257, _LONG, [width]), (258, _SHORT, [8, 8, 8]),
        (259, _SHORT, [8]), (262, _SHORT, [2]), (277, _SHORT, [3]), (284, _SHORT, [1]), (322, _LONG, [TILE]),
        (323, _LONG, [TILE]), (324, _LONG8, offsets), (325, _LONG, counts), (339, _SHORT, [1, 1, 1]),
    ]  # fmt: skip
    if level == 0:
        keys = [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 4547]
        entries += [
            (33550, _DOUBLE, [gsd_m, gsd_m, 0.0]),
            (33922, _DOUBLE, [0.0, 0.0, 0.0, origin[0], origin[1], 0.0]),
            (34735, _SHORT, keys),
        ]
    entries.append((42113, _ASCII, b"0\0"))
    data_at = at + 8 + 20 * len(entries) + 8
    head, data = struct.pack("<Q", len(entries)), b""
    for tag, kind, values in entries:
        content = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{_FORMAT[kind]}", *values)
        count = len(values)
        if len(content) <= 8:
            head += struct.pack("<HHQ", tag, kind, count) + content.ljust(8, b"\0")
        else:
            head += struct.pack("<HHQQ", tag, kind, count, data_at + len(data))
            data += content + b"\0" * (-len(content) % 8)
    file.seek(at)
    file.write(head + struct.pack("<Q", 0) + data)
    return at + len(head)
