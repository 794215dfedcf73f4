"""States of a field as images show them: ploughed, mulched with film, cropped, harvested, burnt, flooded.

Each function takes the H×W×3 float ground of a plot and returns painted pixels of the same shape. Rows run in any
direction at any spacing, so that no spacing marks a field and no resolution is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from training.sources.farmland.painting import Floats, log_uniform, pick_colour, row_phase, smooth_noise, texture

SOILS = (
    (122, 112, 96), (146, 122, 96), (112, 94, 76), (150, 105, 80),
    (168, 150, 120), (92, 84, 74), (172, 124, 92), (136, 128, 116),
)  # fmt: skip
CROPS = (
    (78, 100, 54), (84, 122, 58), (92, 104, 62), (70, 104, 48), (112, 124, 56),
    (60, 82, 50), (86, 108, 84), (74, 92, 72), (150, 150, 60),
)  # fmt: skip
STRAWS = ((172, 156, 116), (142, 132, 94), (168, 154, 92), (190, 176, 138), (126, 118, 82))
FILMS = ((222, 224, 226), (238, 238, 236), (190, 198, 206), (168, 176, 180), (206, 202, 190), (58, 58, 60))
WATERS = ((86, 98, 84), (74, 92, 88), (104, 110, 84), (62, 76, 74), (112, 108, 86), (92, 98, 108))


def _surface(ground: Floats, colour: Floats, rng: np.random.Generator, kept: tuple[float, float]) -> Floats:
    """Return ground of one colour with a part of its former texture and smooth variation of brightness."""
    shape = ground.shape[:2]
    variation = smooth_noise(shape, log_uniform(rng, 8, 80), rng) * rng.uniform(0, 9)
    grain = smooth_noise(shape, 1.6, rng) * rng.uniform(0, 4)
    return np.asarray(colour + texture(ground) * rng.uniform(*kept) + (variation + grain)[..., None], dtype=np.float32)


def _waves(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Return furrows or plant rows, H×W, of random direction, spacing and sharpness, amplitude about 1."""
    phase = row_phase(shape, rng.uniform(0, np.pi), log_uniform(rng, 2.2, 14), rng)
    waves = np.sin(2 * np.pi * phase)
    if rng.random() < 0.3:  # narrow dark furrows between wide beds
        waves = 1 - 2 * np.clip(-waves, 0, 1) ** 0.5
    if rng.random() < 0.35:  # wheel tracks of the machine, every few rows
        waves = waves - 1.2 * (np.mod(phase / rng.integers(4, 12), 1) < 0.12)
    return np.asarray(waves, dtype=np.float32)


def plough(ground: Floats, rng: np.random.Generator) -> Floats:
    """Till the field: bare soil with furrows, or without any."""
    amplitude = log_uniform(rng, 1.5, 22) if rng.random() < 0.85 else 0.0
    return (
        _surface(ground, pick_colour(SOILS, rng), rng, (0, 0.9)) + amplitude * _waves(ground.shape[:2], rng)[..., None]
    )


def grow_crop(ground: Floats, rng: np.random.Generator) -> Floats:
    """Cover the field with a crop: closed, in rows, or patchy on bare soil."""
    shape = ground.shape[:2]
    green = _surface(ground, pick_colour(CROPS, rng), rng, (0, 0.9))
    green = green + log_uniform(rng, 0.5, 18) * _waves(shape, rng)[..., None]
    if rng.random() < 0.4:
        soil = _surface(ground, pick_colour(SOILS, rng), rng, (0, 0.9))
        cover = 1 / (1 + np.exp(-4 * smooth_noise(shape, log_uniform(rng, 4, 40), rng) - rng.uniform(-1, 4)))
        green = soil + (green - soil) * cover[..., None]
    return np.asarray(green, dtype=np.float32)


def harvest(ground: Floats, rng: np.random.Generator) -> Floats:
    """Leave stubble and straw, often in swaths."""
    straw = _surface(ground, pick_colour(STRAWS, rng), rng, (0, 0.9))
    return straw + log_uniform(rng, 0.5, 20) * _waves(ground.shape[:2], rng)[..., None]


def burn(ground: Floats, rng: np.random.Generator) -> Floats:
    """Burn the field, not always completely: soot with grey ash."""
    shape = ground.shape[:2]
    soot = np.float32(rng.uniform(28, 75)) + smooth_noise(shape, 5, rng)[..., None] * rng.uniform(2, 14)
    burnt = 1 / (1 + np.exp(-6 * smooth_noise(shape, log_uniform(rng, 10, 60), rng) - rng.uniform(-1, 8)))
    return np.asarray(ground + (soot - ground) * burnt[..., None], dtype=np.float32)


