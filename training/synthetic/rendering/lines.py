"""Roads, lanes, tracks and ditches over the ground, with their wear and markings, and machine tracks on bare soil."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.landscape.layout import Line
from training.synthetic.rendering.ground import Grain, Surface
from training.synthetic.season import Colour, reflectance
from training.synthetic.window import Floats, Points, Window, fill, offset, stroke

_DIRT = reflectance(168, 150, 124)


@dataclass(frozen=True)
class _Coat:
    """How a stroke covers the ground: frayed ones let it show through, bridged ones run over water."""

    colour: Colour
    strength: float
    tone: float = 0.05
    frayed: bool = False
    bridged: bool = False


_DITCH = _Coat(reflectance(72, 78, 58), 0.8, 0.10, frayed=True)
_SHOULDER = _Coat(_DIRT, 0.75, 0.10, frayed=True)
_VERGE = _Coat(_DIRT, 0.55, 0.10, frayed=True)
_TRACK = _Coat(_DIRT, 0.85, 0.10, frayed=True)
_RUTS = _Coat(reflectance(188, 170, 142), 0.6, 0.10, frayed=True)
_CONCRETE = _Coat(reflectance(190, 186, 176), 0.97, 0.045)
_ASPHALT = _Coat(reflectance(104, 104, 106), 1.0, bridged=True)
_WORN = _Coat(reflectance(118, 117, 115), 0.35, bridged=True)
_WHITE = _Coat(reflectance(216, 216, 210), 0.8, bridged=True)
_YELLOW = _Coat(reflectance(196, 164, 76), 0.85, bridged=True)


def paint_lines(window: Window, lines: list[Line], covers: list[Points], surface: Surface, noise: Grain) -> None:
    """Draw every line over the surface, in place; ``covers`` are outlines of new ground that hides older lines."""
    near = [part for line in lines if (part := _part(line, window)) is not None]
    if not near:
        return
    hidden = np.zeros((window.height, window.width), np.uint8)
    for outline in covers:
        fill(hidden, window, outline)
    keep = (255 - hidden) if hidden.any() else None
    wear = noise.fine * np.float32(0.6) + noise.middle * np.float32(0.5)
    fray = np.clip(0.85 + 0.35 * noise.middle, 0.15, 1.0)
    dry = 1.0 - np.clip((surface.water - 0.6) * 4, 0, 1)

    def lay(coat: _Coat, strokes: list[tuple[Points, float]]) -> None:
        if not strokes:
            return
        mask = np.zeros((window.height, window.width), np.uint8)
        for points, width in strokes:
            stroke(mask, window, points, width)
        if keep is not None:
            mask = np.minimum(mask, keep)
        left, top, wide, high = cv2.boundingRect(mask)
        if wide == 0:
            return
        at = slice(top, top + high), slice(left, left + wide)
        alpha: Floats = mask[at].astype(np.float32) * np.float32(coat.strength / 255)
        if coat.frayed:
            alpha *= fray[at]
        if not coat.bridged:
            alpha *= dry[at]
        rough = 1.0 + np.float32(coat.tone) * wear[at]
        for band in range(3):
            plane = surface.albedo[at][..., band]
            plane += (np.float32(coat.colour[band]) * rough - plane) * alpha
        surface.lit[at] += (1.0 - surface.lit[at]) * alpha * np.float32(0.8)
        surface.water[at] *= 1.0 - alpha

    def of(*uses: str) -> list[Line]:
        return [line for line in near if line.use in uses]

    paved, marked = of("concrete", "lane"), of("asphalt", "marks")
    lay(_DITCH, [(line.points, line.width) for line in of("ditch")])
    lay(_SHOULDER, [(line.points, line.width + 2.6) for line in of("asphalt")])
    lay(_VERGE, [(line.points, line.width + 1.4) for line in paved])
    lay(_TRACK, [(line.points, line.width) for line in of("dirt")])
    lay(_RUTS, [(offset(line.points, side), 0.6) for line in of("dirt") if line.width > 2 for side in (-0.75, 0.75)])
    lay(_CONCRETE, [(line.points, line.width) for line in paved])
    lay(_ASPHALT, [(line.points, line.width) for line in of("asphalt")])
    wheels = [(side * line.width / 4 + rut, line) for line in marked for side in (-1, 1) for rut in (-0.8, 0.8)]
    lay(_WORN, [(offset(line.points, at), 0.55) for at, line in wheels])
    lay(_WHITE, [(offset(line.points, side * (line.width / 2 - 0.45)), 0.16) for line in marked for side in (-1, 1)])
    lay(_YELLOW, [(dash, 0.16) for line in lines if line.use in {"asphalt", "marks"} for dash in _dashes(line, window)])
    _wheels(window, of("wheels"), surface)


def _part(line: Line, window: Window) -> Line | None:
    """The stretch of a line that is seen, a little longer than that; None when it is nowhere near."""
    west, north, east, south = window.bounds(30.0)
    x, y = line.points[:, 0], line.points[:, 1]
    inside = np.flatnonzero((x > west) & (x < east) & (y > north) & (y < south))
    if len(inside) == 0:
        return None
    return replace(line, points=line.points[max(inside[0] - 2, 0) : inside[-1] + 3])


def _dashes(line: Line, window: Window) -> list[Points]:
    """Centre markings: 4 m on, 6 m off, counted from the road's own beginning."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line.points, axis=0).T))])
    start = np.arange(0, length[-1] - 4, 10.0)
    at = np.stack([start, start + 4.0], axis=1)
    ends = np.stack([np.interp(at, length, line.points[:, 0]), np.interp(at, length, line.points[:, 1])], axis=2)
    west, north, east, south = window.bounds(5.0)
    x, y = ends[:, 0, 0], ends[:, 0, 1]
    return list(ends[(x > west) & (x < east) & (y > north) & (y < south)])


def _wheels(window: Window, lines: list[Line], surface: Surface) -> None:
    """Pairs of pressed marks that darken bare soil."""
    mask: NDArray[np.uint8] = np.zeros((window.height, window.width), np.uint8)
    for line in lines:
        for side in (-0.95, 0.95):
            stroke(mask, window, offset(line.points, side), line.width)
    if mask.any():
        surface.albedo *= (1.0 - np.float32(0.30 / 255) * mask.astype(np.float32))[..., None]
