"""Pixels of a calibrated frame on the ground, and how well their place is known."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import Polygon

from imagery.cameras.camera import Calibration, Pixel, Preset
from imagery.cameras.homography import Floats, apply, by_element, by_pixel
from imagery.ellipsoid import ELLIPSOID
from imagery.error_ellipse import ErrorEllipse

_STEP_PX = 8.0  # edges are bent by the projection, so they are cut into pieces of this length first
_DECIMALS = 8  # of a degree: a millimetre


def lonlat(calibration: Calibration, preset: Preset, pixel: Pixel) -> tuple[float, float] | None:
    """Longitude and latitude (EPSG:4490) that a pixel shows; None beyond the horizon or the believed range."""
    there = np.array([pixel], np.float64)
    if not within_range(calibration, preset.range_m, there)[0]:
        return None
    lon, lat = _degrees(calibration, there)[0]
    return float(lon), float(lat)


def within_range(calibration: Calibration, range_m: float, pixels: Floats) -> NDArray[np.bool_]:
    """Which of N×2 pixels show ground no farther than the range from the lower edge of the frame."""
    ground, w = apply(_matrix(calibration), pixels)
    off = ground - calibration.near
    with np.errstate(invalid="ignore"):
        return np.asarray((w > 1e-9) & (np.hypot(off[:, 0], off[:, 1]) <= range_m))


def watched(calibration: Calibration, preset: Preset) -> NDArray[np.bool_]:
    """Mask H×W of the reference frame: what is ground, in the region and within the believed range."""
    width, height = preset.frame_size
    mask = np.ones((height, width), np.uint8)
    if preset.region:
        mask[:] = 0
        corners = np.round((np.array(preset.region) - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1, cv2.LINE_8, 4)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    near = within_range(calibration, preset.range_m, np.column_stack([x.ravel(), y.ravel()])).reshape(height, width)
    return np.asarray((mask > 0) & near)


def error_at(calibration: Calibration, pixel: Pixel) -> ErrorEllipse:
    """How well the ground position of a pixel is known: from the control points and the error of the pixel itself.

    Only for pixels that show ground.
    """
    (spread,) = _covariances(calibration, np.array([pixel], np.float64))
    return _ellipse(spread)


def worst_error(calibration: Calibration, outline: Polygon) -> ErrorEllipse:
    """The largest error on an outline in the frame (x, y)."""
    spreads = _covariances(calibration, np.asarray(outline.exterior.coords)[:-1])
    return _ellipse(spreads[np.argmax(np.linalg.eigvalsh(spreads)[:, 1])])


def projected(calibration: Calibration, outline: Polygon) -> Polygon:
    """An outline in the frame (x, y) on the ground: longitude, latitude (EPSG:4490), counter-clockwise.

    All of it must show ground: cut it with :func:`watched` before.
    """
    fine = shapely.segmentize(outline, _STEP_PX)
    rings = [
        [(round(float(lon), _DECIMALS), round(float(lat), _DECIMALS)) for lon, lat in ring]
        for ring in (_degrees(calibration, np.asarray(r.coords)) for r in (fine.exterior, *fine.interiors))
    ]
    return shapely.geometry.polygon.orient(Polygon(rings[0], rings[1:]), 1.0)


def area_m2(outline: Polygon) -> float:
    """Ellipsoidal area in m² of an outline in longitude, latitude."""
    return float(abs(ELLIPSOID.geometry_area_perimeter(outline)[0]))


def metres_per_pixel(calibration: Calibration, pixels: Floats) -> Floats:
    """N areas on the ground in m² that N×2 pixels cover."""
    return np.asarray(np.abs(np.linalg.det(by_pixel(_matrix(calibration), pixels))))


def _matrix(calibration: Calibration) -> Floats:
    return np.array(calibration.homography).reshape(3, 3)


def _covariances(calibration: Calibration, pixels: Floats) -> Floats:
    """N×2×2 in m²."""
    matrix = _matrix(calibration)
    of_plane, of_pixel = by_element(matrix, pixels), by_pixel(matrix, pixels)
    spread = np.array(calibration.covariance).reshape(9, 9)
    out: Floats = of_plane @ spread @ of_plane.transpose(0, 2, 1)
    out += calibration.sigma_px**2 * of_pixel @ of_pixel.transpose(0, 2, 1)
    return out


def _ellipse(spread: Floats) -> ErrorEllipse:
    values, vectors = np.linalg.eigh(spread)
    minor, major = np.sqrt(np.maximum(values, 0.0))
    east, north = vectors[:, 1]
    return ErrorEllipse(float(major), float(minor), float(np.degrees(np.arctan2(east, north)) % 180.0))


def _degrees(calibration: Calibration, pixels: Floats) -> Floats:
    ground = apply(_matrix(calibration), pixels)[0] + calibration.origin
    return np.column_stack(_to_degrees(calibration.crs).transform(ground[:, 0], ground[:, 1]))


@cache
def _to_degrees(crs: str) -> Transformer:
    return Transformer.from_crs(crs, "EPSG:4490", always_xy=True)
