"""Tree crowns from above: lumpy domes shaded by the sun, leafless in winter where the species is deciduous."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import cv2
import numpy as np

from training.synthetic.light import Sun
from training.synthetic.noise import noise_octave
from training.synthetic.raster_window import Floats, Window
from training.synthetic.rendering.ground import GroundNoise, Surface
from training.synthetic.season import Season, reflectance

_SHAPE_COUNT = 12
_EVERGREEN = [reflectance(54, 74, 42), reflectance(62, 84, 48), reflectance(48, 66, 44)]
_SUMMER = [reflectance(72, 98, 50), reflectance(64, 88, 44), reflectance(84, 106, 56)]
_BARE = [reflectance(112, 100, 78), reflectance(118, 106, 82), reflectance(96, 90, 66)]


@lru_cache(maxsize=_SHAPE_COUNT)
def _crown_shape(number: int) -> Floats:
    """Return the height profile of a crown, 96 × 96: 0 outside, up to 1 in the middle, with lobes."""
    rng = np.random.default_rng(900 + number)
    axis = (np.arange(96, dtype=np.float32) - 47.5) / 44
    x, y = axis[None, :], axis[:, None]
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    edge = 0.80 + sum(rng.normal(0, 0.09) * k**-0.6 * np.sin(k * angle + rng.uniform(0, 6)) for k in (2, 3, 4, 5, 7, 9))
    dome = np.sqrt(np.clip(1 - (radius / np.clip(edge, 0.5, 1.0)) ** 2, 0, 1))
    lobes = np.zeros((96, 96), np.float32)
    for _ in range(11):
        cx, cy = rng.normal(0, 0.36, 2)
        size = rng.uniform(0.22, 0.42)
        lobes = np.maximum(lobes, np.sqrt(np.clip(1 - ((x - cx) ** 2 + (y - cy) ** 2) / size**2, 0, 1)))
    out: Floats = np.where(dome > 0, 0.25 + 0.45 * dome + 0.30 * lobes, 0).astype(np.float32)
    return out


@lru_cache(maxsize=4096)
def _crown_sprite(number: int, pixels: int) -> Floats:
    """Return a crown profile resized to ``pixels`` × ``pixels``."""
    if pixels <= 2:
        return np.full((pixels, pixels), 0.6, np.float32)
    out: Floats = cv2.resize(_crown_shape(number), (pixels, pixels), interpolation=cv2.INTER_AREA)
    return out


def paint_trees(
    window: Window, trees: Iterable[tuple[float, float, float, float, int]], surface: Surface, sun: Sun, season: Season,
    noise: GroundNoise, key: int,
) -> Floats:  # fmt: skip
    """Paint trees onto the surface, in place, and return the density of the crowns, H×W 0…1.

    Args:
        window: pixels to paint.
        trees: rows (x, y, crown radius, height, species), see :class:`Contents`.
        surface: its ``crown`` is filled.
        sun: shades the crowns.
        season: foliage.
        noise: of the place.
        key: that of the world.
    """
    crown, gsd = surface.crown, window.gsd
    stamped = _stamp_crowns(window, trees, crown)
    if stamped is None:
        return np.zeros(crown.shape, np.float32)
    species, hue = stamped
    leaves = noise_octave(window, max(0.8, 1.6 * gsd), key + 21)
    ragged = crown + np.minimum(crown, 1.2) * (0.55 * leaves + 0.35 * noise.fine)
    solid = np.clip(ragged / 1.1 - 0.25, 0, 1)
    if gsd > 0.8:
        solid = cv2.GaussianBlur(solid, (0, 0), 0.45)
    bare = (species == 1) * np.float32(1 - season.foliage)
    dense = solid * (1.0 - 0.55 * bare * np.clip(0.9 + 0.9 * leaves, 0, 1.6))
    lumpy = crown * (1.0 + 0.10 * leaves) if gsd < 0.8 else crown
    spread = cv2.GaussianBlur(lumpy, (0, 0), max(0.5, 0.22 / gsd))
    slope_x = cv2.Sobel(spread, cv2.CV_32F, 1, 0, ksize=3, scale=0.125 / gsd)
    slope_y = cv2.Sobel(spread, cv2.CV_32F, 0, 1, ksize=3, scale=0.125 / gsd)
    # leaves scatter light, so shading is softer than on a roof of the same slope
    soft = np.float32(0.55)
    lit = (
        (sun.up - soft * (sun.east * slope_x + sun.south * slope_y))
        / np.sqrt(1 + soft * (slope_x**2 + slope_y**2))
        / sun.up
    )
    lit = np.clip(0.36 + 0.62 * lit, 0.15, 1.4) * (1.0 + 0.16 * leaves)
    tone = (0.80 + 0.45 * hue) * (1.0 + 0.10 * noise.fine)
    full = (species == 1) * np.float32(season.foliage)
    for band in range(3):
        green = _EVERGREEN[0][band] + (_EVERGREEN[1][band] - _EVERGREEN[0][band]) * hue
        summer = _SUMMER[1][band] + (_SUMMER[2][band] - _SUMMER[1][band]) * hue
        twig = _BARE[2][band] + (_BARE[1][band] - _BARE[2][band]) * hue
        leaf = green + (summer - green) * full + (twig - green) * bare
        plane = surface.albedo[..., band]
        plane += (leaf * tone - plane) * dense
    surface.lit += (lit - surface.lit) * dense
    surface.water *= 1.0 - dense
    out: Floats = dense
    return out


def _stamp_crowns(
    window: Window, trees: Iterable[tuple[float, float, float, float, int]], crown: Floats
) -> tuple[Floats, Floats] | None:
    """Fill crown heights, in place, and return species and hue (0…1) of the tallest crown, H×W; None without trees."""
    species, hue = np.zeros(crown.shape, np.float32), np.zeros(crown.shape, np.float32)
    gsd = window.gsd
    stamped = False
    for x, y, radius, height, tree_species in trees:
        pixels = max(1, round(2 * radius / gsd))
        c0, r0 = round((x - radius - window.x0) / gsd), round((y - radius - window.y0) / gsd)
        a0, b0 = max(c0, 0), max(r0, 0)
        a1, b1 = min(c0 + pixels, window.width), min(r0 + pixels, window.height)
        if a1 <= a0 or b1 <= b0:
            continue
        stamped = True
        tree_key = int(x * 7.3 + y * 13.1) & 1023
        dome = _crown_sprite(tree_key % _SHAPE_COUNT, pixels)[b0 - r0 : b1 - r0, a0 - c0 : a1 - c0] * np.float32(height)
        part = crown[b0:b1, a0:a1]
        higher = dome > part
        part[higher] = dome[higher]
        species[b0:b1, a0:a1][higher] = tree_species
        hue[b0:b1, a0:a1][higher] = (tree_key >> 4) / 64.0
    return (species, hue) if stamped else None
