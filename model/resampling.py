"""Resampling between the grid and the scale of a look."""

from __future__ import annotations

import math
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from model.tiles import Window

RESAMPLING_MARGIN = 4
"""Pixels around a window that its resampling needs."""

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def resample(image: Image, scale: Fraction, valid: Mask | None = None) -> Image:
    """Enlarge (cubic) or reduce (mean of the area) an image H×W×3; sides times ``scale`` must be whole numbers.

    Args:
        image: uint8, blank where invalid.
        scale: pixels of the result per pixel.
        valid: H×W; invalid pixels do not leak into valid ones, and stay blank. None: everywhere.
    """
    if scale == 1:
        return np.ascontiguousarray(image)
    size = int(image.shape[1] * scale), int(image.shape[0] * scale)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    out = np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)
    if valid is None or valid.all():
        return out
    share = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    partly = share < 1
    if scale < 1:  # mean of the valid pixels only
        out[partly] = np.rint(np.minimum(out[partly] / np.maximum(share[partly], 0.5)[:, None], 255))
    out[share < 0.5] = 0
    return out


def part_on_grid(values: Floats, scale: Fraction, part: Window) -> Floats:
    """Bring 3×h×w of a look to the grid, and return a part of it.

    An enlargement is averaged by area, a reduction interpolated linearly; what both need around the part is included.
    """
    if scale == 1:
        return np.ascontiguousarray(values[(slice(None), *part)])
    unit = scale.denominator
    around = [
        (max(0, (axis.start - RESAMPLING_MARGIN) // unit * unit), min(round(length / scale), _up(axis.stop, unit)))
        for axis, length in zip(part, values.shape[1:], strict=True)
    ]
    rows, cols = (slice(int(first * scale), int(last * scale)) for first, last in around)
    (top, bottom), (left, right) = around
    size = right - left, bottom - top
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    out = np.empty((len(values), part[0].stop - part[0].start, part[1].stop - part[1].start), np.float32)
    for channel, plane in enumerate(values):
        full = cv2.resize(plane[rows, cols], size, interpolation=method)
        out[channel] = full[part[0].start - top : part[0].stop - top, part[1].start - left : part[1].stop - left]
    return out


def _up(position: int, unit: int) -> int:
    return math.ceil((position + RESAMPLING_MARGIN) / unit) * unit
