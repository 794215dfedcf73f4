"""Evidence crops: any window of the ground on both dates, north up, the earlier date registered to the later one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon

from enforcement.units import format_length, round_length
from imagery import Patch
from inference.changes import Change
from inference.raster_source import RasterSource
from inference.registration.measure import Alignment
from inference.scan_result import ScanResult

CONTEXT_FACTOR = 1.8
"""Side of a close-up divided by the longer side of the change; shows enough surroundings to locate it."""

MIN_SIDE_PX = 144
"""Minimum side of a close-up in grid pixels: 36 m for drones, 72 m at 0.5 m, 1.4 km for 10 m satellites."""

NO_DATA_COLOUR = (226, 228, 230)
"""Colour of pixels without data."""

_NODES = 64  # samples of a shift field along each axis: about four per matching window
_MIN_STEP = 8  # grid pixels between samples; over so few, a field is linear


@dataclass(frozen=True)
class View:
    """Geometry of a picture of a window of the ground.

    Attributes:
        geobox: pixels of the picture; north up, or oriented as the later image if the scan is not georeferenced.
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
        """Return the exterior ring, then holes, in picture pixels: (n, 2) as (x, y), pixel corners at whole numbers."""
        a, b, c, d, e, f = (~self.geobox.affine)[:6]
        points = [shapely.get_coordinates(ring) for ring in (polygon.exterior, *polygon.interiors)]
        return [np.stack([a * x + b * y + c, d * x + e * y + f], axis=1) for x, y in (ring.T for ring in points)]

    def scale_bar(self, longest_px: float) -> tuple[int, str]:
        """Return the length of a scale bar in pixels, at most ``longest_px``, and its label, such as ``50 m``."""
        length = round_length(longest_px * self.metre_px)
        return max(1, round(length / self.metre_px)), format_length(length)


@dataclass(frozen=True)
class Evidence:
    """One window on both dates.

    Attributes:
        view: the window.
        before: uint8 H×W×3, the earlier image; :data:`NO_DATA_COLOUR` where it has no data.
        after: uint8 H×W×3, the later image, likewise.
        complete: whether both images have data everywhere.
    """

    view: View
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    complete: bool


def overview(result: ScanResult, longest_px: int) -> View:
    """Return a view of the whole grid of a scan with a longer side of ``longest_px``."""
    return _view(result, _bounds(result.grid), longest_px)


def close_up(result: ScanResult, change: Change, side_px: int) -> View:
    """Return a square view of one change with its surroundings, moved inwards at the edge of the grid.

    Its edges lie on edges of grid pixels unless the grid is rotated, so that an image on the grid is not resampled.
    """
    left, bottom, right, top = change.polygon.bounds
    pixel = _pixel_size(result.grid)
    side = max(CONTEXT_FACTOR * (right - left), CONTEXT_FACTOR * (top - bottom), MIN_SIDE_PX * pixel)
    side = math.ceil(round(side / pixel, 6)) * pixel
    west, south, east, north = _bounds(result.grid)
    x = _clamp_start((left + right - side) / 2, side, west, east)
    y = _clamp_start((bottom + top - side) / 2, side, south, north)
    x, y = west + round((x - west) / pixel) * pixel, south + round((y - south) / pixel) * pixel
    return _view(result, (x, y, x + side, y + side), side_px)


def crop_evidence(result: ScanResult, before: RasterSource, after: RasterSource, view: View) -> Evidence:
    """Read a window of both dates, in the geometry of the later one.

    A picture finer than both images is read at their resolution and enlarged, which is much faster.
    """
    geobox = _reading_geobox(result, view)
    earlier = before.read(geobox, shift_on_geobox(result.alignment, result.grid, geobox))
    later = after.read(geobox)
    complete = bool(earlier.valid.all() and later.valid.all())
    return Evidence(view, _picture(earlier, view), _picture(later, view), complete)


