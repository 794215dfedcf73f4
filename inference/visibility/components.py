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

FADES_OVER = 2
"""Cells of the outline's profile over which cloud changes by less than :data:`SHARPEST` of its contrast."""

SHARPEST = 0.7

MIN_CONTRAST = 40.0
"""Levels between the inside and the outside of an outline, below which its profile says nothing."""

PROFILE = 12
"""Cells of a profile on either side of the outline."""

MAX_PROFILES = 4000
"""Profiles measured of an outline, about."""

SOFT_FROM, SOMEWHAT_SOFT_FROM = 0.7, 0.5
"""Share of an outline that fades: from the first on, an area is cloud or snow; from the second on, if one is near."""

NEAR = 64
"""Cells up to which an area is near another one."""

SOFT_STRAIGHT_TO = 0.7
"""Share of straight edges from which an area is no cloud, even if its outline fades."""

MIN_COVER_M2 = 1_500.0
"""Smallest area of cloud or snow."""

MIN_CUT_COVER_M2 = 20_000.0
"""Smallest area of cloud or snow of which most of the outline lies on the frame, so that it cannot be judged."""


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


def soft_cover(cover: Mask, grey: Mask, shown: Mask, cell_m2: float) -> Mask:
    """Keep the areas of cloud and snow whose outline fades; white halls, yards and film end at a sharp edge.

    Args:
        cover: H×W of 0 and 1, what may be cloud or snow.
        grey: H×W uint8, brightness of the same date.
        shown: H×W of 0 and 1, where the date has data.
        cell_m2: ground area of a cell.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cover, connectivity=4)
    inner = cv2.erode(shown, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    certain, possible = np.zeros((2, count), np.bool_)
    for number in range(1, count):
        left, top, width, height, area = stats[number]
        margin = PROFILE + 2
        window = np.s_[max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin]
        part = (labels[window] == number).astype(np.uint8)
        soft, inside = _softness(part, grey[window], inner[window])
        if inside < 0.5 and area * cell_m2 >= MIN_CUT_COVER_M2:
            certain[number] = True
        elif area * cell_m2 >= MIN_COVER_M2 and soft >= SOFT_FROM:
            certain[number] = _straightness(part) < SOFT_STRAIGHT_TO
        possible[number] = soft >= SOMEWHAT_SOFT_FROM
    found = certain[labels].astype(np.uint8)
    if found.any():
        near = cv2.dilate(found, np.ones((2 * NEAR + 1,) * 2, np.uint8)) > 0
        close = np.zeros(count, np.bool_)
        close[np.unique(labels[near])] = True
        found = (certain | (possible & close))[labels].astype(np.uint8)
    return np.asarray(found & cover, dtype=np.uint8)


def _softness(part: Mask, grey: Mask, inner: Mask) -> tuple[float, float]:
    """Return the share of an area's outline that fades, and the share of its outline that lies inside the frame."""
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([outline[:, 0] for outline in outlines])
    inside = inner[points[:, 1], points[:, 0]] > 0
    points = points[inside]
    points = points[:: max(2, len(points) // MAX_PROFILES)].astype(np.intp)
    if not len(points):
        return 0.0, 0.0
    smooth = cv2.GaussianBlur(part.astype(np.float32), (0, 0), 2.0)
    outwards = [-cv2.Sobel(smooth, cv2.CV_32F, *axis)[points[:, 1], points[:, 0]] for axis in ((1, 0), (0, 1))]
    length = np.hypot(*outwards) + 1e-6
    along = np.arange(-PROFILE, PROFILE + 1, dtype=np.float32)
    x, y = ((points[:, axis, None] + (outwards[axis] / length)[:, None] * along).astype(np.float32) for axis in (0, 1))
    profiles = cv2.remap(grey.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    contrast = profiles[:, : PROFILE + 1].max(axis=1) - profiles[:, PROFILE:].min(axis=1)
    steepest = (profiles[:, :-FADES_OVER] - profiles[:, FADES_OVER:]).max(axis=1)
    soft = (contrast >= MIN_CONTRAST) & (steepest < SHARPEST * contrast)
    return float(soft.mean()), float(inside.mean())


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
