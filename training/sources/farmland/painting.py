"""Building blocks of painted plots: smooth noise, rows, and colours that suit the light of a place."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

REFERENCE_LEVEL = 115.0
"""Mean grey level of a well exposed image, for which the colours of soils and crops are written."""


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniformly distributed between those of ``low`` and ``high``."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def smooth_noise(shape: tuple[int, int], feature_px: float, rng: np.random.Generator) -> Floats:
    """Draw a smooth surface, H×W, mean about 0 and standard deviation about 0.7, with features of ``feature_px``."""
    cells = [max(2, round(side / feature_px) + 2) for side in shape]
    knots = rng.standard_normal(cells).astype(np.float32)
    return np.asarray(cv2.resize(knots, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def row_phase(shape: tuple[int, int], angle: float, spacing_px: float, rng: np.random.Generator) -> Floats:
    """Return the position across rows, H×W, in rows: the integer part numbers the row. Rows are slightly curved."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    bend = smooth_noise(shape, max(shape), rng) * rng.uniform(0, 0.6) * spacing_px
    across = x * np.cos(angle) + y * np.sin(angle) + bend
    return np.asarray(across / spacing_px + rng.random(), dtype=np.float32)


def texture(ground: Floats) -> Floats:
    """Return the fine structure of H×W×3 ground: its grey level minus the mean around each pixel, H×W×1."""
    grey = ground.mean(axis=2)
    return np.asarray((grey - cv2.blur(grey, (21, 21)))[..., None], dtype=np.float32)


def pick_colour(colours: Sequence[tuple[int, int, int]], rng: np.random.Generator) -> Floats:
    """Pick one of the RGB colours and vary its brightness and hue: 3."""
    colour = np.asarray(colours[int(rng.integers(len(colours)))], np.float32)
    return np.asarray(colour * rng.normal(1.0, 0.12) * rng.normal(1.0, 0.03, 3), dtype=np.float32)


def match_light(colours: Floats, place_mean: Floats, rng: np.random.Generator) -> Floats:
    """Adapt H×W×3 painted for good exposure to the light of a place, in full or in part.

    Args:
        colours: painted pixels.
        place_mean: mean RGB of the place, 3.
        rng: random generator.
    """
    level = float(np.clip(place_mean.mean() / REFERENCE_LEVEL, 0.35, 1.6)) ** rng.uniform(0.3, 1)
    cast = np.clip(place_mean / max(1.0, float(place_mean.mean())), 0.7, 1.4) ** rng.uniform(0, 0.6)
    grey = colours.mean(axis=2, keepdims=True)
    pale = colours + (grey - colours) * rng.uniform(0, 0.6)
    return np.asarray(pale * level * cast, dtype=np.float32)