def _reading_geobox(result: ScanResult, view: View) -> GeoBox:
    """Return the geobox of a view with pixels of the finer image, or of the view if these are larger."""
    finest = min(result.before.gsd_m, result.after.gsd_m)
    if abs(finest - result.resolution_m) < 0.05 * result.resolution_m:
        finest = result.resolution_m  # whole pixels of the grid
    if finest <= view.metre_px:
        return view.geobox
    columns, rows = (max(1, round(side * view.metre_px / finest)) for side in (view.width, view.height))
    scale = Affine.scale(view.width / columns, view.height / rows)
    return GeoBox((rows, columns), view.geobox.affine * scale, view.geobox.crs)


def _picture(patch: Patch, view: View) -> NDArray[np.uint8]:
    """Return a patch enlarged to a view, with :data:`NO_DATA_COLOUR` where it is not valid."""
    picture = patch.rgb
    if not patch.valid.all():
        picture = picture.copy()
        picture[~patch.valid] = NO_DATA_COLOUR
    if picture.shape[:2] == (view.height, view.width):
        return picture
    return np.asarray(cv2.resize(picture, (view.width, view.height), interpolation=cv2.INTER_CUBIC), np.uint8)


def shift_on_geobox(alignment: Alignment, grid: GeoBox, geobox: GeoBox) -> NDArray[np.float32] | None:
    """Resample the shift field of a scan to another geobox of the same CRS: float32 H×W×2 (dx, dy) in its pixels.

    Returns None for the identity. The field is smooth; in large windows it is sampled only at some grid pixels.
    """
    rows, columns = geobox.shape
    to_grid = ~grid.affine @ geobox.affine
    a, b, c, d, e, f = to_grid[:6]
    # pixel indices: 0 is the centre of the first grid pixel; 1×W and H×1 unless the grids are rotated to each other
    x, y = (np.arange(columns) + 0.5)[None, :], (np.arange(rows) + 0.5)[:, None]
    u, v = a * x + c - 0.5, e * y + f - 0.5
    if b or d:
        u, v = u + b * y, v + d * x
    (left, step_x), (top, step_y) = (_sampling(index) for index in (u, v))
    right, bottom = math.ceil(float(u.max())) + step_x + 1, math.ceil(float(v.max())) + step_y + 1
    samples = alignment.shift_at(np.arange(left, right, step_x), np.arange(top, bottom, step_y))
    if samples is None:
        return None
    across, down = (
        np.ascontiguousarray(np.broadcast_to(index, (rows, columns)), np.float32)
        for index in ((u - left) / step_x, (v - top) / step_y)
    )
    to_pixels = np.linalg.inv(np.array([[a, b], [d, e]]))  # from grid pixels to pixels of the geobox
    nodes = (samples @ to_pixels.T).astype(np.float32)
    return np.asarray(cv2.remap(nodes, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _sampling(index: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first index and the spacing of samples that cover ``index``."""
    first, last = math.floor(float(index.min())), math.ceil(float(index.max()))
    return first, max(_MIN_STEP, math.ceil((last - first + 1) / _NODES))


def _pixel_size(grid: GeoBox) -> float:
    """Return the side of a grid pixel in units of its CRS."""
    return math.hypot(grid.affine.a, grid.affine.d)


def _bounds(grid: GeoBox) -> tuple[float, float, float, float]:
    """Return left, bottom, right and top of a grid in its CRS."""
    rows, columns = grid.shape
    corners = [grid.affine @ corner for corner in ((0, 0), (columns, 0), (0, rows), (columns, rows))]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _clamp_start(start: float, side: float, low: float, high: float) -> float:
    """Move an interval of length ``side`` so that it lies in ``low``…``high``, if it fits."""
    return start if side > high - low else min(max(start, low), high - side)


def _view(result: ScanResult, bounds: tuple[float, float, float, float], longest_px: int) -> View:
    left, bottom, right, top = bounds
    step = max(right - left, top - bottom) / longest_px
    columns, rows = (max(1, round(side / step)) for side in (right - left, top - bottom))
    upright = Affine(step, 0, left, 0, -step, top) if result.georeferenced else Affine(step, 0, left, 0, step, bottom)
    return View(
        GeoBox((rows, columns), upright, result.grid.crs), step / _pixel_size(result.grid) * result.resolution_m
    )
