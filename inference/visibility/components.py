"""Connected areas of hidden cells: small ones, and bright objects that are no cloud."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]

LARGEST_OBJECT_M2 = 50_000.0
"""Area up to which a white area with straight, sharp edges is a roof, a yard, film or a greenhouse, and not a cloud."""

STRAIGHT_FROM = 0.6
"""Share of the outline of an object that consists of long straight edges. Clouds are round or ragged."""

LONG_EDGE = 0.5
"""Length of a long edge, relative to the square root of the area."""

SHARP_FROM = 0.6
"""Share of its contrast that an object changes by within five cells of its edge. Clouds fade over more."""


def drop_small(mask: Mask, least: int) -> Mask:
    """Remove the connected areas of a 0/1 mask with fewer than ``least`` cells."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    keep = stats[:, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    return np.asarray(keep[labels], dtype=np.uint8)


def without_bright_objects(mask: Mask, grey: Mask, cell_m2: float) -> Mask:
    """Remove areas of at most :data:`LARGEST_OBJECT_M2` with straight, sharp edges, unless most is certainly cloud.

    A small cloud cut by the frame may have straight edges too: where other areas hide more, all of them count.

    Args:
        mask: H×W of 0 and 1.
        grey: H×W uint8, brightness of the same date.
        cell_m2: ground area of a cell.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    objects = np.zeros(count, np.bool_)
    for number in range(1, count):
        left, top, width, height, area = stats[number]
        if area * cell_m2 > LARGEST_OBJECT_M2:
            continue
        window = np.s_[max(0, top - 9) : top + height + 9, max(0, left - 9) : left + width + 9]
        part = (labels[window] == number).astype(np.uint8)
        objects[number] = (
            _straightness(part) >= STRAIGHT_FROM and _sharpness(part, grey[window].astype(np.float32)) >= SHARP_FROM
        )
    areas = stats[1:, cv2.CC_STAT_AREA]
    if areas[objects[1:]].sum() < areas[~objects[1:]].sum():
        return mask
    return np.asarray(mask & ~objects[labels], dtype=np.uint8)


def _straightness(part: Mask) -> float:
    """Return the share of the outline in straight edges about as long as the area is wide; the frame does not count."""
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    corners = cv2.approxPolyDP(max(outlines, key=cv2.contourArea), 1.3, True)[:, 0].astype(np.float64)
    edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    end = np.array(part.shape[::-1]) - 1.0
    ends = np.stack([corners, np.roll(corners, -1, axis=0)])
    at_frame = np.all(ends <= 0, axis=0) | np.all(ends >= end, axis=0)
    on_frame = np.any(at_frame, axis=1)
    straight = (lengths >= LONG_EDGE * np.sqrt(part.sum())) & ~on_frame
    return float(lengths[straight].sum() / max(lengths[~on_frame].sum(), 1.0))


def _sharpness(part: Mask, grey: NDArray[np.float32]) -> float:
    """Return the contrast between the two sides of the edge as a share of that between inside and far outside."""

    def grow(cells: int) -> NDArray[np.bool_]:
        kernel = np.ones((2 * abs(cells) + 1,) * 2, np.uint8)
        return np.asarray((cv2.dilate(part, kernel) if cells > 0 else cv2.erode(part, kernel)) > 0)

    # measured away from the edge itself, which the area may miss by a cell or two
    core = grow(-4) if grow(-4).any() else grow(-1)
    rings = (core, grow(-1) & ~grow(-3), grow(4) & ~grow(2), grow(8) & ~grow(6))
    if not all(ring.any() for ring in rings):
        return 0.0
    inside, near_inside, near_outside, outside = (float(np.median(grey[ring])) for ring in rings)
    return (near_inside - near_outside) / (inside - outside) if inside - outside >= 8 else 0.0
