"""Exact coordinates for resampling: which pixel of a scene lies under each pixel of a requested grid."""

from __future__ import annotations

import functools
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

_MAX_ERROR = 0.02  # of a requested pixel, for positions interpolated between exactly projected ones
_FAR = -1e9  # stands for "nowhere": outside of every image


@dataclass(frozen=True)
class Positions:
    """Positions in a scene's native pixels, corners at whole numbers.

    Attributes:
        origin_u, origin_v: column and row of some point in their midst, so that single precision does for the rest.
        u, v: columns and rows from there, H×W each; 1×W and H×1 where no axis is turned.
        step_x, step_y: native pixels from one requested pixel to the next, along the scene's columns and rows.
    """

    origin_u: float
    origin_v: float
    u: Floats
    v: Floats
    step_x: float
    step_y: float


def positions(wanted: GeoBox, native: GeoBox, shift: Floats | None) -> Positions:
    """Where the centres of the pixels of ``wanted``, moved by ``shift`` (dx, dy) in its pixels, lie in ``native``."""
    if wanted.crs == native.crs:
        origin_u, origin_v, u, v, jacobian = _affine(wanted, native)
    elif wanted.crs is None or native.crs is None:
        raise ValueError("a grid in pixels cannot be read from a placed scene, or the other way round")
    else:
        origin_u, origin_v, u, v, jacobian = _projected(wanted, native)
    if shift is not None:
        a, b, d, e = (np.float32(part) if isinstance(part, float) else part for part in jacobian)
        u = u + a * shift[..., 0] + b * shift[..., 1]
        v = v + d * shift[..., 0] + e * shift[..., 1]
    a, b, d, e = (float(np.median(part)) for part in jacobian)
    return Positions(origin_u, origin_v, u, v, float(np.hypot(a, b)), float(np.hypot(d, e)))


_Mapped = tuple[float, float, Floats, Floats, tuple[Any, Any, Any, Any]]
"""Origin (u, v), positions u and v from there, derivatives du/dx, du/dy, dv/dx, dv/dy: numbers or H×W."""


def _affine(wanted: GeoBox, native: GeoBox) -> _Mapped:
    rows, columns = wanted.shape
    mapping = ~native.affine @ wanted.affine
    a, b, _, d, e, _ = (float(value) for value in mapping[:6])
    origin_u, origin_v = mapping @ (columns / 2, rows / 2)
    x = (np.arange(columns) + 0.5 - columns / 2)[None, :]
    y = (np.arange(rows) + 0.5 - rows / 2)[:, None]
    straight = abs(b) * rows < 1e-6 and abs(d) * columns < 1e-6
    u = a * x if straight else a * x + b * y
    v = e * y if straight else d * x + e * y
    return origin_u, origin_v, u.astype(np.float32), v.astype(np.float32), (a, b, d, e)


