"""Pinhole camera on a mast: position, orientation and projection of points into its frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synthetic.raster_window import Points

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class MastCamera:
    """Pinhole camera on a mast.

    Attributes:
        x, y: foot of the mast in metres east and south in the world.
        height: of the lens above ground, metres.
        yaw: viewing direction, radians clockwise from north.
        pitch: below the horizon, radians.
        focal: focal length in pixels.
        width, rows: size of the frame in pixels.
    """

    x: float
    y: float
    height: float
    yaw: float
    pitch: float
    focal: float
    width: int
    rows: int

    def projection_matrix(self) -> Matrix:
        """Return the 3×4 matrix (x east, y south, z up, 1) → (column, row, 1)·depth.

        The centre of the first pixel is (0.5, 0.5).
        """
        ahead = np.array([np.sin(self.yaw), -np.cos(self.yaw), 0.0])
        right = np.array([np.cos(self.yaw), np.sin(self.yaw), 0.0])
        up = np.array([0.0, 0.0, 1.0])
        depth = ahead * np.cos(self.pitch) - up * np.sin(self.pitch)
        down = -ahead * np.sin(self.pitch) - up * np.cos(self.pitch)
        rotation = np.stack([right, down, depth])
        calibration = np.array([[self.focal, 0, self.width / 2], [0, self.focal, self.rows / 2], [0, 0, 1]])
        out: Matrix = calibration @ np.column_stack([rotation, -rotation @ (self.x, self.y, self.height)])
        return out

    def ground_homography(self, z: float) -> Matrix:
        """Return the 3×3 homography (x, y, 1) at height ``z`` → (column, row, 1)·depth."""
        projection = self.projection_matrix()
        out: Matrix = np.column_stack([projection[:, 0], projection[:, 1], projection[:, 2] * z + projection[:, 3]])
        return out

    def project(self, points: Points, z: float = 0.0) -> tuple[Points, NDArray[np.float64]]:
        """Project N×2 (x, y) at height ``z``: N×2 (column, row) and N depths in metres, ≤ 0 behind the camera."""
        out = np.column_stack([points, np.ones(len(points))]) @ self.ground_homography(z).T
        depth = out[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            return out[:, :2] / depth[:, None], depth
