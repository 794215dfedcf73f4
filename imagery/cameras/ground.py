"""Pixels of a calibrated frame on the ground, and how well their place is known."""

from __future__ import annotations

from imagery.cameras.camera import Calibration, Pixel, Preset
from imagery.error_ellipse import ErrorEllipse


def lonlat(calibration: Calibration, preset: Preset, pixel: Pixel) -> tuple[float, float] | None:
    """Longitude and latitude (EPSG:4490) that a pixel shows; None beyond the horizon or the believed range."""
    raise NotImplementedError


def error_at(calibration: Calibration, pixel: Pixel) -> ErrorEllipse:
    """How well the ground position of a pixel is known: from the control points and the error of the pixel itself."""
    raise NotImplementedError
