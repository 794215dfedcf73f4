"""Natural irregularity anchored to the ground: the same place shows the same grain in every window and resolution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from training.synthetic.window import Floats, Window

_SIZE = 512
_TEXELS_PER_WAVE = 5.0


@lru_cache(maxsize=1)
def _tile() -> Floats:
    """512 × 512 of smooth noise that repeats without a seam: zero mean, unit variance."""
    rng = np.random.default_rng(20_261_123)
    frequency = np.fft.fftfreq(_SIZE)
    low_pass = np.exp(-2 * (np.pi * 1.1) ** 2 * (frequency[:, None] ** 2 + frequency[None, :] ** 2))
    smooth = np.fft.ifft2(np.fft.fft2(rng.standard_normal((_SIZE, _SIZE))) * low_pass).real
    out: Floats = ((smooth - smooth.mean()) / smooth.std()).astype(np.float32)
    return out


@lru_cache(maxsize=1)
def _tiled() -> Floats:
    """The tile twice each way, so that a window of less than its size never meets the seam."""
    return np.tile(_tile(), (2, 2))


def waves(window: Window, length: float, key: int) -> Floats:
    """One octave: H×W, about unit variance, features of ``length`` metres. ``key`` chooses the pattern.

    A length that the resolution cannot show fades out instead of turning into flicker.
    """
    visible = min(max(length / window.gsd / 1.5 - 0.9, 0.0), 1.0)
    if visible == 0.0:
        return np.zeros((window.height, window.width), np.float32)
    step = window.gsd * _TEXELS_PER_WAVE / length  # texels of the tile per pixel
    # the golden ratio spreads the patterns of different keys over the tile
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
    """Bilinear, one axis after the other, around the seam of the tile as often as needed."""

    def places(start: float, count: int) -> tuple[np.ndarray, np.ndarray, Floats]:
        at = (start + step * np.arange(count)) % _SIZE
        low = at.astype(np.intp)
        return low % _SIZE, (low + 1) % _SIZE, (at - low).astype(np.float32)

    above, below, down = places(start_y, height)
    left, right, over = places(start_x, width)
    rows = _tile()[above]
    rows += (_tile()[below] - rows) * down[:, None]
    out: Floats = rows.take(left, axis=1)
    out += (rows.take(right, axis=1) - out) * over
    return out


def grain(window: Window, key: int, lengths: Sequence[float], weights: Sequence[float] | None = None) -> Floats:
    """A sum of octaves, H×W; ``weights`` default to equal shares, scaled to about unit variance."""
    shares = np.asarray(weights if weights is not None else [1.0] * len(lengths), np.float32)
    shares /= np.sqrt((shares**2).sum())
    total = np.zeros((window.height, window.width), np.float32)
    for length, share in zip(lengths, shares, strict=True):
        total += share * waves(window, length, key)
    return total
