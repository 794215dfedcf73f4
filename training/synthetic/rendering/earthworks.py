"""Pits and heaps: their heights, shading, and water at the bottom of pits."""

from __future__ import annotations

import cv2
import numpy as np

from training.synthetic.drawing import blend, fill_polygon
from training.synthetic.landscape.contents import Earthwork
from training.synthetic.light import Sun
from training.synthetic.raster_window import Window
from training.synthetic.rendering.ground import GroundNoise, Surface
from training.synthetic.season import reflectance

_PUDDLE = reflectance(96, 104, 88)
_WALL = reflectance(170, 136, 98)


def paint_earthworks(window: Window, works: list[Earthwork], surface: Surface, sun: Sun, noise: GroundNoise) -> None:
    """Paint every pit and heap that touches the window onto the surface, in place."""
    for work in works:
        west, north = work.outline.min(axis=0)
        east, south = work.outline.max(axis=0)
        run = abs(work.height) / work.slope  # the floor is level beyond this distance from the edge
        clip = window.bounds(run + 4.0)
        box = max(west, clip[0]), max(north, clip[1]), min(east, clip[2]), min(south, clip[3])
        if box[0] >= box[2] or box[1] >= box[3]:
            continue
        _paint_earthwork(window, work, box, surface, sun, noise)


def _paint_earthwork(
    window: Window,
    work: Earthwork,
    box: tuple[float, float, float, float],
    surface: Surface,
    sun: Sun,
    noise: GroundNoise,
) -> None:
    """Paint one pit or heap; ``box`` is its visible west, north, east, south in metres."""
    gsd = window.gsd
    # a local window on the same pixels, which may reach beyond the view
    c0, r0 = int(np.floor((box[0] - window.x0) / gsd)) - 2, int(np.floor((box[1] - window.y0) / gsd)) - 2
    c1, r1 = int(np.ceil((box[2] - window.x0) / gsd)) + 2, int(np.ceil((box[3] - window.y0) / gsd)) + 2
    local = Window(window.x0 + c0 * gsd, window.y0 + r0 * gsd, gsd, c1 - c0, r1 - r0)
    inside = np.zeros((local.height, local.width), np.uint8)
    fill_polygon(inside, local, work.outline)
    metres = cv2.distanceTransform((inside > 127).astype(np.uint8), cv2.DIST_L2, 5) * np.float32(gsd)
    rows, cols = slice(max(r0, 0), min(r1, window.height)), slice(max(c0, 0), min(c1, window.width))
    if rows.start >= rows.stop or cols.start >= cols.stop:
        return
    cut = slice(rows.start - r0, rows.stop - r0), slice(cols.start - c0, cols.stop - c0)
    lumps = noise.middle[rows, cols], noise.fine[rows, cols]
    if work.height < 0:
        depth = -work.height
        fall = metres[cut] * work.slope
        # one bench half way down, as excavators dig
        bench = np.minimum(fall, depth * 0.5) + np.clip(fall - depth * 0.5 - 1.6, 0.0, depth * 0.5)
        height = -bench * (1.0 + 0.05 * lumps[0])
    else:
        height = np.minimum(metres[cut] * work.slope, work.height) * (1.0 + 0.10 * lumps[0] + 0.05 * lumps[1])
        height = cv2.GaussianBlur(height, (0, 0), max(0.4, 0.35 / gsd))
    height = height.astype(np.float32)
    soft = inside[cut].astype(np.float32) / 255
    surface.solid[rows, cols] += height
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125 / gsd)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125 / gsd)
    lit = (sun.up - sun.east * slope_x - sun.south * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2) / sun.up
    surface.lit[rows, cols] += (np.clip(lit, 0.0, 2.2) - 1.0) * soft
    albedo = surface.albedo[rows, cols]
    if work.height < 0:
        steep = np.clip(np.hypot(slope_x, slope_y) * 1.2, 0, 1) * soft
        blend(albedo, steep * 0.5, _WALL)
        albedo *= (1.0 - 0.14 * np.clip(-height / 4, 0, 1) * soft)[..., None]
        if work.wet:
            level = np.clip((-height - abs(work.height) * 0.86) / 0.15 + 0.9 * lumps[0], 0, 1) * soft
            blend(albedo, level * 0.92, _PUDDLE)
            surface.lit[rows, cols] += (1.0 - surface.lit[rows, cols]) * level
            surface.water[rows, cols] = np.maximum(surface.water[rows, cols], level)
    else:
        albedo *= (1.0 + 0.10 * lumps[1] * soft)[..., None]
