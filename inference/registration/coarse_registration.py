"""Coarse registration: one shift, rotation and scale for the whole scene, by a vote of all windows.

For each candidate rotation and scale, the similarity surfaces of all windows are displaced accordingly and summed; the
highest peak of all sums gives the transform. No single window has to be matched correctly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class CoarseTransform:
    """A similarity transform and the quality of its estimate, in pixels of the level.

    Attributes:
        shift: (dx, dy) at the centre.
        linear: (2, 2) matrix; ``shift + (x, y) @ linear`` is the shift at (x, y) from the centre.
        peak_to_sidelobe: height of the peak above the mean of the correlation elsewhere, in standard deviations.
        at_limit: whether the peak lies on the border of the search area.
    """

    shift: Float64
    linear: Float64
    peak_to_sidelobe: float
    at_limit: bool


def max_displacement(half_diagonal: float, rotation_deg: float, scale_error: float) -> int:
    """Return the displacement of the most distant window, in pixels, by rotation and scale alone."""
    return math.ceil(half_diagonal * (math.radians(rotation_deg) + scale_error))


def candidate_transforms(half_diagonal: float, rotation_deg: float, scale_error: float) -> list[Float64]:
    """Return linear parts (2, 2) to try; one step displaces the most distant window by about three pixels at most."""
    step = 3.0 / max(half_diagonal, 1.0)

    def steps(limit: float) -> Float64:
        count = math.ceil(limit / step)
        return np.linspace(-limit, limit, 2 * count + 1) if limit > 0 else np.zeros(1)

    out = []
    for angle in steps(math.radians(rotation_deg)):
        for scale_change in steps(scale_error):
            a, b = (1.0 + scale_change) * math.cos(angle) - 1.0, (1.0 + scale_change) * math.sin(angle)
            out.append(np.array([[a, b], [-b, a]]))
    # smallest motion first: it wins where several fit equally well
    return sorted(out, key=lambda linear: float(np.abs(linear).sum()))


def estimate_transform(
    surfaces: Float32, positions: Float64, search: int, candidates: list[Float64], blur_px: float
) -> CoarseTransform:
    """Estimate the transform that most windows agree on.

    Args:
        surfaces: (n, 2r+1, 2r+1) similarity, mean removed.
        positions: (n, 2) positions (x, y) of the windows from the centre of the level.
        search: largest shift at the centre, in pixels of the level.
        candidates: linear parts, see :func:`candidate_transforms`.
        blur_px: sigma of the Gaussian blur of the surfaces, in pixels.
    """
    radius = surfaces.shape[-1] // 2
    blurred = np.stack([cv2.GaussianBlur(surface, (0, 0), blur_px) for surface in surfaces])
    side = 2 * search + 1
    best: tuple[float, Float32, Float64] | None = None
    for linear in candidates:
        displacement = np.rint(positions @ linear).astype(int)
        start = np.clip(radius - search + displacement, 0, 2 * (radius - search))
        total = np.zeros((side, side), np.float32)
        for surface, (x, y) in zip(blurred, start, strict=True):
            total += surface[y : y + side, x : x + side]
        peak = float(total.max())
        if best is None or peak > best[0] * 1.0001:
            best = (peak, total, linear)
    if best is None:
        raise ValueError("no candidate transform given")
    peak, total, linear = best
    y, x = np.unravel_index(int(total.argmax()), total.shape)
    masked = total.copy()
    masked[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5] = -np.inf
    sidelobe = masked[np.isfinite(masked)]
    if not sidelobe.size:
        sidelobe = total.ravel()
    return CoarseTransform(
        shift=np.array([x - search, y - search], np.float64),
        linear=linear,
        peak_to_sidelobe=(peak - float(sidelobe.mean())) / (float(sidelobe.std()) + 1e-9),
        at_limit=bool(x in (0, side - 1) or y in (0, side - 1)),
    )
