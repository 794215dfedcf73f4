"""Roads, lanes, tracks and ditches with wear and markings, and machine tracks on bare soil."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.drawing import draw_line, fill_polygon, offset_line
from training.synthetic.landscape.layout import Line
from training.synthetic.raster_window import Floats, Points, Window
from training.synthetic.rendering.ground import GroundNoise, Surface
from training.synthetic.season import Colour, reflectance

_DIRT = reflectance(168, 150, 124)


@dataclass(frozen=True)
class _StrokeStyle:
    """How a line covers the ground: frayed ones let it show through, bridged ones cross water."""

    colour: Colour
    strength: float
    tone: float = 0.05
    frayed: bool = False
    bridged: bool = False


_DITCH = _StrokeStyle(reflectance(72, 78, 58), 0.8, 0.10, frayed=True)
_SHOULDER = _StrokeStyle(_DIRT, 0.75, 0.10, frayed=True)
_VERGE = _StrokeStyle(_DIRT, 0.55, 0.10, frayed=True)
_TRACK = _StrokeStyle(_DIRT, 0.85, 0.10, frayed=True)
_RUTS = _StrokeStyle(reflectance(188, 170, 142), 0.6, 0.10, frayed=True)
_CONCRETE = _StrokeStyle(reflectance(190, 186, 176), 0.97, 0.045)
_ASPHALT = _StrokeStyle(reflectance(104, 104, 106), 1.0, bridged=True)
_WORN = _StrokeStyle(reflectance(118, 117, 115), 0.35, bridged=True)
_WHITE = _StrokeStyle(reflectance(216, 216, 210), 0.8, bridged=True)
_YELLOW = _StrokeStyle(reflectance(196, 164, 76), 0.85, bridged=True)


def paint_lines(window: Window, lines: list[Line], covers: list[Points], surface: Surface, noise: GroundNoise) -> None:
    """Paint all lines onto the surface, in place; ``covers`` are outlines of new ground that hides older lines."""
    visible = [part for line in lines if (part := _visible_part(line, window)) is not None]
    if not visible:
        return
    draw = _LinePainter(window, covers, surface, noise).draw

    def with_use(*uses: str) -> list[Line]:
        return [line for line in visible if line.use in uses]

    paved, marked = with_use("concrete", "lane"), with_use("asphalt", "marks")
    draw(_DITCH, [(line.points, line.width) for line in with_use("ditch")])
    draw(_SHOULDER, [(line.points, line.width + 2.6) for line in with_use("asphalt")])
    draw(_VERGE, [(line.points, line.width + 1.4) for line in paved])
    draw(_TRACK, [(line.points, line.width) for line in with_use("dirt")])
    draw(
        _RUTS,
        [
            (offset_line(line.points, side), 0.6)
            for line in with_use("dirt")
            if line.width > 2
            for side in (-0.75, 0.75)
        ],
    )
    draw(_CONCRETE, [(line.points, line.width) for line in paved])
    draw(_ASPHALT, [(line.points, line.width) for line in with_use("asphalt")])
    wheels = [(side * line.width / 4 + rut, line) for line in marked for side in (-1, 1) for rut in (-0.8, 0.8)]
    draw(_WORN, [(offset_line(line.points, distance), 0.55) for distance, line in wheels])
    draw(
        _WHITE,
        [(offset_line(line.points, side * (line.width / 2 - 0.45)), 0.16) for line in marked for side in (-1, 1)],
    )
    draw(
        _YELLOW, [(dash, 0.16) for line in lines if line.use in {"asphalt", "marks"} for dash in _dashes(line, window)]
    )
    _paint_wheel_tracks(window, with_use("wheels"), surface)


class _LinePainter:
    """Draws lines of one window onto its surface."""

    def __init__(self, window: Window, covers: list[Points], surface: Surface, noise: GroundNoise) -> None:
        """Prepare wear, frayed edges, open water and the ground that hides lines."""
        self.window, self.surface = window, surface
        hidden = np.zeros((window.height, window.width), np.uint8)
        for outline in covers:
            fill_polygon(hidden, window, outline)
        self.keep = (255 - hidden) if hidden.any() else None
        self.wear = noise.fine * np.float32(0.6) + noise.middle * np.float32(0.5)
        self.fray = np.clip(0.85 + 0.35 * noise.middle, 0.15, 1.0)
        self.dry = 1.0 - np.clip((surface.water - 0.6) * 4, 0, 1)

    def draw(self, style: _StrokeStyle, strokes: list[tuple[Points, float]]) -> None:
        """Draw lines (points N×2 and width, metres) in one style."""
        if not strokes:
            return
        mask = np.zeros((self.window.height, self.window.width), np.uint8)
        for points, width in strokes:
            draw_line(mask, self.window, points, width)
        if self.keep is not None:
            mask = np.minimum(mask, self.keep)
        left, top, wide, high = cv2.boundingRect(mask)
        if wide == 0:
            return
        box = slice(top, top + high), slice(left, left + wide)
        alpha: Floats = mask[box].astype(np.float32) * np.float32(style.strength / 255)
        if style.frayed:
            alpha *= self.fray[box]
        if not style.bridged:
            alpha *= self.dry[box]
        rough = 1.0 + np.float32(style.tone) * self.wear[box]
        for band in range(3):
            plane = self.surface.albedo[box][..., band]
            plane += (np.float32(style.colour[band]) * rough - plane) * alpha
        self.surface.lit[box] += (1.0 - self.surface.lit[box]) * alpha * np.float32(0.8)
        self.surface.water[box] *= 1.0 - alpha


def _visible_part(line: Line, window: Window) -> Line | None:
    """Return the part of a line in or near the window; None if there is none."""
    west, north, east, south = window.bounds(30.0)
    x, y = line.points[:, 0], line.points[:, 1]
    inside = np.flatnonzero((x > west) & (x < east) & (y > north) & (y < south))
    if len(inside) == 0:
        return None
    return replace(line, points=line.points[max(inside[0] - 2, 0) : inside[-1] + 3])


def _dashes(line: Line, window: Window) -> list[Points]:
    """Return the dashes of the centre line: 4 m on, 6 m off, counted from the road's start."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line.points, axis=0).T))])
    start = np.arange(0, length[-1] - 4, 10.0)
    ends_m = np.stack([start, start + 4.0], axis=1)
    ends = np.stack(
        [np.interp(ends_m, length, line.points[:, 0]), np.interp(ends_m, length, line.points[:, 1])], axis=2
    )
    west, north, east, south = window.bounds(5.0)
    x, y = ends[:, 0, 0], ends[:, 0, 1]
    return list(ends[(x > west) & (x < east) & (y > north) & (y < south)])


def _paint_wheel_tracks(window: Window, lines: list[Line], surface: Surface) -> None:
    """Darken the ground by pairs of wheel tracks."""
    mask: NDArray[np.uint8] = np.zeros((window.height, window.width), np.uint8)
    for line in lines:
        for side in (-0.95, 0.95):
            draw_line(mask, window, offset_line(line.points, side), line.width)
    if mask.any():
        surface.albedo *= (1.0 - np.float32(0.30 / 255) * mask.astype(np.float32))[..., None]
