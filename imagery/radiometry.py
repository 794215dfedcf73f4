"""Brightness of a scene as the network sees it: from the raw values of any sensor to 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import ImageError

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.0

_SAMPLES = 250_000  # pixels are enough for a percentile

_DARK = 80  # an 8-bit image whose bright end lies below this is taken as raw values in a small box
_FLAT = 40  # the same for the distance from dark end to bright end
_NARROWEST_BAND = 0.4  # of the widest one, so that a scene of one colour does not lose it


@dataclass(frozen=True)
class Stretch:
    """Linear map of raw values: ``lo`` becomes 0 and ``hi`` 255, for red, green and blue.

    Identity (0 to 255 in each band) leaves 8-bit images as they are.
    """

    lo: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hi: tuple[float, float, float] = (255.0, 255.0, 255.0)

    @property
    def identity(self) -> bool:
        """True when nothing is changed."""
        return self.lo == (0.0, 0.0, 0.0) and self.hi == (255.0, 255.0, 255.0)

    def apply(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Raw values H×W×3 → uint8 H×W×3, clipped."""
        if self.identity and values.dtype == np.uint8:
            return values
        low, high = np.asarray(self.lo), np.asarray(self.hi)
        gain = 255.0 / (high - low)
        # one pass of saturating arithmetic in the type of the values
        scaled = cv2.transform(values, np.column_stack([np.diag(gain), -gain * low]))
        if scaled.dtype != np.uint16:
            np.maximum(scaled, 0, out=scaled)  # the conversion below would take the absolute value
        return np.asarray(cv2.convertScaleAbs(scaled), np.uint8)


def measure_stretch(samples: NDArray[Any], name: str) -> Stretch:
    """Choose a stretch from valid pixels.

    An 8-bit image of normal exposure was made to be looked at and stays as it is. Everything else is stretched band by
    band: raw values carry the haze, strongest in blue, and two dates come out alike only when it is taken off each
    band (tried on a real pair: one range for all three bands gave blue pictures).

    Args:
        samples: raw values N×3 of valid pixels, spread over the scene.
        name: for messages.

    Raises:
        ImageError: there is no valid pixel.
    """
    if not len(samples):
        raise ImageError(
            f"{name} is all nodata: none of its pixels holds an image. Check its export and nodata value.",
            "file.nodata",
            name=name,
        )
    samples = samples[:: max(1, len(samples) // _SAMPLES)]
    low = np.percentile(samples, LOW_PERCENTILE, axis=0).astype(np.float64)
    high = np.percentile(samples, HIGH_PERCENTILE, axis=0).astype(np.float64)
    widest = float((high - low).max())
    if samples.dtype == np.uint8 and (widest == 0 or (high.max() >= _DARK and high.max() - low.min() >= _FLAT)):
        return Stretch()
    if widest == 0:
        widest = max(1.0, float(np.abs(high).max()))
    missing = np.maximum(0, _NARROWEST_BAND * widest - (high - low))
    low, high = low - missing / 2, high + missing / 2
    red, green, blue = low.tolist()
    return Stretch((red, green, blue), tuple(high.tolist()))
