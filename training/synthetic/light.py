"""Sun position, cast shadows and sky visibility."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import cv2
import numpy as np

from training.synthetic.raster_window import Floats


@dataclass(frozen=True)
class Sun:
    """Unit vector towards the sun: east, south and up."""

    east: float
    south: float
    up: float

    @property
    def tangent(self) -> float:
        """Tangent of the sun's elevation: metres of height per metre of shadow."""
        return self.up / float(np.hypot(self.east, self.south))


def sun_position(date: dt.date, hour: float, latitude: float) -> Sun:
    """Compute the sun's direction at a local solar time in decimal hours and a latitude in degrees.

    Accurate to about a degree (declination after Cooper 1969). The elevation is at least about 15°.
    """
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + date.timetuple().tm_yday) / 365)
    angle, phi = np.radians(15.0 * (hour - 12.0)), np.radians(latitude)
    up = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    north = np.cos(phi) * np.sin(declination) - np.sin(phi) * np.cos(declination) * np.cos(angle)
    up = max(float(up), 0.25)  # survey flights are not made below 15° of sun elevation
    level = np.sqrt(max(1 - up * up, 0.02)) / max(float(np.hypot(east, north)), 1e-6)
    return Sun(float(east * level), float(-north * level), up)


def cast_shadows(height: Floats, sun: Sun, gsd: float, tallest: float) -> Floats:
    """Compute the shadows that a height field casts on itself, H×W 0…1 (soft over about a pixel).

    The highest ray over each pixel is found by doubling: after k steps 2^k pixels of the way to the sun are covered.

    Args:
        height: H×W metres.
        sun: its direction.
        gsd: metres per pixel.
        tallest: largest difference of heights, metres; limits how far shadows are followed.
    """
    step = np.array([sun.east, sun.south]) / np.hypot(sun.east, sun.south)
    fall = np.float32(sun.tangent * gsd)
    ray = height - fall  # starts at the next pixel: a pixel casts no shadow on itself
    ray = _shifted(ray, step)
    reach, steps = 1.0, int(np.ceil(np.log2(max(2.0, tallest / max(float(fall), 1e-6)))))
    for _ in range(steps):
        np.maximum(ray, _shifted(ray, step * reach) - fall * np.float32(reach), out=ray)
        reach *= 2
    shade = (ray - height) / max(float(fall), 0.04)
    out: Floats = np.clip(shade, 0.0, 1.0, out=shade)
    return out


def _shifted(image: Floats, step: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Floats:
    """Sample the image ``step`` pixels (x, y) further on; −50 outside of it."""
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


def sky_visibility(height: Floats, gsd: float) -> Floats:
    """Estimate the share of the sky that walls and crowns leave visible, H×W 0…1; 1 in the open."""
    size = max(1, int(2.5 / gsd)) * 2 + 1
    around = cv2.blur(height, (size, size))
    out: Floats = 1.0 - 0.42 * np.clip((around - height) / 3.0, 0.0, 1.0)
    return out