def _projected(wanted: GeoBox, native: GeoBox) -> _Mapped:
    """Project a sparse grid of points, as sparse as precision allows, and interpolate between them.

    The derivatives that carry the shift are taken from the same points: over some tens of pixels a projection is as
    good as linear.
    """
    transformer = _transformer(wanted.crs.to_wkt(), native.crs.to_wkt())
    inverse = ~native.affine

    def project(x: Any, y: Any) -> tuple[Any, Any]:
        x, y = transformer.transform(*(wanted.affine @ tuple(np.meshgrid(x, y))))
        lost = ~(np.isfinite(x) & np.isfinite(y))
        x[lost] = y[lost] = 0
        u, v = inverse @ (x, y)
        u[lost] = v[lost] = _FAR
        return u, v

    rows, columns = wanted.shape
    for spacing in (64, 16, 4, 1):
        # in the middle of squares of pixels, and one square further all around
        x = (np.arange(-(-columns // spacing) + 2) - 0.5) * spacing
        y = (np.arange(-(-rows // spacing) + 2) - 0.5) * spacing
        u, v = project(x, y)
        scale = max(float(np.median(np.abs(np.diff(part, axis=1)))) for part in (u, v)) / spacing
        if spacing == 1 or all(
            np.abs(_between(part) - true).max() <= _MAX_ERROR * scale
            for part, true in zip((u, v), project(_middles(x), _middles(y)), strict=True)
        ):
            break
    place = len(y) // 2, len(x) // 2
    origin_u, origin_v = float(u[place]), float(v[place])

    def spread(part: Any) -> Floats:
        size = (len(x) * spacing, len(y) * spacing)
        full = cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(full[spacing : spacing + rows, spacing : spacing + columns])

    derivatives = [_constant(np.gradient(part, spacing, axis=axis), spread) for part in (u, v) for axis in (1, 0)]
    a, b, d, e = derivatives
    return origin_u, origin_v, spread(u - origin_u), spread(v - origin_v), (a, b, d, e)


def _constant(derivative: Any, spread: Callable[[Any], Floats]) -> Any:
    """One number where a derivative hardly varies over the grid, which is nearly always, else one for each pixel."""
    low, high = float(derivative.min()), float(derivative.max())
    return (low + high) / 2 if high - low <= 2e-4 * max(abs(low), abs(high)) + 1e-4 else spread(derivative)


def _middles(at: Any) -> Any:
    return (at[1:] + at[:-1]) / 2


def _between(part: Any) -> Any:
    """What bilinear interpolation says of the middles between four points each."""
    return (part[1:, 1:] + part[1:, :-1] + part[:-1, 1:] + part[:-1, :-1]) / 4


@functools.lru_cache(maxsize=32)
def _transformer(source: str, target: str) -> Transformer:
    # northing-first systems (EPSG:4490, 4513-4554) are taken as x, y like all others
    return Transformer.from_crs(CRS.from_wkt(source), CRS.from_wkt(target), always_xy=True)


@dataclass(frozen=True)
class Window:
    """Part of one pyramid level, in cells of ``down`` × ``across`` of its pixels, that covers some positions."""

    level: Level
    box: Box
    down: int
    across: int

    def local(self, at: Positions) -> tuple[Floats, Floats]:
        """Positions as indices into the array of cells, where 0 is the centre of the first one. Shapes as in ``at``."""
        top, _, left, _ = self.box
        per_x, per_y = self.level.scale_x * self.across, self.level.scale_y * self.down
        x = at.u * np.float32(1 / per_x) + np.float32(at.origin_u / per_x - left / self.across - 0.5)
        y = at.v * np.float32(1 / per_y) + np.float32(at.origin_v / per_y - top / self.down - 0.5)
        return x, y


def window_for(pyramid: Pyramid, at: Positions) -> tuple[Window | None, NDArray[np.bool_]]:
    """Choose level and averaging for positions, and the smallest window that holds those in the image, with a margin.

    The averaging is the whole number next to the true ratio, so what is left to the interpolation is a factor of
    0.7 to 1.45.

    Returns:
        The window, None when all positions lie outside; and which of them lie inside, H×W.
    """
    native = pyramid.levels[0]
    inside_u = (at.u >= -at.origin_u) & (at.u <= native.width - at.origin_u)
    inside_v = (at.v >= -at.origin_v) & (at.v <= native.height - at.origin_v)
    inside = inside_u & inside_v
    if not inside.any():
        return None, inside
    u, v = at.u, at.v
    if not inside.all():
        separate = u.shape != inside.shape
        u, v = (u[inside_u], v[inside_v]) if separate else (u[inside], v[inside])
    level = pyramid.level_for(at.step_x, at.step_y)
    across = max(1, int(at.step_x / level.scale_x + 0.55))
    down = max(1, int(at.step_y / level.scale_y + 0.55))
    left, right = _span(float(u.min()) + at.origin_u, float(u.max()) + at.origin_u, level.scale_x, across, level.width)
    top, bottom = _span(float(v.min()) + at.origin_v, float(v.max()) + at.origin_v, level.scale_y, down, level.height)
    return Window(level, (top, bottom, left, right), down, across), inside


def _span(lowest: float, highest: float, scale: float, cell: int, end: int) -> tuple[int, int]:
    """First and last pixel of a level, in whole cells as far as it reaches, for positions in native pixels."""
    first = max(0, int(np.floor(lowest / scale / cell)) - 3)
    last = int(np.ceil(highest / scale / cell)) + 3
    first = min(first, (end - 1) // cell)
    return first * cell, max(min(last * cell, end), min(first * cell + 1, end))


def interpolate(
    rgb: NDArray[np.uint8], valid: NDArray[np.bool_], x: Floats, y: Floats
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Bicubic values and validity at fractional indices (x, y).

    A pixel is valid when all pixels that bilinear interpolation would touch are. Invalid ones near the border of the
    image content are filled first, in place, so that the wider cubic kernel does not draw on them.
    """
    border = cv2.BORDER_REPLICATE
    same = _same_grid(rgb.shape[:2], x, y)
    if same is not None:
        return rgb[same].copy(), valid[same].copy()
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
    sure = cv2.remap(valid.astype(np.uint8) * 255, x, y, cv2.INTER_LINEAR, borderMode=border) >= 254
    return out, sure


def _same_grid(shape: tuple[int, ...], x: Floats, y: Floats) -> tuple[slice, slice] | None:
    """The part of an array that the indices (x, y) ask for, if they ask for its very pixels, one by one."""
    rows, columns = y.shape[0], x.shape[1]
    left, top = round(float(x[0, 0])), round(float(y[0, 0]))
    if left < 0 or top < 0 or left + columns > shape[1] or top + rows > shape[0]:
        return None
    near = 2e-3
    if abs(x[-1, -1] - (left + columns - 1)) > near or abs(y[-1, -1] - (top + rows - 1)) > near:
        return None
    straight_x = np.abs(x - (left + np.arange(columns, dtype=np.float32))[None, :]).max() <= near
    straight_y = np.abs(y - (top + np.arange(rows, dtype=np.float32))[:, None]).max() <= near
    if not (straight_x and straight_y):
        return None
    return slice(top, top + rows), slice(left, left + columns)
