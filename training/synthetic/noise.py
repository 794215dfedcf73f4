"""Fractal noise anchored to the ground: a place shows the same noise in every window and at every resolution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from training.synthetic.raster_window import Floats, Window

_SIZE = 512
_TEXELS_PER_FEATURE = 5.0


@lru_cache(maxsize=1)
def _tile() -> Floats:
    """Return 512 × 512 of smooth, seamlessly tiling noise with zero mean and unit variance."""
    rng = np.random.default_rng(20_261_123)
    frequency = np.fft.fftfreq(_SIZE)
    low_pass = np.exp(-2 * (np.pi * 1.1) ** 2 * (frequency[:, None] ** 2 + frequency[None, :] ** 2))
    smooth = np.fft.ifft2(np.fft.fft2(rng.standard_normal((_SIZE, _SIZE))) * low_pass).real
    out: Floats = ((smooth - smooth.mean()) / smooth.std()).astype(np.float32)
    return out


@lru_cache(maxsize=1)
def _tiled() -> Floats:
    """Return the tile repeated twice along each axis, so that a window smaller than it never crosses the seam."""
    return np.tile(_tile(), (2, 2))


def noise_octave(window: Window, length: float, key: int) -> Floats:
    """Return one octave of noise: H×W, about unit variance, features of ``length`` metres.

    Octaves that are too fine for the resolution fade out instead of aliasing.

    Args:
        window: pixels to fill.
        length: size of the features in metres.
        key: selects the pattern.
    """
    visible = min(max(length / window.gsd / 1.5 - 0.9, 0.0), 1.0)
    if visible == 0.0:
        return np.zeros((window.height, window.width), np.float32)
    step = window.gsd * _TEXELS_PER_FEATURE / length  # texels of the tile per pixel
    # multiples of the golden ratio spread the patterns of different keys over the tile
    mixed = key * 0.6180339887498949 + length * 0.7548776662466927
    start_x = (window.x0 / window.gsd + 0.5) * step + _SIZE * (mixed % 1.0)
    start_y = (window.y0 / window.gsd + 0.5) * step + _SIZE * (mixed * 7.13 % 1.0)
    start_x, start_y = start_x % _SIZE, start_y % _SIZE
    out: Floats
    if step > 1.3:  # finer than the pixels: interpolation would only soften it
        columns = (start_x + step * np.arange(window.width)).astype(np.intp) % _SIZE
        rows = (start_y + step * np.arange(window.height)).astype(np.intp) % _SIZE
        out = _tile()[rows].take(columns, axis=1)
    elif step * max(window.width, window.height) < _SIZE - 2:
        to_tile = np.array([[step, 0.0, start_x], [0.0, step, start_y]])
        size = (window.width, window.height)
        out = cv2.warpAffine(_tiled(), to_tile, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    else:
        out = _interpolated(start_x, start_y, step, window.width, window.height)
    if visible < 1.0:
        out *= np.float32(visible)
    return out


def _interpolated(start_x: float, start_y: float, step: float, width: int, height: int) -> Floats:
    """Sample the tile bilinearly, one axis after the other, wrapping around its seam."""

    def positions(start: float, count: int) -> tuple[np.ndarray, np.ndarray, Floats]:
        position = (start + step * np.arange(count)) % _SIZE
        low = position.astype(np.intp)
        return low % _SIZE, (low + 1) % _SIZE, (position - low).astype(np.float32)

    above, below, down = positions(start_y, height)
    left, right, across = positions(start_x, width)
    rows = _tile()[above]
    rows += (_tile()[below] - rows) * down[:, None]
    out: Floats = rows.take(left, axis=1)
    out += (rows.take(right, axis=1) - out) * across
    return out


def fractal_noise(window: Window, key: int, lengths: Sequence[float], weights: Sequence[float] | None = None) -> Floats:
    """Sum octaves of the given feature lengths in metres: H×W, about unit variance; equal weights by default."""
    shares = np.asarray(weights if weights is not None else [1.0] * len(lengths), np.float32)
    shares /= np.sqrt((shares**2).sum())
    total = np.zeros((window.height, window.width), np.float32)
    for length, share in zip(lengths, shares, strict=True):
        total += share * noise_octave(window, length, key)
    return total
