"""Windows and tiles of an array: pure geometry, in pixels of the grid, rows before columns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

Window = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True)
class Axis:
    """One axis of a tile: the network reads ``start … stop``, its output is used for ``first … last``."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def used(self) -> slice:
        """The part of the read pixels whose output is used."""
        return slice(self.first - self.start, self.last - self.start)


Tile = tuple[Axis, Axis]
"""Rows and columns of a tile."""


def shape_of(window: Window) -> tuple[int, int]:
    """Return the sides of a window."""
    return window[0].stop - window[0].start, window[1].stop - window[1].start


def used_window(tile: Tile) -> Window:
    """Return the part of the array that a tile's output is used for."""
    return slice(tile[0].first, tile[0].last), slice(tile[1].first, tile[1].last)


def within(window: Window, outer: Window) -> Window:
    """Return a window counted from the first row and column of another one."""
    rows, cols = (
        slice(part.start - around.start, part.stop - around.start) for part, around in zip(window, outer, strict=True)
    )
    return rows, cols


def grown(window: Window, reach: int, unit: int, shape: tuple[int, ...]) -> Window:
    """Return a window extended by ``reach`` and to multiples of ``unit``, within the array."""
    rows, cols = (
        slice(max(0, (part.start - reach) // unit * unit), min(length, math.ceil((part.stop + reach) / unit) * unit))
        for part, length in zip(window, shape[:2], strict=True)
    )
    return rows, cols


def tile_side(length: int, longest: int, scale: Fraction, unit: int) -> int:
    """Return the side of equal tiles of at most ``longest`` look pixels that cover ``length`` grid pixels."""
    most = max(unit, math.floor(longest / scale / unit) * unit)
    return math.ceil(length / math.ceil(length / most) / unit) * unit


def divide(shape: tuple[int, ...], needed: Window, side: tuple[int, int], halo: int) -> Iterator[Tile]:
    """Divide a region of an array into tiles that read a halo, all of one shape."""
    axes = [_divide_axis(length, part, tile, halo) for length, part, tile in zip(shape[:2], needed, side, strict=True)]
    return ((row, col) for row in axes[0] for col in axes[1])


def _divide_axis(length: int, part: slice, side: int, halo: int) -> list[Axis]:
    """Divide ``part`` of an axis; a tile that would read beyond the axis is moved inwards, where it reads more halo."""
    read = min(length, side + 2 * halo)
    tiles = []
    for first in range(part.start, part.stop, side):
        start = min(max(0, first - halo), length - read)
        tiles.append(Axis(start, start + read, first, min(first + side, part.stop)))
    return tiles
