"""Contrast stretch: map the raw values of any sensor to the 8 bits that the network expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import ImageError

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.0

_MAX_SAMPLES = 250_000  # pixels; enough for a percentile

_MIN_HIGH = 80  # an 8-bit image whose high percentile is below this holds unstretched raw values
_MIN_RANGE = 40  # the same for the distance from low to high percentile, unless the low percentile is above _MIN_HIGH
_MIN_BAND_RANGE = 0.4  # of the widest band's, so that a scene of one colour keeps it


@dataclass(frozen=True)
class Stretch:
    """Linear contrast stretch per band: ``lo`` becomes 0 and ``hi`` becomes 255, for red, green and blue.

    The default leaves 8-bit images unchanged.
    """

    lo: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hi: tuple[float, float, float] = (255.0, 255.0, 255.0)

    @property
    def identity(self) -> bool:
        """Whether 8-bit values stay unchanged."""
        return self.lo == (0.0, 0.0, 0.0) and self.hi == (255.0, 255.0, 255.0)

    def apply(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Stretch raw values H×W×3 to uint8 H×W×3, clipped."""
        if self.identity and values.dtype == np.uint8:
            return values
        low, high = np.asarray(self.lo), np.asarray(self.hi)
        gain = 255.0 / (high - low)
        # one pass of saturating arithmetic in the data type of the values
        scaled = cv2.transform(values, np.column_stack([np.diag(gain), -gain * low]))
        if scaled.dtype != np.uint16:
            np.maximum(scaled, 0, out=scaled)  # the conversion below would take the absolute value
        return np.asarray(cv2.convertScaleAbs(scaled), np.uint8)


def measure_stretch(samples: NDArray[Any], name: str) -> Stretch:
    """Compute the stretch of a scene from its valid pixels.

    An 8-bit image of normal exposure was made for display and stays unchanged, and so does one without any dark pixel:
    cloud or haze veils it, and stretched cloud looks like ground. Any other image is stretched band by
    band: haze brightens raw values, most of all in blue, so two dates only look alike if it is removed from each band
    (tested on a real pair: one range for all three bands gave blue images).

    Args:
        samples: raw values N×3 of valid pixels, spread over the scene.
        name: for messages.

    Raises:
        ImageError: there are no valid pixels.
    """
    if not len(samples):
        raise ImageError(
            f"{name} is all nodata: it has no valid pixels. Check its export and nodata value.",
            "file.nodata",
            name=name,
        )
    samples = samples[:: max(1, len(samples) // _MAX_SAMPLES)]
    low, high = np.percentile(samples, (LOW_PERCENTILE, HIGH_PERCENTILE), axis=0).astype(np.float64)
    widest = float((high - low).max())
    if samples.dtype == np.uint8 and (
        widest == 0 or low.min() >= _MIN_HIGH or (high.max() >= _MIN_HIGH and high.max() - low.min() >= _MIN_RANGE)
    ):
        return Stretch()
    if widest == 0:
        widest = max(1.0, float(np.abs(high).max()))
    missing = np.maximum(0, _MIN_BAND_RANGE * widest - (high - low))
    low, high = low - missing / 2, high + missing / 2
    red, green, blue = low.tolist()
    return Stretch((red, green, blue), tuple(high.tolist()))
