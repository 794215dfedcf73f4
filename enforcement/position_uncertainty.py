"""Position uncertainty of outlines: shift an outline within its error ellipse before comparing it with another.

The position error of an oblique camera is some metres, mostly along its viewing direction. An error ellipse describes
one standard deviation; the offset between two outlines has the sum of both covariances.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from imagery.error_ellipse import ErrorEllipse

METRES_PER_DEGREE = 111_195.0
"""Metres per degree of latitude, accurate to 0.5 %."""


def uncertainty_box(outline: BaseGeometry, error: ErrorEllipse | None, sigmas: float) -> BaseGeometry:
    """Return a rectangle (longitude, latitude) that contains the true position; without error the outline itself."""
    if error is None or outline.is_empty:
        return outline
    east, north = _degrees_per_metre(outline)
    margin = sigmas * error.major_m
    left, bottom, right, top = outline.bounds
    return box(left - margin * east, bottom - margin * north, right + margin * east, top + margin * north)


def shift_towards(
    outline: BaseGeometry,
    error: ErrorEllipse | None,
    other: BaseGeometry,
    other_error: ErrorEllipse | None,
    sigmas: float,
) -> tuple[BaseGeometry, float]:
    """Shift an outline towards the centroid of another one, by at most ``sigmas`` standard deviations.

    Returns:
        the shifted outline, and the shift in standard deviations: 0 without errors.
    """
    covariance = _covariance(error) + _covariance(other_error)
    if not covariance.any() or outline.is_empty or other.is_empty:
        return outline, 0.0
    east, north = _degrees_per_metre(outline)
    start, target = outline.centroid, other.centroid
    offset = np.array([(target.x - start.x) / east, (target.y - start.y) / north])
    covariance += np.eye(2) * 1e-4  # one centimetre, for degenerate ellipses
    distance = math.sqrt(float(offset @ np.linalg.solve(covariance, offset)))  # Mahalanobis distance
    fraction = min(1.0, sigmas / distance) if distance > 0 else 0.0
    return translate(outline, offset[0] * fraction * east, offset[1] * fraction * north), distance * fraction


def ellipse_outline(outline: BaseGeometry, error: ErrorEllipse, sigmas: float) -> Polygon:
    """Return the error ellipse around the centre of an outline, in longitude and latitude, for maps."""
    east, north = _degrees_per_metre(outline)
    centre = outline.centroid
    return Polygon(ellipse_offsets(error, sigmas) * (east, north) + (centre.x, centre.y))


def ellipse_offsets(error: ErrorEllipse, sigmas: float) -> NDArray[np.float64]:
    """Return 48 corners of an error ellipse, (n, 2): metres to the east and to the north of its centre."""
    angle, steps = math.radians(error.direction_deg), np.linspace(0, 2 * math.pi, 48, endpoint=False)
    along, across = sigmas * error.major_m * np.cos(steps), sigmas * error.minor_m * np.sin(steps)
    east = along * math.sin(angle) + across * math.cos(angle)
    north = along * math.cos(angle) - across * math.sin(angle)
    return np.column_stack([east, north])


def _covariance(error: ErrorEllipse | None) -> NDArray[np.float64]:
    """Covariance matrix, 2×2, in m², axes east and north."""
    if error is None:
        return np.zeros((2, 2))
    angle = math.radians(error.direction_deg)
    major = np.array([math.sin(angle), math.cos(angle)])
    minor = np.array([math.cos(angle), -math.sin(angle)])
    matrix: NDArray[np.float64] = error.major_m**2 * np.outer(major, major) + error.minor_m**2 * np.outer(minor, minor)
    return matrix


def _degrees_per_metre(outline: BaseGeometry) -> tuple[float, float]:
    """Degrees of longitude and of latitude per metre."""
    latitude = (outline.bounds[1] + outline.bounds[3]) / 2
    return 1 / (METRES_PER_DEGREE * max(math.cos(math.radians(latitude)), 0.01)), 1 / METRES_PER_DEGREE
