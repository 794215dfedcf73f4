"""Resample a scene exactly: map each pixel of a requested grid to a position in the scene, then interpolate."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from imagery.pyramid import Box, Level, Pyramid

Floats = NDArray[np.float32]

_MAX_ERROR = 0.02  # requested pixels; of positions interpolated between exactly projected ones
_WEB_MERCATOR, _WEB_MERCATOR_TURN_M = 3857, 2.0 * math.pi * 6_378_137.0
_OUTSIDE = -1e9  # position of points that cannot be projected: outside of every image


@dataclass(frozen=True)
class Positions:
    """Positions in native pixels of a scene; pixel corners have integer coordinates.

    Attributes:
        origin_u, origin_v: column and row of a reference point near the centre, so that single precision is enough for
            the offsets.
        u, v: column and row offsets from it, H×W each; 1×W and H×1 if the grids are not rotated to each other.
        step_x, step_y: native pixels from one requested pixel to the next, along its columns and rows.
    """

    origin_u: float
    origin_v: float
    u: Floats
    v: Floats
    step_x: float
    step_y: float


def source_positions(requested: GeoBox, native: GeoBox, shift: Floats | None) -> Positions:
    """Map the pixel centres of a requested grid to a native grid.

    Args:
        requested: H×W pixels.
        native: of the scene.
        shift: float32 H×W×2, (dx, dy) in requested pixels, added to the centres first.

    Raises:
        ValueError: only one of the grids is georeferenced.
    """
    if requested.crs == native.crs:
        origin_u, origin_v, u, v, jacobian = _affine(requested, native)
    elif requested.crs is None or native.crs is None:
        raise ValueError("a grid in pixels cannot be read from a georeferenced scene, nor the other way round")
    else:
        origin_u, origin_v, u, v, jacobian = _projected(requested, native)
    if shift is not None:
        a, b, d, e = (np.float32(part) if isinstance(part, float) else part for part in jacobian)
        u = u + a * shift[..., 0] + b * shift[..., 1]
        v = v + d * shift[..., 0] + e * shift[..., 1]
    a, b, d, e = (part if isinstance(part, float) else float(np.median(part)) for part in jacobian)
    return Positions(origin_u, origin_v, u, v, float(np.hypot(a, b)), float(np.hypot(d, e)))


_Mapped = tuple[float, float, Floats, Floats, tuple[Any, Any, Any, Any]]
"""Origin (u, v), offsets u and v from it, and the derivatives du/dx, du/dy, dv/dx, dv/dy: numbers or H×W."""


def _affine(requested: GeoBox, native: GeoBox) -> _Mapped:
    rows, columns = requested.shape
    mapping = ~native.affine @ requested.affine
    a, b, _, d, e, _ = (float(value) for value in mapping[:6])
    origin_u, origin_v = mapping @ (columns / 2, rows / 2)
    x = (np.arange(columns) + 0.5 - columns / 2)[None, :]
    y = (np.arange(rows) + 0.5 - rows / 2)[:, None]
    aligned = abs(b) * rows < 1e-6 and abs(d) * columns < 1e-6
    u = a * x if aligned else a * x + b * y
    v = e * y if aligned else d * x + e * y
    return origin_u, origin_v, u.astype(np.float32), v.astype(np.float32), (a, b, d, e)


def turn_of(crs: CRS) -> float | None:
    """Return the distance along x, in units of a CRS, after which it shows the same ground again; None: never."""
    if crs.is_geographic:
        return 2.0 * math.pi / float(crs.axis_info[0].unit_conversion_factor)
    return _WEB_MERCATOR_TURN_M if crs.to_epsg() == _WEB_MERCATOR else None


def _projected(requested: GeoBox, native: GeoBox) -> _Mapped:
    """Project a grid of points, as sparse as precision allows, and interpolate between them.

    The derivatives that scale the shift are computed from the same points: over some tens of pixels a projection is
    almost linear.
    """
    to_native = transformer(requested.crs.to_wkt(), native.crs.to_wkt())
    inverse = ~native.affine
    period = turn_of(CRS.from_wkt(native.crs.to_wkt()))
    middle = (native.affine @ (native.shape[1] / 2, native.shape[0] / 2))[0]

    def project(x: Any, y: Any) -> tuple[Any, Any]:
        x, y = to_native.transform(*(requested.affine @ tuple(np.meshgrid(x, y))))
        undefined = ~(np.isfinite(x) & np.isfinite(y))
        x[undefined] = y[undefined] = 0
        if period is not None:  # an image across 180° continues its longitudes beyond it
            x = x - period * np.rint((x - middle) / period)
        u, v = inverse @ (x, y)
        u[undefined] = v[undefined] = _OUTSIDE
        return u, v

    rows, columns = requested.shape
    for spacing in (64, 16, 4, 1):
        # at the centres of square cells, with one cell of margin on each side
        x = (np.arange(-(-columns // spacing) + 2) - 0.5) * spacing
        y = (np.arange(-(-rows // spacing) + 2) - 0.5) * spacing
        u, v = project(x, y)
        scale = max(float(np.median(np.abs(np.diff(part, axis=1)))) for part in (u, v)) / spacing
        if spacing == 1 or all(
            np.abs(_interpolated_midpoints(part) - exact).max() <= _MAX_ERROR * scale
            for part, exact in zip((u, v), project(_midpoints(x), _midpoints(y)), strict=True)
        ):
            break
    centre = len(y) // 2, len(x) // 2
    origin_u, origin_v = float(u[centre]), float(v[centre])

    def upsample(part: Any) -> Floats:
        size = (len(x) * spacing, len(y) * spacing)
        full = cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(full[spacing : spacing + rows, spacing : spacing + columns])

    derivatives = [_derivative(np.gradient(part, spacing, axis=axis), upsample) for part in (u, v) for axis in (1, 0)]
    a, b, d, e = derivatives
    return origin_u, origin_v, upsample(u - origin_u), upsample(v - origin_v), (a, b, d, e)


def _derivative(derivative: Any, upsample: Callable[[Any], Floats]) -> Any:
    """Return one number if a derivative is almost constant over the grid, as it usually is; else one per pixel."""
    low, high = float(derivative.min()), float(derivative.max())
    return (low + high) / 2 if high - low <= 2e-4 * max(abs(low), abs(high)) + 1e-4 else upsample(derivative)


def _midpoints(coordinates: Any) -> Any:
    return (coordinates[1:] + coordinates[:-1]) / 2


def _interpolated_midpoints(part: Any) -> Any:
    """Interpolate bilinearly at the centres of the cells of a grid."""
    return (part[1:, 1:] + part[1:, :-1] + part[:-1, 1:] + part[:-1, :-1]) / 4


@functools.lru_cache(maxsize=64)
def transformer(source: str | CRS, target: str | CRS) -> Transformer:
    """Return the transformer between two systems, as text an EPSG code like "EPSG:4490" or WKT; any thread may use it.

    Each is created once: that searches PROJ's database, up to 90 ms. Systems defined with northing first (EPSG:4490,
    4513-4554) use x, y here like all others.
    """
    return Transformer.from_crs(CRS.from_user_input(source), CRS.from_user_input(target), always_xy=True)


@dataclass(frozen=True)
class Window:
    """Window of a pyramid level, to be averaged over cells of ``down`` × ``across`` of its pixels."""

    level: Level
    box: Box
    down: int
    across: int

    def local_indices(self, positions: Positions) -> tuple[Floats, Floats]:
        """Return positions as fractional indices (x, y) of cells, 0 at the centre of the first; shapes as given."""
        top, _, left, _ = self.box
        per_x, per_y = self.level.scale_x * self.across, self.level.scale_y * self.down
        x = positions.u * np.float32(1 / per_x) + np.float32(positions.origin_u / per_x - left / self.across - 0.5)
        y = positions.v * np.float32(1 / per_y) + np.float32(positions.origin_v / per_y - top / self.down - 0.5)
        return x, y


def window_for(pyramid: Pyramid, positions: Positions) -> tuple[Window | None, NDArray[np.bool_]]:
    """Choose the level, the cell size and the smallest window, with a margin, for positions inside the image.

    The cell size is the integer nearest to the exact ratio, so the interpolation scales by a factor of 0.7 to 1.45.

    Returns:
        The window, or None if all positions are outside; and which positions are inside, bool H×W.
    """
    native = pyramid.levels[0]
    inside_u = (positions.u >= -positions.origin_u) & (positions.u <= native.width - positions.origin_u)
    inside_v = (positions.v >= -positions.origin_v) & (positions.v <= native.height - positions.origin_v)
    inside = inside_u & inside_v
    if not inside.any():
        return None, inside
    u, v = positions.u, positions.v
    if not inside.all():
        separate = u.shape != inside.shape
        u, v = (u[inside_u], v[inside_v]) if separate else (u[inside], v[inside])
    level = pyramid.level_for(positions.step_x, positions.step_y)
    across = max(1, int(positions.step_x / level.scale_x + 0.55))
    down = max(1, int(positions.step_y / level.scale_y + 0.55))
    left, right = _span(
        float(u.min()) + positions.origin_u, float(u.max()) + positions.origin_u, level.scale_x, across, level.width
    )
    top, bottom = _span(
        float(v.min()) + positions.origin_v, float(v.max()) + positions.origin_v, level.scale_y, down, level.height
    )
    return Window(level, (top, bottom, left, right), down, across), inside


def _span(lowest: float, highest: float, scale: float, cell: int, end: int) -> tuple[int, int]:
    """Return first and last pixel of a level, in complete cells, that cover a range of native pixels plus a margin."""
    first = max(0, int(np.floor(lowest / scale / cell)) - 3)
    last = int(np.ceil(highest / scale / cell)) + 3
    first = min(first, (end - 1) // cell)
    return first * cell, max(min(last * cell, end), min(first * cell + 1, end))


def interpolate(
    rgb: NDArray[np.uint8], valid: NDArray[np.bool_], x: Floats, y: Floats
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Interpolate bicubically at fractional indices (x, y).

    An output pixel is valid if all pixels that bilinear interpolation would use are valid. Invalid pixels next to valid
    ones are filled first, in place, because the cubic kernel is wider.

    Returns:
        uint8 H×W×3 and validity bool H×W.
    """
    border = cv2.BORDER_REPLICATE
    aligned = _aligned_part(rgb.shape[:2], x, y)
    if aligned is not None:
        return rgb[aligned].copy(), valid[aligned].copy()
    x, y = (np.ascontiguousarray(part) for part in np.broadcast_arrays(x, y))
    if valid.all():
        return cv2.remap(rgb, x, y, cv2.INTER_CUBIC, borderMode=border), np.ones(x.shape, np.bool_)
    holes = ~valid
    rgb[holes] = 0
    share = cv2.boxFilter(valid.astype(np.float32), -1, (5, 5), borderType=border)
    sums = cv2.boxFilter(rgb, cv2.CV_32F, (5, 5), borderType=border)
    rim = holes & (share > 0.01)
    rgb[rim] = np.minimum(sums[rim] / share[rim][:, None] + 0.5, 255).astype(np.uint8)
    out = cv2.remap(rgb, x, y, cv2.INTER_CUBIC, borderMode=border)
    out_valid = cv2.remap(valid.astype(np.uint8) * 255, x, y, cv2.INTER_LINEAR, borderMode=border) >= 254
    return out, out_valid


def _aligned_part(shape: tuple[int, ...], x: Floats, y: Floats) -> tuple[slice, slice] | None:
    """Return the part of an array that indices (x, y) select if they match its pixels one to one, else None."""
    rows, columns = y.shape[0], x.shape[1]
    left, top = round(float(x[0, 0])), round(float(y[0, 0]))
    if left < 0 or top < 0 or left + columns > shape[1] or top + rows > shape[0]:
        return None
    tolerance = 2e-3
    if abs(x[-1, -1] - (left + columns - 1)) > tolerance or abs(y[-1, -1] - (top + rows - 1)) > tolerance:
        return None
    aligned_x = np.abs(x - (left + np.arange(columns, dtype=np.float32))[None, :]).max() <= tolerance
    aligned_y = np.abs(y - (top + np.arange(rows, dtype=np.float32))[:, None]).max() <= tolerance
    if not (aligned_x and aligned_y):
        return None
    return slice(top, top + rows), slice(left, left + columns)
