"""Overexposed and blurred areas of reduced images, measured without a network."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

WINDOW = 33
"""Side of the window, in cells, over which exposure and sharpness are judged."""

SATURATED = 254
MIN_SATURATED_SHARE = 0.6
"""Share of saturated cells around a cell from which it belongs to an overexposed area; a white roof is smaller."""

BLUR_RATIO = 0.3
"""Fine structure of a date, relative to its coarse structure and to the other date, below which it is blurred.

Measured on 14 pairs of ``val/levir``, ``unlabelled`` and ``unchanged/worldwide``: the median over a pair is 0.5 to 1.2
as they are, 0.4 to 1.0 if one date is enlarged four times (the most that a scan does), and 0.06 to 0.26 after a blur
of six grid pixels."""

MIN_STRUCTURE = 2.0
"""Standard deviation of the fine structure of the sharper date, in levels, below which blur cannot be told."""

MIN_COARSE = 1.5
"""The same of the coarse structure of the blurred date; even ground and blank areas have less."""

MIN_SHARE = 0.2
"""Smallest share of usable cells in a window."""


def overexposed(image: Image) -> Mask:
    """Return where an H×W×3 image is saturated over a large area, as in overexposure and sun glint."""
    saturated = (image.min(axis=2) >= SATURATED).astype(np.float32)
    share = cv2.blur(saturated, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
    return np.asarray((saturated > 0) & (share >= MIN_SATURATED_SHARE))


def blurred(images: tuple[Image, Image], both: Mask) -> tuple[Mask, Mask]:
    """Return where each date is blurred compared with the other.

    Args:
        images: both dates, H×W×3 uint8.
        both: H×W, pixels that show the ground on both dates; the edge of a cloud would count as coarse structure.
    """
    weight = cv2.erode(both.astype(np.float32), np.ones((15, 15), np.uint8), borderValue=1)
    share = np.maximum(cv2.blur(weight, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT), 1e-3)

    def energy(band: NDArray[np.float32]) -> NDArray[np.float32]:
        total = cv2.blur(band * band * weight, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
        return np.asarray(np.maximum(total, 0) / share, dtype=np.float32)

    fine, coarse = [], []
    for image in images:
        grey = image.mean(axis=2, dtype=np.float32)
        low = cv2.GaussianBlur(grey, (0, 0), 2.5)
        fine.append(energy(grey - cv2.GaussianBlur(grey, (0, 0), 1.0)))
        coarse.append(energy(low - cv2.GaussianBlur(grey, (0, 0), 7.0)))
    relative = [np.sqrt(f / (c + 1.0)) for f, c in zip(fine, coarse, strict=True)]
    out = []
    for i in range(2):
        unsharp = (fine[1 - i] > MIN_STRUCTURE**2) & (coarse[i] > MIN_COARSE**2)
        unsharp &= both & (share > MIN_SHARE) & (relative[i] < BLUR_RATIO * relative[1 - i])
        around = cv2.blur(unsharp.astype(np.float32), (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)
        out.append(np.asarray(both & (around > 0.5)))
    return out[0], out[1]
