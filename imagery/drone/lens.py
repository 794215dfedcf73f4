"""Interior orientation of a camera: pixels to viewing directions and back.

Brown's distortion model (Brown 1971), with OpenCV's coefficients in OpenCV's order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_UNDISTORT_ITERATIONS = 8  # leave less than a hundredth of a pixel for drone lenses


@dataclass(frozen=True)
class Lens:
    """Interior orientation. Directions are (x, y) at distance 1 in front of the camera: x to the right, y down.

    Attributes:
        width, height: pixels of a photo.
        focal_px: focal length in pixels.
        focal_noise: its standard deviation, as a fraction of it.
        centre_x, centre_y: principal point relative to the photo's centre, in pixels.
        distortion: k1, k2, p1, p2, k3.
        source: origin of the focal length, for people.
    """

    width: int
    height: int
    focal_px: float
    focal_noise: float
    centre_x: float = 0.0
    centre_y: float = 0.0
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    source: str = ""

    def directions(self, pixels: Float64) -> Float64:
        """N×2 pixels (column, row; corners at whole numbers) → N×2 undistorted directions."""
        distorted = (pixels - self._principal_point()) / self.focal_px
        if not any(self.distortion):
            return distorted
        undistorted = distorted.copy()
        for _ in range(_UNDISTORT_ITERATIONS):
            undistorted += distorted - self._distort(undistorted)
        return undistorted

    def pixels(self, directions: Float64) -> Float64:
        """…×2 directions → …×2 pixels. A direction far outside the photo, where the model folds, becomes NaN."""
        distorted = self._distort(directions) if any(self.distortion) else directions
        out = np.asarray(distorted * self.focal_px + self._principal_point(), np.float64)
        far = 1.15 * np.hypot(self.width, self.height) / 2 / self.focal_px
        out[np.hypot(directions[..., 0], directions[..., 1]) > far * 1.3] = np.nan
        return out

    def _principal_point(self) -> Float64:
        return np.array([self.width / 2 + self.centre_x, self.height / 2 + self.centre_y])

    def _distort(self, directions: Float64) -> Float64:
        k1, k2, p1, p2, k3 = self.distortion
        x, y = directions[..., 0], directions[..., 1]
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        return np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ],
            axis=-1,
        )
