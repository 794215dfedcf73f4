"""The first guess: one shift, rotation and scale for the whole scene, by vote of all windows together.

No window has to be right by itself: for each rotation and scale the similarity surfaces of all windows are laid over
each other as that rotation and scale would place them, and the shift at which the sum is highest is taken.
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
class Vote:
    """Outcome of the vote, in pixels of the level.

    Attributes:
        shift: (dx, dy) at the middle.
        linear: (2, 2) matrix; ``shift + (x, y) @ linear`` is the shift at (x, y) from the middle.
        clear: height of the peak over what the same hypothesis gives elsewhere, in standard deviations of that.
        at_limit: the peak lies on the rim of the search area.
    """

    shift: Float64
    linear: Float64
    clear: float
    at_limit: bool


def allowance(half_diagonal: float, rotation_deg: float, scale_error: float) -> int:
    """Pixels by which the most distant window may move by rotation and scale alone."""
    return math.ceil(half_diagonal * (math.radians(rotation_deg) + scale_error))


def hypotheses(half_diagonal: float, rotation_deg: float, scale_error: float) -> list[Float64]:
    """Linear parts (2, 2) to try: their steps move the most distant window by at most about three pixels."""
    step = 3.0 / max(half_diagonal, 1.0)

    def spread(limit: float) -> Float64:
        count = math.ceil(limit / step)
        return np.linspace(-limit, limit, 2 * count + 1) if limit > 0 else np.zeros(1)

    out = []
    for turn in spread(math.radians(rotation_deg)):
        for grow in spread(scale_error):
            a, b = (1.0 + grow) * math.cos(turn) - 1.0, (1.0 + grow) * math.sin(turn)
            out.append(np.array([[a, b], [-b, a]]))
    # The smallest motion first: it wins where several explain the windows equally well.
    return sorted(out, key=lambda linear: float(np.abs(linear).sum()))


def vote(surfaces: Float32, where: Float64, reach: int, tries: list[Float64], blur: float) -> Vote:
    """Let windows vote.

    Args:
        surfaces: (n, 2r+1, 2r+1) similarity, mean removed.
        where: (n, 2) position (x, y) of the windows from the middle of the level.
        reach: largest shift at the middle, in pixels of the level.
        tries: linear parts, see :func:`hypotheses`.
        blur: sigma by which the surfaces are softened, in pixels.
    """
    radius = surfaces.shape[-1] // 2
    soft = np.stack([cv2.GaussianBlur(one, (0, 0), blur) for one in surfaces])
    side = 2 * reach + 1
    best: tuple[float, Float32, Float64] | None = None
    for linear in tries:
        move = np.rint(where @ linear).astype(int)
        start = np.clip(radius - reach + move, 0, 2 * (radius - reach))
        total = np.zeros((side, side), np.float32)
        for one, (x, y) in zip(soft, start, strict=True):
            total += one[y : y + side, x : x + side]
        top = float(total.max())
        if best is None or top > best[0] * 1.0001:
            best = (top, total, linear)
    if best is None:
        raise ValueError("no hypothesis to vote on")
    top, total, linear = best
    y, x = np.unravel_index(int(total.argmax()), total.shape)
    elsewhere = total.copy()
    elsewhere[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5] = -np.inf
    others = elsewhere[np.isfinite(elsewhere)]
    if not others.size:
        others = total.ravel()
    return Vote(
        shift=np.array([x - reach, y - reach], np.float64),
        linear=linear,
        clear=(top - float(others.mean())) / (float(others.std()) + 1e-9),
        at_limit=bool(x in (0, side - 1) or y in (0, side - 1)),
    )
