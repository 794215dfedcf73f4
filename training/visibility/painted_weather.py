"""Cloud, haze and snow painted on reduced images, with the class of each pixel.

Reduced images are a quarter of the resolution of a scan. Thickness is filtered noise with a power spectrum of random
slope (Voss 1985, fractal forgeries), so that clouds reach from one veil over everything to scattered flocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLEAR, CLOUD, SNOW = 0, 1, 2
UNSURE = 255
"""Class of half transparent pixels; they are not trained on."""

Floats = NDArray[np.float32]
Classes = NDArray[np.uint8]

HIDDEN_FROM, VISIBLE_TO = 0.6, 0.3
"""Opacity from which the ground counts as hidden, and up to which it counts as visible."""


def _fractal(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Draw fractal noise, H×W, mean 0 and standard deviation 1."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    stretch = rng.uniform(0.6, 1.7)  # clouds are drawn out by wind
    frequency = np.sqrt((fy * stretch) ** 2 + (fx / stretch) ** 2 + (rng.uniform(0.3, 3) / max(shape)) ** 2)
    spectrum = frequency ** -rng.uniform(1.1, 2.4)
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * spectrum, shape)
    return np.asarray((noise - noise.mean()) / (noise.std() + 1e-9), dtype=np.float32)


def _classes(opacity: Floats, hidden: int) -> Classes:
    out = np.full(opacity.shape, UNSURE, np.uint8)
    out[opacity <= VISIBLE_TO] = CLEAR
    out[opacity >= HIDDEN_FROM] = hidden
    return out


def paint_clouds(image: Floats, rng: np.random.Generator) -> tuple[Floats, Classes]:
    """Paint clouds with their shadows, or a veil, on H×W×3; return the image and its classes."""
    shape = image.shape[0], image.shape[1]
    thickness = _fractal(shape, rng)
    start = np.quantile(thickness, 1 - rng.uniform(0.05, 1.0)) - (0.5 if rng.random() < 0.2 else 0)
    soft = np.exp(rng.uniform(np.log(0.1), np.log(1.5)))
    density = rng.uniform(0.88, 1.0) if rng.random() < 0.65 else rng.uniform(0.2, 0.9)
    t = np.clip((thickness - start) / soft, 0, 1)
    opacity = (t * t * (3 - 2 * t) if rng.random() < 0.5 else t) * density
    offset = rng.integers(-30, 31, 2)
    shadow = np.roll(opacity, offset, (0, 1)) * rng.uniform(0, 0.6)
    ground = image * (1 - shadow[..., None])
    top = rng.uniform(185, 255) + rng.normal(0, 3, 3) + np.array([-1, 0, 1]) * rng.uniform(-2, 6)
    body = top + (np.clip(thickness - start, -1, 2) * rng.uniform(0, 9))[..., None]
    if rng.random() < 0.3:  # relief of thick cloud
        relief = _fractal(shape, rng)
        body = body - (np.clip(relief, 0, 2) * rng.uniform(0, 14))[..., None]
    out = ground + (body - ground) * opacity[..., None]
    return np.asarray(out, dtype=np.float32), _classes(opacity.astype(np.float32), CLOUD)


def paint_haze(image: Floats, rng: np.random.Generator) -> tuple[Floats, Classes]:
    """Paint haze or fog over the whole H×W×3, denser on one side; return the image and its classes."""
    height, width = image.shape[:2]
    bearing = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    opacity = rng.uniform(0.05, 0.95) + (x * np.cos(bearing) + y * np.sin(bearing)) * rng.uniform(0, 0.4)
    opacity = np.clip(opacity + _fractal((height, width), rng) * rng.uniform(0, 0.08), 0, 0.98).astype(np.float32)
    colour = rng.uniform(145, 235) + np.array([-1, 0, 1]) * rng.uniform(-6, 12)
    return np.asarray(image + (colour - image) * opacity[..., None], dtype=np.float32), _classes(opacity, CLOUD)


def paint_snow(image: Floats, rng: np.random.Generator) -> tuple[Floats, Classes]:
    """Paint lying snow on H×W×3, on which dark things still stand out; return the image and its classes."""
    lying = _fractal((image.shape[0], image.shape[1]), rng) + rng.uniform(-1.5, 3)
    grey = image.mean(axis=2)
    dark = np.clip((np.quantile(grey, 0.2) - grey) / 15, 0, 1) * rng.uniform(0, 1)  # trees and walls
    opacity = np.clip(lying / rng.uniform(0.3, 1.5), 0, 1) * (1 - dark) * rng.uniform(0.75, 0.98)
    white = rng.uniform(195, 250) + np.array([-1, 0, 1]) * rng.uniform(-2, 6)
    relief = (grey - grey.mean()) * rng.uniform(0, 0.25)
    out = image + (white + relief[..., None] - image) * opacity[..., None]
    return np.asarray(out, dtype=np.float32), _classes(opacity.astype(np.float32), SNOW)
