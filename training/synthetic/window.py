"""A window onto the world: metres east and south of the scene's corner → pixels, and drawing with soft edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""Float32 in practice; the type checker is told less, as numpy's own signatures lose the width."""
Points = NDArray[np.float64]
"""N×2 (x, y): metres east and metres SOUTH of the scene's north-west corner (y grows like image rows)."""

_SHIFT = 4  # sub-pixel bits of OpenCV's polygon drawing: 1/16 px


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: ``width`` × ``height`` of ``gsd`` metres, its corner at (``x0``, ``y0``) metres."""

    x0: float
    y0: float
    gsd: float
    width: int
    height: int

    def pixels(self, points: Points) -> Points:
        """Metres → OpenCV pixel coordinates (0, 0 is the centre of the first pixel)."""
        out: Points = (np.asarray(points, float) - (self.x0, self.y0)) / self.gsd - 0.5
        return out

    def axes(self) -> tuple[Floats, Floats]:
        """Metres of the pixel centres: x as 1×W, y as H×1."""
        x = self.x0 + (np.arange(self.width, dtype=np.float64) + 0.5) * self.gsd
        y = self.y0 + (np.arange(self.height, dtype=np.float64) + 0.5) * self.gsd
        return x.astype(np.float32)[None, :], y.astype(np.float32)[:, None]

    def bounds(self, margin: float = 0.0) -> tuple[float, float, float, float]:
        """West, north, east, south in metres, ``margin`` metres wider on each side."""
        return (
            self.x0 - margin,
            self.y0 - margin,
            self.x0 + self.width * self.gsd + margin,
            self.y0 + self.height * self.gsd + margin,
        )

    def part(self, west: float, north: float, east: float, south: float) -> tuple[slice, slice, Window] | None:
        """The pixels that touch a rectangle of metres: rows, columns and their own window; None when there are none."""
        c0 = max(0, int(np.floor((west - self.x0) / self.gsd)))
        r0 = max(0, int(np.floor((north - self.y0) / self.gsd)))
        c1 = min(self.width, int(np.ceil((east - self.x0) / self.gsd)))
        r1 = min(self.height, int(np.ceil((south - self.y0) / self.gsd)))
        if c1 <= c0 or r1 <= r0:
            return None
        inner = Window(self.x0 + c0 * self.gsd, self.y0 + r0 * self.gsd, self.gsd, c1 - c0, r1 - r0)
        return slice(r0, r1), slice(c0, c1), inner


def fixed(window: Window, points: Points) -> NDArray[np.int32]:
    """Points as OpenCV wants them with sub-pixel bits."""
    out: NDArray[np.int32] = np.round(window.pixels(points) * (1 << _SHIFT)).astype(np.int32)
    return out


def fill(mask: NDArray[np.uint8], window: Window, polygon: Points, value: int = 255) -> None:
    """Draw a filled polygon with soft edges into a uint8 H×W mask."""
    cv2.fillPoly(mask, [fixed(window, polygon)], value, cv2.LINE_AA, _SHIFT)


def fill_labels(labels: Floats, window: Window, polygons: Sequence[Points], first: int) -> None:
    """Write the numbers ``first``, ``first`` + 1 … into the pixels of each polygon (hard edges)."""
    for number, polygon in enumerate(polygons, first):
        cv2.fillPoly(labels, [fixed(window, polygon)], float(number), cv2.LINE_8, _SHIFT)


def stroke(mask: NDArray[np.uint8], window: Window, points: Points, width: float, strength: float = 1.0) -> None:
    """Draw a line of ``width`` metres; one thinner than a pixel gets fainter, as a camera sees it."""
    thickness = width / window.gsd
    value = int(255 * strength * min(1.0, thickness))
    if value < 2:
        return
    if thickness <= 1.6:
        cv2.polylines(mask, [fixed(window, points)], False, value, 1, cv2.LINE_AA, _SHIFT)
        return
    # OpenCV's own thick lines have whole-pixel widths and round caps: a ribbon polygon is exact
    ribbon = np.concatenate(
        [offset(points, width / 2 - 0.3 * window.gsd), offset(points, 0.3 * window.gsd - width / 2)[::-1]]
    )
    cv2.fillPoly(mask, [fixed(window, ribbon)], value, cv2.LINE_AA, _SHIFT)


def offset(points: Points, distance: float) -> Points:
    """A line moved sideways by ``distance`` metres (to the right of its direction, y pointing south)."""
    tangent = np.gradient(points, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    out: Points = points + distance * np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    return out


def blend(image: Floats, mask: NDArray[np.uint8] | Floats, colour: Floats | Sequence[float]) -> None:
    """Lay ``colour`` (three floats or H×W×3) over ``image`` (H×W×3, in place) where ``mask`` says (0…255 or 0…1)."""
    alpha = mask.astype(np.float32) * np.float32(1 / 255) if mask.dtype == np.uint8 else mask
    if isinstance(colour, np.ndarray) and colour.ndim == 3:
        image += (colour - image) * alpha[..., None]
        return
    for band in range(3):
        plane = image[..., band]
        plane += (np.float32(colour[band]) - plane) * alpha
