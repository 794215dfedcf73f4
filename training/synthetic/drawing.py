"""Anti-aliased polygons and lines in metres, drawn into the pixels of a raster window."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.raster_window import Floats, Points, Window

_SUBPIXEL_BITS = 4  # of OpenCV's polygon drawing: 1/16 px


def to_fixed_point(window: Window, points: Points) -> NDArray[np.int32]:
    """Convert N×2 metres to OpenCV's fixed-point pixel coordinates."""
    out: NDArray[np.int32] = np.round(window.to_pixels(points) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    return out


def fill_polygon(mask: NDArray[np.uint8], window: Window, polygon: Points, value: int = 255) -> None:
    """Draw a filled, anti-aliased polygon into a uint8 H×W mask."""
    cv2.fillPoly(mask, [to_fixed_point(window, polygon)], value, cv2.LINE_AA, _SUBPIXEL_BITS)


def fill_labels(labels: Floats, window: Window, polygons: Sequence[Points], first: int) -> None:
    """Write the numbers ``first``, ``first`` + 1 … into the pixels of each polygon, without anti-aliasing."""
    for number, polygon in enumerate(polygons, first):
        cv2.fillPoly(labels, [to_fixed_point(window, polygon)], float(number), cv2.LINE_8, _SUBPIXEL_BITS)


def draw_line(mask: NDArray[np.uint8], window: Window, points: Points, width: float, strength: float = 1.0) -> None:
    """Draw a line of ``width`` metres into a uint8 H×W mask; one thinner than a pixel is drawn fainter."""
    thickness = width / window.gsd
    value = int(255 * strength * min(1.0, thickness))
    if value < 2:
        return
    if thickness <= 1.6:
        cv2.polylines(mask, [to_fixed_point(window, points)], False, value, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
        return
    # OpenCV's own thick lines have whole-pixel widths and round caps; a ribbon polygon is exact
    ribbon = np.concatenate(
        [offset_line(points, width / 2 - 0.3 * window.gsd), offset_line(points, 0.3 * window.gsd - width / 2)[::-1]]
    )
    cv2.fillPoly(mask, [to_fixed_point(window, ribbon)], value, cv2.LINE_AA, _SUBPIXEL_BITS)


def offset_line(points: Points, distance: float) -> Points:
    """Move a line sideways by ``distance`` metres, to the right of its direction (y points south)."""
    tangent = np.gradient(points, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    out: Points = points + distance * np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    return out


def blend(image: Floats, mask: NDArray[np.uint8] | Floats, colour: Floats | Sequence[float]) -> None:
    """Blend ``colour`` (three floats or H×W×3) into ``image`` (H×W×3, in place) by ``mask`` (0…255 or 0…1)."""
    alpha = mask.astype(np.float32) * np.float32(1 / 255) if mask.dtype == np.uint8 else mask
    if isinstance(colour, np.ndarray) and colour.ndim == 3:
        image += (colour - image) * alpha[..., None]
        return
    for band in range(3):
        plane = image[..., band]
        plane += (np.float32(colour[band]) - plane) * alpha
