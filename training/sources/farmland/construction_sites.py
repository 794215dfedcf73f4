"""Painted construction sites: levelled ground with tracks, heaps, pits, machines and site huts.

A site differs from a ploughed field by its irregular surface and by what stands on it, not by its colour: rows are
never painted here, and at least tracks always are.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.sources.farmland.painting import Floats, log_uniform, pick_colour, smooth_noise, texture
from training.sources.samples import Image

RAW_GROUND = (
    (176, 145, 107), (186, 132, 92), (182, 158, 124), (162, 144, 120), (198, 182, 152),
    (150, 128, 104), (184, 180, 170), (170, 164, 152), (205, 196, 176),
)  # fmt: skip
MACHINES = ((214, 168, 40), (200, 110, 36), (225, 225, 225), (60, 90, 150), (70, 70, 72))
HUTS = ((225, 228, 230), (70, 120, 190), (205, 205, 200), (180, 70, 60))


def _curve(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw a smooth track across the plot, or a loop on it: N×2 points (x, y)."""
    steps = 24
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, rng.uniform(0.03, 0.35), steps))
    step = max(shape) * rng.uniform(0.03, 0.09)
    start = rng.uniform(0, 1, 2) * (shape[1], shape[0])
    return np.asarray(start + np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * step, 0), dtype=np.float32)


def _draw_tracks(site: Floats, rng: np.random.Generator) -> None:
    """Draw the tracks of vehicles: one or two parallel lines, darker or brighter than the ground."""
    for _ in range(int(rng.integers(3, 10))):
        points = _curve(site.shape[:2], rng)
        layer = np.zeros(site.shape[:2], np.float32)
        gauge = rng.uniform(2, 6)
        normal = np.stack([-np.gradient(points[:, 1]), np.gradient(points[:, 0])], 1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
        width = int(rng.integers(1, 3))
        for side in (-gauge / 2, gauge / 2) if rng.random() < 0.6 else (0.0,):
            line = np.rint((points + normal * side) * 8).astype(np.int32)
            cv2.polylines(layer, [line], False, 1.0, width if gauge < 4 else width + 1, cv2.LINE_AA, 3)
        level = rng.uniform(10, 45) * (1 if rng.random() < 0.5 else -1)
        site += cv2.GaussianBlur(layer, (0, 0), 0.7)[..., None] * np.float32(level)


def _draw_heaps(site: Floats, sun: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Draw heaps and pits: one flank lit, the other in shadow."""
    height, width = site.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(int(rng.integers(0, 9))):
        radius = log_uniform(rng, 3, max(4.0, min(height, width) / 5))
        centre = rng.uniform(0, 1, 2) * (width, height)
        dx, dy = (x - centre[0]) / radius, (y - centre[1]) / (radius * rng.uniform(0.6, 1.6))
        relief = np.exp(-(dx**2 + dy**2)) * (dx * sun[0] + dy * sun[1])
        site += (relief * rng.uniform(25, 90) * (1 if rng.random() < 0.75 else -1))[..., None]


def _draw_boxes(
    site: Floats,
    colours: tuple[tuple[int, int, int], ...],
    count: int,
    sizes_px: tuple[float, float],
    sun: NDArray[np.float64],
    rng: np.random.Generator,
) -> Image:
    """Draw machines or huts with their shadows; return their mask."""
    mask = np.zeros(site.shape[:2], np.uint8)
    angle = rng.uniform(0, 180)
    for _ in range(count):
        centre = rng.uniform(0.1, 0.9, 2) * (site.shape[1], site.shape[0])
        length = log_uniform(rng, *sizes_px)
        size = (length, length * rng.uniform(0.3, 0.7))
        turned = angle + rng.choice((0.0, 90.0)) + rng.normal(0, 4)
        for offset, colour in (
            (-sun * rng.uniform(1, 0.5 * length + 1.5), np.full(3, 38.0)),
            (np.zeros(2), pick_colour(colours, rng)),
        ):
            corners = cv2.boxPoints((tuple((centre + offset).tolist()), size, float(turned)))
            box = np.rint(corners * 8).astype(np.int32)
            cv2.fillPoly(site, [box], [float(v) for v in np.clip(colour, 5, 250)], cv2.LINE_AA, 3)
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
    return mask


def build_site(ground: Floats, surface: Floats | None, rng: np.random.Generator) -> tuple[Floats, Image]:
    """Turn a plot into a construction site.

    Args:
        ground: H×W×3, the plot before.
        surface: H×W×3 of real bare ground to use as the surface; None: painted.
        rng: random generator.

    Returns:
        the site, H×W×3, and the mask of its huts, H×W, 0/1.
    """
    shape = ground.shape[:2]
    if surface is None:
        site = pick_colour(RAW_GROUND, rng) + texture(ground) * rng.uniform(0, 0.4)
        for feature_px, strength in ((log_uniform(rng, 25, 90), 26), (log_uniform(rng, 6, 25), 16), (2.0, 7)):
            site = site + smooth_noise(shape, feature_px, rng)[..., None] * rng.uniform(0.25, 1) * strength
        if rng.random() < 0.4:  # a part is levelled with other material
            other = pick_colour(RAW_GROUND, rng)
            share = 1 / (1 + np.exp(-12 * smooth_noise(shape, log_uniform(rng, 25, 100), rng)))[..., None]
            site = site + (other - site.mean((0, 1))) * share
    else:
        site = surface.copy()
    site = np.ascontiguousarray(site, dtype=np.float32)
    bearing = rng.uniform(0, 2 * np.pi)
    sun = np.array([np.cos(bearing), np.sin(bearing)])
    _draw_tracks(site, rng)
    _draw_heaps(site, sun, rng)
    _draw_boxes(site, MACHINES, int(rng.integers(1, 6)) if rng.random() < 0.6 else 0, (4, 12), sun, rng)
    huts = _draw_boxes(site, HUTS, int(rng.integers(0, 4)) if rng.random() < 0.4 else 0, (8, 22), sun, rng)
    return site, huts
