"""Project pixels of a calibrated frame to the ground, with the error of their positions."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import Polygon

from imagery.cameras.camera import Calibration, Pixel, Preset
from imagery.cameras.homography import Floats, apply_homography, element_jacobian, pixel_jacobian
from imagery.ellipsoid import ELLIPSOID
from imagery.error_ellipse import ErrorEllipse

_SEGMENT_PX = 8.0  # the projection bends edges, so they are divided into segments of this length first
_DECIMALS = 8  # of a degree: a millimetre


def pixel_to_lonlat(calibration: Calibration, preset: Preset, pixel: Pixel) -> tuple[float, float] | None:
    """Longitude and latitude (EPSG:4490) of a pixel; None beyond the horizon or the view's range."""
    pixels = np.array([pixel], np.float64)
    if not within_range(calibration, preset.range_m, pixels)[0]:
        return None
    lon, lat = _pixels_to_degrees(calibration, pixels)[0]
    return float(lon), float(lat)


def within_range(calibration: Calibration, range_m: float, pixels: Floats) -> NDArray[np.bool_]:
    """Whether each of N×2 pixels shows ground within the range from the frame's lower edge."""
    ground, w = apply_homography(_matrix(calibration), pixels)
    offset = ground - calibration.near
    with np.errstate(invalid="ignore"):
        return np.asarray((w > 1e-9) & (np.hypot(offset[:, 0], offset[:, 1]) <= range_m))


def watched_mask(calibration: Calibration, preset: Preset) -> NDArray[np.bool_]:
    """Mask H×W of the reference frame: ground in the view's region and within its range."""
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
    """Error ellipse of a pixel's ground position, from the control points and the error of the pixel itself.

    The pixel must show ground.
    """
    (covariance,) = _covariances(calibration, np.array([pixel], np.float64))
    return _ellipse(covariance)


def worst_error(calibration: Calibration, outline: Polygon) -> ErrorEllipse:
    """Largest error ellipse of the corners of an outline in the frame (x, y)."""
    covariances = _covariances(calibration, np.asarray(outline.exterior.coords)[:-1])
    return _ellipse(covariances[np.argmax(np.linalg.eigvalsh(covariances)[:, 1])])


def project_outline(calibration: Calibration, outline: Polygon) -> Polygon:
    """Project an outline in the frame (x, y) to the ground: longitude, latitude (EPSG:4490), counter-clockwise.

    All of it must show ground; clip it by :func:`watched_mask` before.
    """
    segmented = shapely.segmentize(outline, _SEGMENT_PX)
    rings = [
        [(round(float(lon), _DECIMALS), round(float(lat), _DECIMALS)) for lon, lat in ring]
        for ring in (
            _pixels_to_degrees(calibration, np.asarray(pixel_ring.coords))
            for pixel_ring in (segmented.exterior, *segmented.interiors)
        )
    ]
    return shapely.geometry.polygon.orient(Polygon(rings[0], rings[1:]), 1.0)


def area_m2(outline: Polygon) -> float:
    """Ellipsoidal area in m² of an outline in longitude, latitude."""
    return float(abs(ELLIPSOID.geometry_area_perimeter(outline)[0]))


def pixel_areas_m2(calibration: Calibration, pixels: Floats) -> Floats:
    """N areas on the ground in m² that N×2 pixels cover."""
    return np.asarray(np.abs(np.linalg.det(pixel_jacobian(_matrix(calibration), pixels))))


def _matrix(calibration: Calibration) -> Floats:
    return np.array(calibration.homography).reshape(3, 3)


def _covariances(calibration: Calibration, pixels: Floats) -> Floats:
    """N×2×2 covariances of the ground positions of N×2 pixels, in m²."""
    matrix = _matrix(calibration)
    by_element, by_pixel = element_jacobian(matrix, pixels), pixel_jacobian(matrix, pixels)
    covariance = np.array(calibration.covariance).reshape(9, 9)
    out: Floats = by_element @ covariance @ by_element.transpose(0, 2, 1)
    out += calibration.sigma_px**2 * by_pixel @ by_pixel.transpose(0, 2, 1)
    return out


def _ellipse(covariance: Floats) -> ErrorEllipse:
    values, vectors = np.linalg.eigh(covariance)
    minor, major = np.sqrt(np.maximum(values, 0.0))
    east, north = vectors[:, 1]
    return ErrorEllipse(float(major), float(minor), float(np.degrees(np.arctan2(east, north)) % 180.0))


def _pixels_to_degrees(calibration: Calibration, pixels: Floats) -> Floats:
    ground = apply_homography(_matrix(calibration), pixels)[0] + calibration.origin
    return np.column_stack(_to_degrees(calibration.crs).transform(ground[:, 0], ground[:, 1]))


@cache
def _to_degrees(crs: str) -> Transformer:
    return Transformer.from_crs(crs, "EPSG:4490", always_xy=True)
