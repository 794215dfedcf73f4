"""A raster window: pixels over a rectangle of the world, in metres east and south of the scene's corner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""Float32 in practice; declared wider because numpy's own signatures lose the precision."""
Points = NDArray[np.float64]
"""N×2 (x, y): metres east and metres SOUTH of the scene's north-west corner (y grows like image rows)."""


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: ``width`` × ``height`` of ``gsd`` metres, its corner at (``x0``, ``y0``) metres."""

    x0: float
    y0: float
    gsd: float
    width: int
    height: int

    def to_pixels(self, points: Points) -> Points:
        """Convert N×2 metres to OpenCV pixel coordinates; (0, 0) is the centre of the first pixel."""
        out: Points = (np.asarray(points, float) - (self.x0, self.y0)) / self.gsd - 0.5
        return out

    def pixel_centres(self) -> tuple[Floats, Floats]:
        """Return the pixel centres in metres: x as 1×W, y as H×1, float32."""
        x = self.x0 + (np.arange(self.width, dtype=np.float64) + 0.5) * self.gsd
        y = self.y0 + (np.arange(self.height, dtype=np.float64) + 0.5) * self.gsd
        return x.astype(np.float32)[None, :], y.astype(np.float32)[:, None]

    def bounds(self, margin: float = 0.0) -> tuple[float, float, float, float]:
        """Return west, north, east, south in metres, ``margin`` metres wider on each side."""
        return (
            self.x0 - margin,
            self.y0 - margin,
            self.x0 + self.width * self.gsd + margin,
            self.y0 + self.height * self.gsd + margin,
        )

    def crop(self, west: float, north: float, east: float, south: float) -> tuple[slice, slice, Window] | None:
        """Return rows, columns and window of the pixels that touch a rectangle in metres; None if there are none."""
        c0 = max(0, int(np.floor((west - self.x0) / self.gsd)))
        r0 = max(0, int(np.floor((north - self.y0) / self.gsd)))
        c1 = min(self.width, int(np.ceil((east - self.x0) / self.gsd)))
        r1 = min(self.height, int(np.ceil((south - self.y0) / self.gsd)))
        if c1 <= c0 or r1 <= r0:
            return None
        inner = Window(self.x0 + c0 * self.gsd, self.y0 + r0 * self.gsd, self.gsd, c1 - c0, r1 - r0)
        return slice(r0, r1), slice(c0, c1), inner
