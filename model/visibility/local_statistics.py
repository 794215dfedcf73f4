"""Local statistics of two dates that tell cloud, haze and snow from ground.

Cloud is bright, white and smooth, and its structure has nothing in common with that of the other date. Each of these
is also true of some ground (white roofs, water, new buildings), but rarely all of them over a large area, so they are
measured at several scales.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SMALL, MIDDLE, LARGE = 3, 9, 27
"""Sides of the windows in pixels of the reduced images."""

REACH = 2 * (LARGE // 2)
"""Pixels around a pixel that its statistics depend on."""

COUNT = 28
"""Number of statistics of a pixel."""

_MIN_WEIGHT = 1e-3
_NOISE_LEVELS = 1.5
"""Standard deviation, in grey levels, below which texture is noise; keeps correlations of smooth ground near 0."""


class _Date:
    """Statistics of one date."""

    def __init__(self, rgb: NDArray[np.uint8], valid: NDArray[np.bool_]) -> None:
        self.weight = valid.astype(np.float32)
        self.bands = red, green, blue = [np.ascontiguousarray(rgb[..., band], np.float32) for band in range(3)]
        # band by band: reductions over an axis of three are ten times slower
        self.grey = (red + green + blue) / np.float32(3)
        self.low, self.high = np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)
        self._shares: dict[int, Floats] = {}
        self.means = {side: self.mean(self.grey, side) for side in (SMALL, MIDDLE, LARGE)}
        self.deviations = {
            side: np.sqrt(np.maximum(self.mean(self.grey * self.grey, side) - mean * mean, 0))
            for side, mean in self.means.items()
        }
        self.coarse_dark = self.dark_channel(LARGE)
        self.dark = self.dark_channel(MIDDLE)
        self.whiteness = self.mean(self.high - self.low, SMALL)

    def mean(self, values: Floats, side: int) -> Floats:
        """Return the mean of the valid pixels in a window of ``side`` pixels around each pixel."""
        total = cv2.blur(values * self.weight, (side, side), borderType=cv2.BORDER_REFLECT)
        return np.asarray(total / np.maximum(self._share(side), _MIN_WEIGHT), dtype=np.float32)

    def _share(self, side: int) -> Floats:
        if side not in self._shares:
            share = cv2.blur(self.weight, (side, side), borderType=cv2.BORDER_REFLECT)
            self._shares[side] = np.asarray(share, dtype=np.float32)
        return self._shares[side]

    def dark_channel(self, side: int) -> Floats:
        """Return the smallest value of any band around each pixel (dark channel, He et al. 2009): high in haze."""
        low = np.where(self.weight > 0, self.low, np.float32(255))
        return np.asarray(cv2.erode(low, np.ones((side, side), np.uint8)), dtype=np.float32)


def _correlation(date: _Date, other: _Date, side: int) -> Floats:
    both = date.weight * other.weight
    share = np.maximum(cv2.blur(both, (side, side), borderType=cv2.BORDER_REFLECT), _MIN_WEIGHT)

    def mean(values: Floats) -> Floats:
        return np.asarray(cv2.blur(values * both, (side, side), borderType=cv2.BORDER_REFLECT) / share)

    a, b = date.grey, other.grey
    mean_a, mean_b = mean(a), mean(b)
    noise = _NOISE_LEVELS**2
    covariance = mean(a * b) - mean_a * mean_b
    variances = (np.maximum(mean(a * a) - mean_a**2, 0) + noise) * (np.maximum(mean(b * b) - mean_b**2, 0) + noise)
    return np.asarray(np.clip(covariance / np.sqrt(variances), -1, 1), dtype=np.float32)


def local_statistics(
    images: tuple[NDArray[np.uint8], NDArray[np.uint8]], valid: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> tuple[Floats, Floats]:
    """Return the statistics of both dates, each with the other as the reference.

    Args:
        images: both dates, H×W×3 uint8 RGB.
        valid: H×W each, pixels with data.

    Returns:
        H×W×:data:`COUNT` float32 for each date, roughly between −2 and 2.
    """
    first, second = statistic_planes(images, valid)
    return np.ascontiguousarray(np.moveaxis(first, 0, -1)), np.ascontiguousarray(np.moveaxis(second, 0, -1))


def statistic_planes(
    images: tuple[NDArray[np.uint8], NDArray[np.uint8]], valid: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> tuple[Floats, Floats]:
    """Return :func:`local_statistics` as :data:`COUNT`×H×W, which is faster to compute and to classify."""
    dates = [_Date(rgb, mask) for rgb, mask in zip(images, valid, strict=True)]
    correlations = [_correlation(dates[0], dates[1], side) for side in (MIDDLE, LARGE)]
    return _statistics(dates[0], dates[1], correlations), _statistics(dates[1], dates[0], correlations)


def _statistics(date: _Date, other: _Date, correlations: list[Floats]) -> Floats:
    def levels(values: Floats) -> Floats:
        return np.asarray((values - 128) / 64, dtype=np.float32)

    def logarithm(deviation: Floats) -> Floats:
        return np.asarray(np.log(deviation + 0.7) / 1.5 - 1, dtype=np.float32)

    sides = (SMALL, MIDDLE, LARGE)
    columns: list[NDArray[np.floating]] = [
        *(levels(date.bands[band]) for band in range(3)),
        *(levels(date.means[side]) for side in sides),
        *(levels(other.means[side]) for side in sides),
        date.whiteness / 32 - 1,
        other.whiteness / 32 - 1,
        levels(date.dark),
        levels(date.coarse_dark),
        levels(other.dark),
        levels(other.coarse_dark),
        *(logarithm(date.deviations[side]) for side in sides),
        *(logarithm(other.deviations[side]) for side in sides),
        (date.means[MIDDLE] - other.means[MIDDLE]) / 64,
        (date.means[LARGE] - other.means[LARGE]) / 64,
        (date.bands[2] - date.bands[0]) / 32,
        (date.deviations[MIDDLE] - other.deviations[MIDDLE]) / 16,
        (date.dark - other.dark) / 64,
        *correlations,
    ]
    return np.stack(columns, dtype=np.float32)
