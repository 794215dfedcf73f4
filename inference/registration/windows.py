"""Windows of a level: where they lie and how they are read, so that cost does not grow with the raster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from inference.raster_source import RasterSource
from inference.registration.shift_field import Lattice, ShiftField
from inference.registration.window_matching import EDGE_PX, TEXTURE, box_energy, describe, energy, surface

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

READ_PX = 1200
"""Longest side of one read: neighbouring windows are read together up to it."""

LEAST_VALID = 0.4
"""Part of a window that must be valid on both dates."""


@dataclass(frozen=True)
class Level:
    """The common grid seen at a coarser scale.

    Attributes:
        grid: the common grid.
        zoom: pixels of the common grid per pixel of the level.
    """

    grid: GeoBox
    zoom: int

    @property
    def width(self) -> int:
        """Columns of the level, whole ones only."""
        return max(int(self.grid.width) // self.zoom, 1)

    @property
    def height(self) -> int:
        """Rows of the level, whole ones only."""
        return max(int(self.grid.height) // self.zoom, 1)

    def geobox(self, x: int, y: int, width: int, height: int) -> GeoBox:
        """Part of the level, which may reach beyond its ends."""
        corner = Affine(self.zoom, 0.0, x * self.zoom, 0.0, self.zoom, y * self.zoom)
        return GeoBox((height, width), self.grid.affine @ corner, self.grid.crs)

    def on_grid(self, at: Float64) -> Float64:
        """Level pixel → pixel of the common grid, centres at whole numbers in both."""
        return (at + 0.5) * self.zoom - 0.5


@dataclass(frozen=True)
class Windows:
    """A lattice of square windows on a level.

    Attributes:
        side: in pixels of the level.
        lefts, tops: first column and row of each window.
    """

    level: Level
    side: int
    lefts: NDArray[np.intp]
    tops: NDArray[np.intp]

    @property
    def lattice(self) -> Lattice:
        """Middles of the windows on the common grid."""

        def axis(starts: NDArray[np.intp]) -> tuple[float, float, int]:
            middle = self.level.on_grid(starts.astype(np.float64) + (self.side - 1) / 2.0)
            count = len(starts)
            return float(middle[0]), float((middle[-1] - middle[0]) / (count - 1)) if count > 1 else 1.0, count

        x0, dx, columns = axis(self.lefts)
        y0, dy, rows = axis(self.tops)
        return Lattice(x0, y0, dx, dy, columns, rows)


def lay_windows(level: Level, side: int, step: tuple[float, float], most: int) -> Windows:
    """Windows evenly over a level, at most ``most`` along each axis.

    ``step`` is the least step along (x, y) in window sides: 0.5 lets neighbours share half, 1.0 none. Windows that are
    longer than the level shrink to it.
    """
    side = min(side, level.width, level.height)

    def starts(length: int, least: float) -> NDArray[np.intp]:
        room = length - side
        count = int(np.clip(room // max(round(side * least), 1) + 1, 1, most))
        if count == 1:
            return np.array([room // 2], np.intp)
        return np.rint(np.linspace(0, room, count)).astype(np.intp)

    return Windows(level, side, starts(level.width, step[0]), starts(level.height, step[1]))


def _runs(starts: NDArray[np.intp], side: int) -> Iterator[tuple[int, int]]:
    """Neighbouring windows that are read together: (first, past the last)."""
    first = 0
    for k in range(1, len(starts) + 1):
        if k == len(starts) or starts[k] - starts[k - 1] > 1.3 * side or starts[k] + side - starts[first] > READ_PX:
            yield first, k
            first = k


@dataclass(frozen=True)
class Compared:
    """Similarity of the windows of a lattice.

    Attributes:
        surfaces: (rows, columns, 2r+1, 2r+1), mean removed; zero where not tried.
        textured: (rows, columns) for the later and for the earlier image.
        tried: (rows, columns) enough is valid on both dates.
    """

    surfaces: Float32
    textured_after: NDArray[np.bool_]
    textured_before: NDArray[np.bool_]
    tried: NDArray[np.bool_]

    @property
    def textured(self) -> NDArray[np.bool_]:
        """Structure on both dates where both are valid."""
        return np.asarray(self.tried & self.textured_after & self.textured_before)


def compare_windows(
    before: RasterSource,
    after: RasterSource,
    windows: Windows,
    reach: int,
    field: ShiftField,
    skip: NDArray[np.bool_] | None = None,
) -> Compared:
    """Read both images under the windows of a lattice, the earlier one moved by the field, and compare them.

    Each window of the later image is sought in the earlier one up to ``reach`` pixels (of the level) around; those
    marked in ``skip`` (rows, columns) are not tried.
    """
    level, side = windows.level, windows.side
    tops = windows.tops
    shape = (len(tops), len(windows.lefts))
    surfaces = np.zeros((*shape, 2 * reach + 1, 2 * reach + 1), np.float32)
    textured_after, textured_before, tried = (np.zeros(shape, np.bool_) for _ in range(3))
    for top0, top1 in _runs(tops, side):
        for left0, left1 in _runs(windows.lefts, side):
            x, y = int(windows.lefts[left0]), int(tops[top0])
            width, height = int(windows.lefts[left1 - 1]) + side - x, int(tops[top1 - 1]) + side - y
            rgb, valid = _read(after, level, (x, y, width, height), EDGE_PX, None)
            if not valid.any():
                continue
            search_rgb, search_valid = _read(before, level, (x, y, width, height), reach + EDGE_PX, field)
            if not search_valid.any():
                continue
            template = describe(rgb, valid)
            search = describe(search_rgb, search_valid)
            energies = box_energy(search, side)
            for i in range(top0, top1):
                for j in range(left0, left1):
                    if skip is not None and skip[i, j]:
                        continue
                    u, v = int(windows.lefts[j]) - x + EDGE_PX, int(tops[i]) - y + EDGE_PX
                    here = (slice(v, v + side), slice(u, u + side))
                    there = (slice(v + reach, v + side + reach), slice(u + reach, u + side + reach))
                    if valid[here].mean() < LEAST_VALID or search_valid[there].mean() < LEAST_VALID:
                        continue
                    tried[i, j] = True
                    textured_after[i, j] = energy(template[here]) > TEXTURE
                    textured_before[i, j] = energy(search[there]) > TEXTURE
                    if textured_after[i, j] and textured_before[i, j]:
                        around = search[v : v + side + 2 * reach, u : u + side + 2 * reach]
                        offsets = energies[v : v + 2 * reach + 1, u : u + 2 * reach + 1]
                        surfaces[i, j] = surface(around, template[here], offsets)
    return Compared(surfaces, textured_after, textured_before, tried)


def _read(
    image: RasterSource, level: Level, box: tuple[int, int, int, int], margin: int, field: ShiftField | None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """RGB and valid mask of a box (x, y, width, height) of the level with a margin, moved by the field."""
    x, y, width, height = box[0] - margin, box[1] - margin, box[2] + 2 * margin, box[3] + 2 * margin
    shift = None
    if field is not None and not field.is_zero:
        columns = level.on_grid(np.arange(x, x + width, dtype=np.float64))
        lines = level.on_grid(np.arange(y, y + height, dtype=np.float64))
        shift = field.raster(columns, lines) / np.float32(level.zoom)
    patch = image.read(level.geobox(x, y, width, height), shift)
    return patch.rgb, patch.valid
