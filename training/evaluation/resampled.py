"""Pairs at another resolution than that of their files."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from imagery import Patch
from training.evaluation.pair_decoding import LabelledPair


def _resampled(image: Patch, size: tuple[int, int], smaller: bool) -> Patch:
    """Resample an image to (width, height)."""
    flag = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    rgb = np.asarray(cv2.resize(image.rgb, size, interpolation=flag), dtype=np.uint8)
    share = cv2.resize(
        image.valid.astype(np.float32), size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
    return Patch(rgb, np.asarray(share > 0.99))


def scaled(pair: LabelledPair, factor: float) -> LabelledPair:
    """Resample both dates to ``factor`` times as many pixels along each axis; the label keeps its size."""
    if factor == 1:
        return pair
    height, width = pair.after.valid.shape
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    before, after = (_resampled(image, size, factor < 1) for image in (pair.before, pair.after))
    return replace(pair, before=before, after=after)
