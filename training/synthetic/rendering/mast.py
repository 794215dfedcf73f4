"""A camera on a mast over a rendered place: where it stands, and where it sees a point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synthetic.window import Points

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Mast:
    """A pinhole camera.

    Attributes:
        x, y: of its foot in metres east and south, as the world counts.
        height: of the lens in metres.
        yaw: direction of the view in radians, clockwise from north.
        pitch: below the horizon, radians.
        focal: in pixels.
        width, rows: of the frame in pixels.
    """

    x: float
    y: float
    height: float
    yaw: float
    pitch: float
    focal: float
    width: int
    rows: int

    def camera(self) -> Matrix:
        """3×4: (x east, y south, z up, 1) → (column, row, 1)·depth; the middle of the first pixel is (0.5, 0.5)."""
        ahead = np.array([np.sin(self.yaw), -np.cos(self.yaw), 0.0])
        right = np.array([np.cos(self.yaw), np.sin(self.yaw), 0.0])
        up = np.array([0.0, 0.0, 1.0])
        depth = ahead * np.cos(self.pitch) - up * np.sin(self.pitch)
        down = -ahead * np.sin(self.pitch) - up * np.cos(self.pitch)
        turn = np.stack([right, down, depth])
        lens = np.array([[self.focal, 0, self.width / 2], [0, self.focal, self.rows / 2], [0, 0, 1]])
        out: Matrix = lens @ np.column_stack([turn, -turn @ (self.x, self.y, self.height)])
        return out

    def plane(self, z: float) -> Matrix:
        """3×3: (x, y, 1) on the level ``z`` → (column, row, 1)·depth."""
        whole = self.camera()
        out: Matrix = np.column_stack([whole[:, 0], whole[:, 1], whole[:, 2] * z + whole[:, 3]])
        return out

    def seen(self, points: Points, z: float = 0.0) -> tuple[Points, NDArray[np.float64]]:
        """N×2 (x, y) on the level ``z`` → N×2 (column, row) and N depths in metres, ≤ 0 behind the camera."""
        out = np.column_stack([points, np.ones(len(points))]) @ self.plane(z).T
        depth = out[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            return out[:, :2] / depth[:, None], depth
