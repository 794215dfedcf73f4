"""Matching windows of a pyramid level. Their number is bounded, so cost does not grow with the size of the raster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from inference.raster_source import RasterSource
from inference.registration.shift_field import Lattice, ShiftField
from inference.registration.window_matching import (
    EDGE_PX,
    MIN_TEXTURE,
    box_energy,
    describe_gradients,
    mean_energy,
    similarity_surface,
)

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

MAX_READ_PX = 1200
"""Longest side of one read. Neighbouring windows are read together up to it."""

MIN_VALID_SHARE = 0.4
"""Least share of a window that must be valid on both dates."""


@dataclass(frozen=True)
class Level:
    """The common grid at a coarser resolution.

    Attributes:
        grid: the common grid.
        zoom: pixels of the common grid per pixel of the level.
    """

    grid: GeoBox
    zoom: int

    @property
    def width(self) -> int:
        """Number of complete columns of the level."""
        return max(int(self.grid.width) // self.zoom, 1)

    @property
    def height(self) -> int:
        """Number of complete rows of the level."""
        return max(int(self.grid.height) // self.zoom, 1)

    def geobox(self, x: int, y: int, width: int, height: int) -> GeoBox:
        """Return the geobox of a part of the level, which may extend beyond it."""
        corner = Affine(self.zoom, 0.0, x * self.zoom, 0.0, self.zoom, y * self.zoom)
        return GeoBox((height, width), self.grid.affine @ corner, self.grid.crs)

    def to_grid(self, positions: Float64) -> Float64:
        """Convert level pixels to pixels of the common grid; pixel centres are at whole numbers in both."""
        return (positions + 0.5) * self.zoom - 0.5


@dataclass(frozen=True)
class Windows:
    """A lattice of square windows on a level.

    Attributes:
        level: the level.
        side: side of a window in pixels of the level.
        lefts, tops: first column and row of each window.
    """

    level: Level
    side: int
    lefts: NDArray[np.intp]
    tops: NDArray[np.intp]

    @property
    def lattice(self) -> Lattice:
        """Centres of the windows on the common grid."""

        def axis(starts: NDArray[np.intp]) -> tuple[float, float, int]:
            centre = self.level.to_grid(starts.astype(np.float64) + (self.side - 1) / 2.0)
            count = len(starts)
            return float(centre[0]), float((centre[-1] - centre[0]) / (count - 1)) if count > 1 else 1.0, count

        x0, dx, columns = axis(self.lefts)
        y0, dy, rows = axis(self.tops)
        return Lattice(x0, y0, dx, dy, columns, rows)


def place_windows(level: Level, side: int, step: tuple[float, float], most: int) -> Windows:
    """Distribute windows evenly over a level.

    Args:
        level: the level.
        side: side of a window in pixels; limited to the size of the level.
        step: least step along (x, y) in window sides: 0.5 lets neighbours overlap by half, 1.0 not at all.
        most: largest number of windows along each axis.
    """
    side = min(side, level.width, level.height)

    def starts(length: int, least: float) -> NDArray[np.intp]:
        range_px = length - side
        count = int(np.clip(range_px // max(round(side * least), 1) + 1, 1, most))
        if count == 1:
            return np.array([range_px // 2], np.intp)
        return np.rint(np.linspace(0, range_px, count)).astype(np.intp)

    return Windows(level, side, starts(level.width, step[0]), starts(level.height, step[1]))


def _group_starts(starts: NDArray[np.intp], side: int) -> Iterator[tuple[int, int]]:
    """Group neighbouring windows to be read together; yield half-open index ranges."""
    first = 0
    for k in range(1, len(starts) + 1):
        if k == len(starts) or starts[k] - starts[k - 1] > 1.3 * side or starts[k] + side - starts[first] > MAX_READ_PX:
            yield first, k
            first = k


@dataclass(frozen=True)
class WindowSimilarity:
    """Similarity of the windows of a lattice.

    Attributes:
        surfaces: (rows, columns, 2r+1, 2r+1), mean removed; zero where not tried.
        textured_after: (rows, columns), whether the window has texture in the later image.
        textured_before: (rows, columns), whether it has texture in the earlier image.
        tried: (rows, columns), whether enough of it is valid on both dates.
    """

    surfaces: Float32
    textured_after: NDArray[np.bool_]
    textured_before: NDArray[np.bool_]
    tried: NDArray[np.bool_]

    @property
    def textured(self) -> NDArray[np.bool_]:
        """Whether a window was tried and has texture on both dates (rows, columns)."""
        return np.asarray(self.tried & self.textured_after & self.textured_before)


def compare_windows(
    before: RasterSource,
    after: RasterSource,
    windows: Windows,
    search_px: int,
    field: ShiftField,
    skip: NDArray[np.bool_] | None = None,
) -> WindowSimilarity:
    """Compare windows of the later image with the earlier image, displaced by the field.

    Args:
        before: the earlier image.
        after: the later image.
        windows: the windows.
        search_px: search radius in pixels of the level.
        field: shift field applied to the earlier image.
        skip: (rows, columns) windows not to try.
    """
    level, side = windows.level, windows.side
    tops = windows.tops
    shape = (len(tops), len(windows.lefts))
    surfaces = np.zeros((*shape, 2 * search_px + 1, 2 * search_px + 1), np.float32)
    textured_after, textured_before, tried = (np.zeros(shape, np.bool_) for _ in range(3))
    for top0, top1 in _group_starts(tops, side):
        for left0, left1 in _group_starts(windows.lefts, side):
            x, y = int(windows.lefts[left0]), int(tops[top0])
            width, height = int(windows.lefts[left1 - 1]) + side - x, int(tops[top1 - 1]) + side - y
            rgb, valid = read_box(after, level, (x, y, width, height), EDGE_PX, None)
            if not valid.any():
                continue
            search_rgb, search_valid = read_box(before, level, (x, y, width, height), search_px + EDGE_PX, field)
            if not search_valid.any():
                continue
            template = describe_gradients(rgb, valid)
            search = describe_gradients(search_rgb, search_valid)
            energies = box_energy(search, side)
            for i in range(top0, top1):
                for j in range(left0, left1):
                    if skip is not None and skip[i, j]:
                        continue
                    u, v = int(windows.lefts[j]) - x + EDGE_PX, int(tops[i]) - y + EDGE_PX
                    window = (slice(v, v + side), slice(u, u + side))
                    target = (slice(v + search_px, v + side + search_px), slice(u + search_px, u + side + search_px))
                    if valid[window].mean() < MIN_VALID_SHARE or search_valid[target].mean() < MIN_VALID_SHARE:
                        continue
                    tried[i, j] = True
                    textured_after[i, j] = mean_energy(template[window]) > MIN_TEXTURE
                    textured_before[i, j] = mean_energy(search[target]) > MIN_TEXTURE
                    if textured_after[i, j] and textured_before[i, j]:
                        area = search[v : v + side + 2 * search_px, u : u + side + 2 * search_px]
                        area_energy = energies[v : v + 2 * search_px + 1, u : u + 2 * search_px + 1]
                        surfaces[i, j] = similarity_surface(area, template[window], area_energy)
    return WindowSimilarity(surfaces, textured_after, textured_before, tried)


def read_box(
    image: RasterSource, level: Level, box: tuple[int, int, int, int], margin: int, field: ShiftField | None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Read RGB and valid mask of a box (x, y, width, height) of the level plus a margin, displaced by the field."""
    x, y, width, height = box[0] - margin, box[1] - margin, box[2] + 2 * margin, box[3] + 2 * margin
    shift = None
    if field is not None and not field.is_zero:
        columns = level.to_grid(np.arange(x, x + width, dtype=np.float64))
        rows = level.to_grid(np.arange(y, y + height, dtype=np.float64))
        shift = field.raster(columns, rows) / np.float32(level.zoom)
    patch = image.read(level.geobox(x, y, width, height), shift)
    return patch.rgb, patch.valid