def flood(ground: Floats, rng: np.random.Generator) -> Floats:
    """Flood the paddy: smooth and dark, or bright where the sky is reflected."""
    glint = rng.uniform(1.5, 2.4) if rng.random() < 0.2 else 1.0
    water = _surface(ground, pick_colour(WATERS, rng), rng, (0, 0.2)) * glint
    if rng.random() < 0.3:  # seedlings stand in the water
        water = water + rng.uniform(2, 12) * _waves(ground.shape[:2], rng)[..., None]
    return np.asarray(water, dtype=np.float32)


def spread_film(ground: Floats, rng: np.random.Generator) -> Floats:
    """Cover beds with strips of plastic film, or the whole field with overlapping sheets."""
    shape = ground.shape[:2]
    soil = _surface(ground, pick_colour(SOILS if rng.random() < 0.7 else CROPS, rng), rng, (0, 0.9))
    phase = row_phase(shape, rng.uniform(0, np.pi), log_uniform(rng, 2.2, 16), rng)
    width = rng.uniform(0.35, 0.95) if rng.random() < 0.75 else 1.0
    position = np.abs(np.mod(phase, 1) - 0.5) * 2  # 0 in the middle of a bed, 1 between two beds
    covered = np.clip((width - position) / 0.25 + 0.5, 0, 1)
    # each strip lies differently and reflects its own share of the sky; strips are torn here and there
    rows = np.floor(phase).astype(np.int64)
    gloss = rng.normal(1, rng.uniform(0.01, 0.1), 4096)[rows % 4096]
    wrinkles = smooth_noise(shape, log_uniform(rng, 2, 8), rng) * rng.uniform(0, 10)
    torn = smooth_noise(shape, log_uniform(rng, 10, 60), rng) > rng.uniform(0.8, 3)
    film = pick_colour(FILMS, rng) * gloss[..., None] + wrinkles[..., None]
    opacity = covered * np.where(torn, 0.2, rng.uniform(0.45, 1.0))
    return np.asarray(soil + (film - soil) * opacity[..., None], dtype=np.float32)


FIELD_STATES: tuple[tuple[float, Callable[[Floats, np.random.Generator], Floats]], ...] = (
    (0.30, plough),
    (0.24, spread_film),
    (0.24, grow_crop),
    (0.10, harvest),
    (0.05, burn),
    (0.07, flood),
)
"""Share of each state among painted fields."""


def paint_field(ground: Floats, rng: np.random.Generator) -> Floats:
    """Paint a random state of a field."""
    edges = np.cumsum([share for share, _ in FIELD_STATES])
    return FIELD_STATES[min(int(np.searchsorted(edges, rng.random())), len(edges) - 1)][1](ground, rng)


def cover_with_greenhouses(ground: Floats, rng: np.random.Generator) -> Floats:
    """Cover the plot with rows of plastic tunnels or greenhouses, or with flat shade nets."""
    shape = ground.shape[:2]
    angle = rng.uniform(0, np.pi)
    phase = row_phase(shape, angle, log_uniform(rng, 5, 24), rng)
    position = np.abs(np.mod(phase, 1) - 0.5) * 2
    width = rng.uniform(0.62, 0.98)
    roof = np.clip((width - position) / 0.12 + 0.5, 0, 1)
    if rng.random() < 0.2:
        cover = np.full(shape, rng.uniform(30, 80))  # shade net
    else:  # an arched roof is brightest where it faces the sun
        lit = np.cos((np.mod(phase, 1) - 0.5 + rng.uniform(-0.3, 0.3)) * np.pi)
        cover = rng.uniform(150, 225) + rng.uniform(10, 60) * lit
    ribs = np.sin(2 * np.pi * row_phase(shape, angle + np.pi / 2, log_uniform(rng, 3, 14), rng)) * rng.uniform(0, 6)
    tint = np.asarray(((1, 1, 1), (0.95, 1, 1.05), (0.92, 1, 0.97), (1.02, 1, 0.95)), np.float32)[rng.integers(4)]
    rows = np.floor(phase).astype(np.int64)
    used = rng.normal(1, 0.04, 4096)[rows % 4096]
    painted = ((cover * used + ribs)[..., None] * tint).astype(np.float32)
    crops = _surface(ground, pick_colour(CROPS, rng), rng, (0, 0.5))  # plants show through
    painted = np.asarray(painted + (crops - painted) * rng.uniform(0, 0.3), dtype=np.float32)
    shadow = cv2.GaussianBlur((position > width).astype(np.float32), (0, 0), 0.8) * rng.uniform(0.2, 0.6)
    between = ground * (1 - shadow[..., None])
    return np.asarray(between + (painted - between) * roof[..., None], dtype=np.float32)
