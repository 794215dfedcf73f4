"""Image formation: radiance → pixels, with misregistration, haze, exposure, colour, blur, noise and compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.noise import fractal_noise, noise_octave
from training.synthetic.raster_window import Floats, Window


@dataclass(frozen=True)
class ImagingConditions:
    """Atmosphere and sensor of one image.

    Attributes:
        exposure: brightness; 1 reproduces the colours listed in :mod:`training.synthetic.season`.
        balance: gain of red, green, blue.
        haze: share of airlight in the radiance, 0…1.
        sky: share of skylight on level ground; the rest is direct sun.
        blur: standard deviation of the lens's Gaussian point spread in pixels.
        noise: standard deviation of the sensor noise in grey levels.
        contrast: gain around middle grey, 1 neutral.
        quality: of the JPEG compression, 1…100.
        saturation: of colours, 1 neutral.
        key: seed of the noise.
    """

    exposure: float
    balance: tuple[float, float, float]
    haze: float
    sky: float
    blur: float
    noise: float
    contrast: float
    quality: int
    saturation: float
    key: int


def random_conditions(rng: np.random.Generator, disturbance: float, key: int) -> ImagingConditions:
    """Draw the conditions of one date; ``disturbance`` 0 gives every date the same ones."""
    d = disturbance
    warmth = float(rng.normal(0, 0.035)) * d
    return ImagingConditions(
        exposure=1.1 * float(np.exp(rng.normal(0, 0.09) * d)),
        balance=(1.0 + warmth, float(1.0 + rng.normal(0, 0.015) * d), 1.0 - warmth),
        haze=float(np.clip(0.035 + abs(rng.normal(0, 0.045)) * d, 0, 0.30)),
        sky=float(np.clip(0.20 + rng.normal(0, 0.045) * d, 0.12, 0.45)),
        blur=float(np.clip(0.58 + rng.normal(0, 0.12) * d, 0.40, 1.3)),
        noise=float(np.clip(1.7 + rng.normal(0, 0.7) * d, 0.6, 5.0)),
        contrast=float(np.exp(rng.normal(0.03, 0.05) * d)),
        quality=int(np.clip(94 - abs(rng.normal(0, 5)) * d, 68, 97)),
        saturation=float(np.clip(0.80 + rng.normal(0, 0.07) * d, 0.5, 1.1)),
        key=key,
    )


def misregistration_field(window: Window, limit_px: float, key: int) -> NDArray[np.float32]:
    """Draw the misregistration of the earlier image, H×W×2 (dx, dy) in pixels: a global offset and smooth local parts.

    No vector is longer than ``limit_px``.
    """
    rng = np.random.default_rng((key, 31))
    offset = rng.uniform(-0.5, 0.5, 2)
    field = np.empty((window.height, window.width, 2), np.float32)
    for axis in (0, 1):
        local = 0.42 * noise_octave(window, 260.0 * window.gsd, key + 41 + axis) + 0.22 * noise_octave(
            window, 90.0 * window.gsd, key + 43 + axis
        )
        field[..., axis] = offset[axis] + local
    length = np.hypot(field[..., 0], field[..., 1])
    field *= (np.float32(limit_px) * np.tanh(length) / np.maximum(length, 1e-6))[..., None]
    return field


def warp(image: Floats, shift: NDArray[np.float32]) -> Floats:
    """Resample an image by a shift field (H×W×2, pixels): pixel p shows what lies at p + shift."""
    columns = np.arange(image.shape[1], dtype=np.float32)[None, :] + shift[..., 0]
    rows = np.arange(image.shape[0], dtype=np.float32)[:, None] + shift[..., 1]
    out: Floats = cv2.remap(image, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return out


def expose(light: Floats, window: Window, conditions: ImagingConditions) -> NDArray[np.uint8]:
    """Expose radiance (H×W×3, 1 = a white sheet in the sun; overwritten) to uint8 H×W×3."""
    cv2.GaussianBlur(light, (0, 0), conditions.blur, dst=light)
    veil = conditions.haze * (
        1.0
        + 0.25 * noise_octave(window, 420.0, conditions.key + 51)
        + 0.10 * noise_octave(window, 130.0, conditions.key + 52)
    )
    air = (0.33, 0.37, 0.43)
    np.clip(light, 0.0, 1.6, out=light)
    for band in range(3):
        plane = light[..., band]
        plane *= np.float32(conditions.exposure * conditions.balance[band])
        plane += (np.float32(air[band]) - plane) * veil
    np.sqrt(light, out=light)
    grey = light.mean(axis=2)
    for band in range(3):
        light[..., band] = grey + (light[..., band] - grey) * np.float32(conditions.saturation)
    if conditions.contrast != 1.0:
        light += np.float32(conditions.contrast - 1.0) * (light - np.float32(0.45))
    # soft highlight roll-off instead of hard clipping
    bright = np.maximum(light - 0.82, 0.0)
    light -= bright * bright / (bright + np.float32(0.35))
    light *= 255.0
    pixel = Window(window.x0 / window.gsd, window.y0 / window.gsd, 1.0, window.width, window.height)
    # noise of a demosaiced image: correlated over neighbours, mostly in brightness
    shared = fractal_noise(pixel, conditions.key + 61, [5.5, 2.1], [0.6, 1.0])
    light += (conditions.noise * shared)[..., None]
    cast = 0.5 * conditions.noise * noise_octave(pixel, 3.4, conditions.key + 63)
    light[..., 0] += cast
    light[..., 2] -= cast
    np.clip(light, 0, 255, out=light)
    return light.astype(np.uint8)


def jpeg_round_trip(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Encode and decode an image as JPEG; most delivered imagery has been through that."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        return image
    out = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image if out is None else out.astype(np.uint8, copy=False)
