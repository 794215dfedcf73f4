"""Outlines whose place is known only so well: how far one may have to be moved to lie where it is in truth.

A camera that looks along the ground puts a change some metres off, mostly along its view. An error is an ellipse of one
standard deviation; two outlines with errors lie apart by the sum of both covariances.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from imagery.error_ellipse import ErrorEllipse

_METRES = 111_195.0  # of a degree of latitude, to half a percent


def reach(outline: BaseGeometry, error: ErrorEllipse | None, sigmas: float) -> BaseGeometry:
    """Where the outline may lie: itself without an error, else a rectangle around it (longitude, latitude)."""
    if error is None or outline.is_empty:
        return outline
    east, north = _degrees_per_metre(outline)
    far = sigmas * error.major_m
    west, south, right, top = outline.bounds
    return box(west - far * east, south - far * north, right + far * east, top + far * north)


def brought_together(
    outline: BaseGeometry,
    error: ErrorEllipse | None,
    other: BaseGeometry,
    other_error: ErrorEllipse | None,
    sigmas: float,
) -> tuple[BaseGeometry, float]:
    """Move an outline towards the middle of another one, no farther than their errors allow.

    Returns:
        the outline where it comes to lie, and how many standard deviations it was moved: 0 without errors.
    """
    spread = _covariance(error) + _covariance(other_error)
    if not spread.any() or outline.is_empty or other.is_empty:
        return outline, 0.0
    east, north = _degrees_per_metre(outline)
    here, there = outline.centroid, other.centroid
    way = np.array([(there.x - here.x) / east, (there.y - here.y) / north])
    spread += np.eye(2) * 1e-4  # a centimetre: an ellipse may be a line
    deviations = math.sqrt(float(way @ np.linalg.solve(spread, way)))
    part = min(1.0, sigmas / deviations) if deviations > 0 else 0.0
    return translate(outline, way[0] * part * east, way[1] * part * north), deviations * part


def _covariance(error: ErrorEllipse | None) -> NDArray[np.float64]:
    """2×2 in m², east and north."""
    if error is None:
        return np.zeros((2, 2))
    turn = math.radians(error.direction_deg)
    along, across = np.array([math.sin(turn), math.cos(turn)]), np.array([math.cos(turn), -math.sin(turn)])
    out: NDArray[np.float64] = error.major_m**2 * np.outer(along, along) + error.minor_m**2 * np.outer(across, across)
    return out


def _degrees_per_metre(outline: BaseGeometry) -> tuple[float, float]:
    """Of longitude and of latitude."""
    latitude = (outline.bounds[1] + outline.bounds[3]) / 2
    return 1 / (_METRES * max(math.cos(math.radians(latitude)), 0.01)), 1 / _METRES
