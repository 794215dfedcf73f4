"""Exposure and white balance of a date brought to one standard before the network sees it.

Two dates of one place differ in brightness, haze and colour cast much more than in what stands there. Most of that is
one gain and one offset per band over the whole scene, so it is taken out here and the network need not learn it.
Statistics come from a whole scene (or, in training, a whole crop), never from a block: blocks must not differ.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

TARGET_MEAN = 107.0
TARGET_SPREAD = 44.0
"""Where each band is brought: the average of aerial imagery, in levels of 0…255."""

LARGEST_GAIN = 3.0
"""Flat scenes (water, desert) are not blown up until their noise looks like houses."""

Table = NDArray[np.uint8]


def balance_table(rgb: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None) -> Table:
    """Measure one date and return the table that balances it.

    Args:
        rgb: H×W×3 uint8, an overview of the scene.
        valid: H×W, which pixels count; None: all.

    Returns:
        256×1×3 uint8, a lookup table for :func:`apply_table`; the identity when no pixel is valid.
    """
    pixels = rgb.reshape(-1, 3) if valid is None else rgb[valid]
    levels = np.arange(256, dtype=np.float64)[:, None]
    if len(pixels) == 0:
        table = np.repeat(levels, 3, axis=1)
    else:
        mean, spread = pixels.mean(axis=0, dtype=np.float64), pixels.std(axis=0, dtype=np.float64)
        gain = np.clip(TARGET_SPREAD / np.maximum(spread, 1e-6), 1 / LARGEST_GAIN, LARGEST_GAIN)
        table = (levels - mean) * gain + TARGET_MEAN
    # 0 stays free for "no data"
    return np.asarray(np.clip(np.rint(table), 1, 255), dtype=np.uint8)[:, None, :]


def apply_table(rgb: NDArray[np.uint8], table: Table) -> NDArray[np.uint8]:
    """Balance H×W×3 uint8 by a table of :func:`balance_table`."""
    return np.asarray(cv2.LUT(rgb, table), dtype=np.uint8)
