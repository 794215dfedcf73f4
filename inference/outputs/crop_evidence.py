"""Pictures as evidence: any window of the ground on both dates, north up, the earlier date moved onto the later one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon

from enforcement.units import length_words, round_length
from imagery import Patch
from inference.changes import Change
from inference.raster_source import RasterSource
from inference.registration.measure import Alignment
from inference.scan_result import ScanResult

MARGIN = 1.8
"""Side of a close-up over the longer side of the change: enough surroundings to find the place by."""

LEAST_SIDE_PX = 144
"""Least side of a close-up in pixels of the grid: 36 m for drones, 72 m at 0.5 m, 1.4 km for 10 m satellites."""

NOTHING = (226, 228, 230)
"""Grey where an image shows nothing."""

_NODES = 64  # positions along each axis at which a shift field is taken, about: four for each window it was made from


@dataclass(frozen=True)
class View:
    """One window of the ground, as a picture.

    Attributes:
        geobox: the picture's pixels; north up, or up as in the later image where the scan is in pixels.
        metre_px: side of a pixel on the ground, metres.
    """

    geobox: GeoBox
    metre_px: float

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.geobox.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.geobox.shape[0])

    def rings(self, polygon: Polygon) -> list[NDArray[np.float64]]:
        """Outer ring, then holes, in the picture's pixels: (n, 2) as (x, y), corners of pixels at whole numbers."""
        inverse = ~self.geobox.affine
        rings = [polygon.exterior, *polygon.interiors]
        return [np.array([inverse @ (x, y) for x, y, *_ in ring.coords], np.float64) for ring in rings]

    def bar(self, longest_px: float) -> tuple[int, str]:
        """Scale bar of a round length: its pixels, at most ``longest_px``, and its label, like ``50 m``."""
        length = round_length(longest_px * self.metre_px)
        return max(1, round(length / self.metre_px)), length_words(length)


@dataclass(frozen=True)
class Evidence:
    """One window on both dates.

    Attributes:
        view: the window.
        before: uint8 H×W×3, grey where the earlier image shows nothing.
        after: the same of the later image.
        complete: whether both images show something everywhere.
    """

    view: View
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    complete: bool


def overview(result: ScanResult, longest_px: int) -> View:
    """The whole grid of a scan, its longer side ``longest_px``."""
    return _view(result, _bounds(result.grid), longest_px)


def close_up(result: ScanResult, change: Change, side_px: int) -> View:
    """A square around one change, with surroundings. At the edge of the grid it is moved inwards: more to see there."""
    left, bottom, right, top = change.polygon.bounds
    side = max(MARGIN * (right - left), MARGIN * (top - bottom), LEAST_SIDE_PX * _pixel(result.grid))
    west, south, east, north = _bounds(result.grid)
    x = _within((left + right) / 2, side, west, east)
    y = _within((bottom + top) / 2, side, south, north)
    return _view(result, (x - side / 2, y - side / 2, x + side / 2, y + side / 2), side_px)


def crop_evidence(result: ScanResult, before: RasterSource, after: RasterSource, view: View) -> Evidence:
    """Read a window from both dates, on the geometry of the later one."""
    earlier = before.read(view.geobox, shift_on(result.alignment, result.grid, view.geobox))
    later = after.read(view.geobox)
    return Evidence(view, _greyed(earlier), _greyed(later), bool(earlier.valid.all() and later.valid.all()))


def _greyed(patch: Patch) -> NDArray[np.uint8]:
    if patch.valid.all():
        return patch.rgb
    picture = patch.rgb.copy()
    picture[~patch.valid] = NOTHING
    return picture


def shift_on(alignment: Alignment, grid: GeoBox, geobox: GeoBox) -> NDArray[np.float32] | None:
    """The shift field of a scan on another geobox of the same CRS, in *its* pixels: float32 H×W×2 (dx, dy), or None.

    The field is smooth, so where the window holds many pixels of the grid it is taken at some of them only.
    """
    rows, columns = geobox.shape
    to_grid = ~grid.affine @ geobox.affine
    a, b, c, d, e, f = to_grid[:6]
    x, y = np.arange(columns) + 0.5, np.arange(rows) + 0.5
    u = (a * x + c)[None, :] + (b * y)[:, None] - 0.5  # indices: 0 is the centre of the grid's first pixel
    v = (d * x + f)[None, :] + (e * y)[:, None] - 0.5
    (left, step_x), (top, step_y) = (_sampling(index) for index in (u, v))
    right, bottom = math.ceil(float(u.max())) + step_x + 1, math.ceil(float(v.max())) + step_y + 1
    # one by one where rows are skipped: a window on 60,000 columns must not take all rows between
    blocks = [slice(top, bottom)] if step_y == 1 else [slice(row, row + 1) for row in range(top, bottom, step_y)]
    taken = []
    for block in blocks:
        lines = alignment.shift(block, slice(left, right))
        if lines is None:
            return None
        taken.append(lines[:, ::step_x])
    place = ((u - left) / step_x).astype(np.float32), ((v - top) / step_y).astype(np.float32)
    turn = np.linalg.inv(np.array([[a, b], [d, e]]))  # from the grid's pixels to those of the geobox
    nodes = (np.concatenate(taken) @ turn.T).astype(np.float32)
    return np.asarray(cv2.remap(nodes, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _sampling(index: NDArray[np.float64]) -> tuple[int, int]:
    """First whole index and spacing at which a field is taken to cover all of ``index``."""
    first, last = math.floor(float(index.min())), math.ceil(float(index.max()))
    return first, max(1, math.ceil((last - first + 1) / _NODES))


def _pixel(grid: GeoBox) -> float:
    """Side of a grid pixel in units of its CRS."""
    return math.hypot(grid.affine.a, grid.affine.d)


def _bounds(grid: GeoBox) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of a grid in its CRS."""
    rows, columns = grid.shape
    corners = [grid.affine @ at for at in ((0, 0), (columns, 0), (0, rows), (columns, rows))]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _within(middle: float, side: float, low: float, high: float) -> float:
    """Middle of a stretch of length ``side``, moved so that it lies between ``low`` and ``high`` if it is no longer."""
    if side > high - low:
        return middle
    return min(max(middle, low + side / 2), high - side / 2)


def _view(result: ScanResult, bounds: tuple[float, float, float, float], longest_px: int) -> View:
    left, bottom, right, top = bounds
    step = max(right - left, top - bottom) / longest_px
    columns, rows = (max(1, round(side / step)) for side in (right - left, top - bottom))
    upright = Affine(step, 0, left, 0, -step, top) if result.georeferenced else Affine(step, 0, left, 0, step, bottom)
    return View(GeoBox((rows, columns), upright, result.grid.crs), step / _pixel(result.grid) * result.resolution_m)
