"""Sun, sky and cast shadows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import cv2
import numpy as np

from training.synthetic.window import Floats


@dataclass(frozen=True)
class Sun:
    """The unit vector towards the sun: east, south and up."""

    east: float
    south: float
    up: float

    @property
    def tangent(self) -> float:
        """Metres of height per metre of shadow."""
        return self.up / float(np.hypot(self.east, self.south))


def sun_at(date: dt.date, hour: float, latitude: float) -> Sun:
    """Where the sun stands at a local solar time (decimal hours), to about a degree (Cooper's declination, 1969)."""
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + date.timetuple().tm_yday) / 365)
    angle, phi = np.radians(15.0 * (hour - 12.0)), np.radians(latitude)
    up = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    north = np.cos(phi) * np.sin(declination) - np.sin(phi) * np.cos(declination) * np.cos(angle)
    up = max(float(up), 0.25)  # nobody flies lower than 15° of sun
    level = np.sqrt(max(1 - up * up, 0.02)) / max(float(np.hypot(east, north)), 1e-6)
    return Sun(float(east * level), float(-north * level), up)


def cast(height: Floats, sun: Sun, gsd: float, tallest: float) -> Floats:
    """How far each pixel lies in the shadow of the heights towards the sun, H×W 0…1 (soft over about a pixel).

    The highest ray over each pixel is found by doubling: after k steps 2^k pixels of the way to the sun are covered.
    """
    step = np.array([sun.east, sun.south]) / np.hypot(sun.east, sun.south)
    fall = np.float32(sun.tangent * gsd)
    ray = height - fall  # from the next pixel on; the pixel itself casts no shadow on itself
    ray = _moved(ray, step)
    reach, steps = 1.0, int(np.ceil(np.log2(max(2.0, tallest / max(float(fall), 1e-6)))))
    for _ in range(steps):
        np.maximum(ray, _moved(ray, step * reach) - fall * np.float32(reach), out=ray)
        reach *= 2
    shade = (ray - height) / max(float(fall), 0.04)
    out: Floats = np.clip(shade, 0.0, 1.0, out=shade)
    return out


def _moved(image: Floats, step: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Floats:
    """The image as seen ``step`` pixels (x, y) further on."""
    matrix = np.array([[1.0, 0.0, step[0]], [0.0, 1.0, step[1]]])
    size = (image.shape[1], image.shape[0])
    out: Floats = cv2.warpAffine(
        image,
        matrix,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=-50.0,
    )
    return out


def occlusion(height: Floats, gsd: float) -> Floats:
    """How much of the sky walls and crowns hide, H×W 0…1: 1 in the open."""
    small = max(1, int(2.5 / gsd)) * 2 + 1
    around = cv2.blur(height, (small, small))
    out: Floats = 1.0 - 0.42 * np.clip((around - height) / 3.0, 0.0, 1.0)
    return out
