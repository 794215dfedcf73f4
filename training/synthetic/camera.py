"""From light to the pixels of a file: registration, haze, exposure, colour, sharpness, noise and compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.noise import grain, waves
from training.synthetic.window import Floats, Window


@dataclass(frozen=True)
class Camera:
    """How one image was taken.

    Attributes:
        exposure: brightness; 1 shows reflectances as they are named in :mod:`training.synthetic.season`.
        balance: gain of red, green, blue.
        haze: share of the light that is air, 0…1.
        sky: share of skylight on level ground, the rest is sun.
        blur: width (sigma) of the lens in pixels.
        noise: grey levels of sensor noise.
        contrast: exponent around middle grey, 1 neutral.
        quality: of the JPEG step that the image went through, 0 for none.
        saturation: of colours, 1 as named.
        key: chooses the noise.
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


def camera_of(rng: np.random.Generator, disturbance: float, key: int) -> Camera:
    """A camera as they differ between dates; ``disturbance`` 0 gives every date the same one."""
    d = disturbance
    warmth = float(rng.normal(0, 0.035)) * d
    return Camera(
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


def shift_field(window: Window, limit_px: float, key: int) -> NDArray[np.float32]:
    """How far the earlier image lies off, H×W×2 (dx, dy) in pixels: a fraction everywhere and smooth local parts.

    No vector is longer than ``limit_px``.
    """
    rng = np.random.default_rng((key, 31))
    whole = rng.uniform(-0.5, 0.5, 2)
    field = np.empty((window.height, window.width, 2), np.float32)
    for axis in (0, 1):
        local = 0.42 * waves(window, 260.0 * window.gsd, key + 41 + axis) + 0.22 * waves(
            window, 90.0 * window.gsd, key + 43 + axis
        )
        field[..., axis] = whole[axis] + local
    length = np.hypot(field[..., 0], field[..., 1])
    field *= (np.float32(limit_px) * np.tanh(length) / np.maximum(length, 1e-6))[..., None]
    return field


def moved(image: Floats, shift: NDArray[np.float32]) -> Floats:
    """The image as a camera sees it that is off by ``shift``: pixel p shows what lies at p + shift."""
    columns = np.arange(image.shape[1], dtype=np.float32)[None, :] + shift[..., 0]
    rows = np.arange(image.shape[0], dtype=np.float32)[:, None] + shift[..., 1]
    out: Floats = cv2.remap(image, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return out


def expose(light: Floats, window: Window, camera: Camera) -> NDArray[np.uint8]:
    """Radiance (H×W×3, 1 = a white sheet in the sun) → uint8 H×W×3."""
    cv2.GaussianBlur(light, (0, 0), camera.blur, dst=light)
    veil = camera.haze * (
        1.0 + 0.25 * waves(window, 420.0, camera.key + 51) + 0.10 * waves(window, 130.0, camera.key + 52)
    )
    air = (0.33, 0.37, 0.43)
    np.clip(light, 0.0, 1.6, out=light)
    for band in range(3):
        plane = light[..., band]
        plane *= np.float32(camera.exposure * camera.balance[band])
        plane += (np.float32(air[band]) - plane) * veil
    np.sqrt(light, out=light)
    grey = light.mean(axis=2)
    for band in range(3):
        light[..., band] = grey + (light[..., band] - grey) * np.float32(camera.saturation)
    if camera.contrast != 1.0:
        light += np.float32(camera.contrast - 1.0) * (light - np.float32(0.45))
    # highlights roll off instead of clipping hard
    bright = np.maximum(light - 0.82, 0.0)
    light -= bright * bright / (bright + np.float32(0.35))
    light *= 255.0
    pixel = Window(window.x0 / window.gsd, window.y0 / window.gsd, 1.0, window.width, window.height)
    # noise of a demosaiced image: correlated over neighbours, mostly in brightness
    shared = grain(pixel, camera.key + 61, [5.5, 2.1], [0.6, 1.0])
    light += (camera.noise * shared)[..., None]
    cast = 0.5 * camera.noise * waves(pixel, 3.4, camera.key + 63)
    light[..., 0] += cast
    light[..., 2] -= cast
    np.clip(light, 0, 255, out=light)
    return light.astype(np.uint8)


def compressed(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """The image after a JPEG step, as most deliveries have gone through one."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        return image
    out = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image if out is None else out.astype(np.uint8, copy=False)
