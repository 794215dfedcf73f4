"""Matching of windows between two dates by the structure of their gradients.

Between two dates the position and orientation of edges persist, not the brightness of the ground. A pixel is therefore
described by its gradient, normalized by the mean gradient around it, once unchanged and once with its angle doubled.
The latter is invariant to inversion of contrast (a field that was darker than its road and is brighter now). The method
follows orientation correlation (Fitch et al. 2002) and CFOG (Ye et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

EDGE_PX = 4
"""Width of the strip along the border of the valid area where descriptors are unreliable."""

NOISE_GRADIENT = 1.0
"""Gradient, in grey levels per pixel, below which structure counts as noise."""

NEIGHBOURHOOD_PX = 63
"""Side of the box over which gradients are normalized."""

DOUBLED_ANGLE_WEIGHT = 1.22
"""Weight of the doubled angle. Above 1, ground with inverted contrast still correlates slightly instead of cancelling
out; on real pairs the share of correct matches is highest near this value (1.5 in the product of two descriptors)."""

MIN_TEXTURE = 0.02
"""Mean descriptor energy below which a window counts as featureless."""

MIN_OWN_SCORE = 4.0
MIN_POOLED_SCORE = 3.5
"""Least scores of a trusted match, in standard deviations of its similarity surface: for a window by itself, and pooled
with its neighbours. Unrelated aerial images of one region stay below 3.5 in 95 of 100 windows (measured between
LEVIR-CD validation images)."""


def describe_gradients(rgb: NDArray[np.uint8], valid: NDArray[np.bool_]) -> Float32:
    """Return the gradient descriptors (H, W, 4) float32 of an image (H, W, 3); zero where ``valid`` (H, W) is not."""
    grey = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    gx = cv2.Scharr(grey, cv2.CV_32F, 1, 0, scale=1.0 / 32.0)
    gy = cv2.Scharr(grey, cv2.CV_32F, 0, 1, scale=1.0 / 32.0)
    if not valid.all():
        side = 2 * EDGE_PX + 1
        inside = cv2.erode(valid.astype(np.uint8), np.ones((side, side), np.uint8), borderValue=1).astype(np.float32)
        gx *= inside
        gy *= inside
    strength = np.sqrt(gx * gx + gy * gy)  # cv2.magnitude rounds by where its output lies in memory
    total = strength + cv2.blur(strength, (NEIGHBOURHOOD_PX, NEIGHBOURHOOD_PX)) + NOISE_GRADIENT
    sx, sy = gx / total, gy / total
    strength += 1e-6
    doubled = DOUBLED_ANGLE_WEIGHT / strength
    dx = (gx * sx - gy * sy) * doubled
    dy = 2.0 * gx * sy * doubled
    return np.asarray(cv2.merge([sx, sy, dx, dy]), np.float32)


def box_energy(description: Float32, side: int) -> Float32:
    """Return the summed square of descriptors (H, W, C) in each side × side box, at the box's first pixel: (H, W)."""
    squared = np.einsum("ijc,ijc->ij", description, description)
    out: Any = cv2.boxFilter(
        squared, cv2.CV_32F, (side, side), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(out, np.float32)


def similarity_surface(search: Float32, template: Float32, search_energy: Float32) -> Float32:
    """Return the similarity of a template at each offset within a search area, mean removed: (2r+1, 2r+1).

    Offset (0, 0) is the centre. The normalization damps offsets where the search area is mostly invalid.

    Args:
        search: descriptors of the search area, r pixels wider on each side than ``template``.
        template: descriptors of the window.
        search_energy: (2r+1, 2r+1), :func:`box_energy` of the search area at each offset.
    """
    raw: Any = cv2.matchTemplate(search, template, cv2.TM_CCORR)
    own = float(np.einsum("ijc,ijc->", template, template))
    out = np.asarray(raw, np.float32) / np.sqrt(own * (np.maximum(search_energy, 0.0) + 0.05 * own) + 1e-9)
    return np.asarray(out - out.mean(), np.float32)


def mean_energy(description: Float32) -> float:
    """Return the mean squared length of the signed part of descriptors, 0 (featureless) to 1."""
    return float((description[..., 0] ** 2 + description[..., 1] ** 2).mean())


@dataclass(frozen=True)
class Matches:
    """Matches of a lattice of windows. All arrays are (rows, columns[, 2]).

    Attributes:
        offset: (dx, dy) of the best match, sub-pixel, in pixels of the level.
        weight: trust: 0 for no match, 1/3 for a match only when pooled with neighbours, 1 for a match by itself.
    """

    offset: Float64
    weight: Float64


def parabola_vertex(before: Float64, middle: Float64, after: Float64) -> Float64:
    """Return the offset of the vertex of a parabola through three neighbouring values, at most half a step."""
    curvature = before + after - 2.0 * middle
    step = np.where(curvature < -1e-9, (before - after) / np.where(curvature < -1e-9, 2.0 * curvature, 1.0), 0.0)
    return np.asarray(np.clip(step, -0.5, 0.5))


def find_peaks(surfaces: Float32) -> tuple[Float64, Float64]:
    """Find the best offset in each similarity surface.

    Args:
        surfaces: (…, 2r+1, 2r+1).

    Returns:
        offsets (…, 2) as (dx, dy), and scores (…): height of the peak in standard deviations of the surface; 0 for a
        peak on the border, because the true match may lie outside.
    """
    side = surfaces.shape[-1]
    leading = surfaces.shape[:-2]
    flat = surfaces.reshape(-1, side, side).astype(np.float64)
    best = flat.reshape(len(flat), -1).argmax(axis=1)
    py, px = best // side, best % side
    inside = (py > 0) & (py < side - 1) & (px > 0) & (px < side - 1)
    cy, cx, n = np.clip(py, 1, side - 2), np.clip(px, 1, side - 2), np.arange(len(flat))
    centre = flat[n, cy, cx]
    sx = parabola_vertex(flat[n, cy, cx - 1], centre, flat[n, cy, cx + 1])
    sy = parabola_vertex(flat[n, cy - 1, cx], centre, flat[n, cy + 1, cx])
    std = flat.std(axis=(1, 2)) + 1e-9
    score = np.where(inside & (centre > 1e-4), centre / std, 0.0)
    offset = np.stack([cx + sx - side // 2, cy + sy - side // 2], axis=1)
    return offset.reshape(*leading, 2), score.reshape(leading)


def pool_neighbours(surfaces: Float32, use: NDArray[np.bool_]) -> Float32:
    """Add to each window's surface those of its neighbours in the lattice, at half and quarter weight.

    Over woods and fields a single window is often ambiguous where its neighbourhood is not.
    """
    own = np.where(use[..., None, None], surfaces, np.float32(0.0))
    out = own.copy()
    for axis in (0, 1):
        one = np.roll(own, 1, axis)
        two = np.roll(own, -1, axis)
        first: list[Any] = [slice(None)] * 4
        last: list[Any] = [slice(None)] * 4
        first[axis], last[axis] = 0, -1
        one[tuple(first)] = 0.0
        two[tuple(last)] = 0.0
        out += np.float32(0.5) * (one + two)
    return np.asarray(out)


def match_windows(surfaces: Float32, use: NDArray[np.bool_]) -> Matches:
    """Return offsets and trust of a lattice of windows from its similarity surfaces (rows, columns, 2r+1, 2r+1).

    A match that is clear by itself has weight 1, one that is clear only when pooled with its neighbours 1/3.
    """
    own, own_score = find_peaks(surfaces)
    pooled, pooled_score = find_peaks(pool_neighbours(surfaces, use))
    single = use & (own_score >= MIN_OWN_SCORE)
    together = use & ~single & (pooled_score >= MIN_POOLED_SCORE)
    weight = np.where(single, 1.0, np.where(together, 1.0 / 3.0, 0.0))
    return Matches(np.where(single[..., None], own, pooled), weight)
