"""From control points to the plane of the ground."""

from __future__ import annotations

from collections.abc import Sequence

from shapely.geometry.base import BaseGeometry

from imagery.cameras.camera import Calibration, ControlPoint


def calibrate(
    points: Sequence[ControlPoint], frame_size: tuple[int, int], area: BaseGeometry | None = None
) -> Calibration:
    """Fit the homography from the frame to the ground.

    Args:
        points: four or more, not on one line.
        frame_size: width and height of the frame that they were clicked in.
        area: longitude, latitude that the bureau answers for, if known: points outside of it are refused.

    Raises:
        ControlPointError: fewer than four, on one line, two the same, longitude and latitude exchanged, outside of
            China or the area, or no camera sees them so. Its ``point`` is the number (from 0) of the one at fault.
    """
    raise NotImplementedError
