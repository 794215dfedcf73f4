"""Radiometric normalization: one gain and one offset per band that bring a scene to a common mean and spread.

Two dates of one place differ much more in brightness, haze and colour cast than in content. Most of that difference is
one gain and one offset per band over the whole scene; it is removed here, so that the network need not learn it.
Statistics are computed over a whole scene (in training, a whole crop), never over a block: blocks must not differ.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

TARGET_MEAN = 107.0
TARGET_STD = 44.0
"""Mean and standard deviation of each band after normalization: averages of aerial imagery, in levels 0…255."""

MAX_GAIN = 3.0
"""Upper limit of the gain, so that noise of flat scenes (water, desert) is not amplified until it looks like houses."""

LookupTable = NDArray[np.uint8]
"""256×1×3, output level by input level and band."""


def normalization_table(rgb: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None) -> LookupTable:
    """Compute the lookup table that normalizes one date.

    Args:
        rgb: H×W×3 uint8, an overview of the scene.
        valid: H×W, pixels to use; None for all.

    Returns:
        uint8 256×1×3 for :func:`apply_table`; the identity when no pixel is valid.
    """
    pixels = rgb.reshape(-1, 3) if valid is None else rgb[valid]
    levels = np.arange(256, dtype=np.float64)[:, None]
    if len(pixels) == 0:
        table = np.repeat(levels, 3, axis=1)
    else:
        mean, std = pixels.mean(axis=0, dtype=np.float64), pixels.std(axis=0, dtype=np.float64)
        gain = np.clip(TARGET_STD / np.maximum(std, 1e-6), 1 / MAX_GAIN, MAX_GAIN)
        table = (levels - mean) * gain + TARGET_MEAN
    # 0 is reserved for "no data"
    return np.asarray(np.clip(np.rint(table), 1, 255), dtype=np.uint8)[:, None, :]


def apply_table(rgb: NDArray[np.uint8], table: LookupTable) -> NDArray[np.uint8]:
    """Normalize H×W×3 uint8 by a table of :func:`normalization_table`."""
    return np.asarray(cv2.LUT(rgb, table), dtype=np.uint8)
