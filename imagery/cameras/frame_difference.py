"""How much two frames of one view differ in what is there, and not in its light.

Compared are, in each neighbourhood, the directions of its edges (histograms of gradients of the logarithm of
grey, Dalal and Triggs 2005), how busy it is, and its colour. A logarithm turns the strength of the light into a
constant, a gradient removes it, and what is left of its colour is taken off as the median of the whole view.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from imagery.cameras.camera import Frame

Floats = NDArray[np.float32]

CELL = 4
"""Pixels of the working frame that become one cell."""
WIDE = 960
"""Width of the working frame."""
_DIRECTIONS = 8
_OFFSET = 12.0  # grey levels: below, a logarithm shows noise
_EDGE_FLOOR = 0.035  # mean gradient of a neighbourhood that is as good as empty
_COLOUR = 0.35  # shift of a colour's logarithm that is as good as another thing
_SHARED = 0.15  # within which colours shift alike
_REACH = 1.5  # cells, sigma of a neighbourhood


@dataclass(frozen=True)
class Look:
    """What is compared of a frame, in cells.

    Attributes:
        edges: h×w×8, strength of edges by direction, mean over the neighbourhood.
        colour: h×w×2, logarithms of red over green and blue over green.
        seen: h×w, whether the frame reaches there.
    """

    edges: Floats
    colour: Floats
    seen: NDArray[np.bool_]


def look_of(frame: Frame) -> Look:
    """Describe a frame that lies as its reference frame."""
    scale = min(1.0, WIDE / frame.shape[1])
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
    rows, columns = small.shape[0] // CELL, small.shape[1] // CELL
    small = small[: rows * CELL, : columns * CELL]
    bands = np.log(cv2.GaussianBlur(small, (0, 0), 0.8).astype(np.float32) + _OFFSET)
    grey = bands.mean(axis=2)
    across, along = cv2.Scharr(grey, cv2.CV_32F, 1, 0) / 32, cv2.Scharr(grey, cv2.CV_32F, 0, 1) / 32
    strength = np.hypot(across, along)
    turn = (np.arctan2(along, across) % np.pi) / np.pi * _DIRECTIONS
    low = turn.astype(int)
    part = turn - low
    edges = np.empty((rows, columns, _DIRECTIONS), np.float32)
    for k in range(_DIRECTIONS):
        share = np.where(low % _DIRECTIONS == k, 1 - part, np.where((low + 1) % _DIRECTIONS == k, part, 0))
        edges[..., k] = _in_cells((strength * share).astype(np.float32))
    ratios = np.stack([bands[..., 0] - bands[..., 1], bands[..., 2] - bands[..., 1]], axis=-1)
    colour = np.stack([_in_cells(ratios[..., k]) for k in range(2)], axis=-1)
    black = (small.max(axis=2) == 0).astype(np.float32)
    seen = cv2.resize(black, (columns, rows), interpolation=cv2.INTER_AREA) < 0.05
    seen = cv2.erode(seen.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return Look(edges, colour, seen > 0)


def difference(one: Look, other: Look) -> Floats:
    """h×w, 0 the same … 1 another thing; 0 where one of them does not reach."""
    strong, weak = one.edges, other.edges
    # the air between takes contrast off the one frame: brought to the same strength over the view
    both = one.seen & other.seen
    if not both.any():
        return np.zeros(both.shape, np.float32)
    ratio = float(np.median(strong[both].sum(axis=1)) / max(float(np.median(weak[both].sum(axis=1))), 1e-6))
    weak = weak * np.float32(ratio)
    apart = np.abs(strong - weak).sum(axis=2)
    structure = apart / (strong.sum(axis=2) + weak.sum(axis=2) + _EDGE_FLOOR * _DIRECTIONS / 4)
    hue = one.colour - other.colour
    hue = hue - _common(hue[both])
    tint = np.sqrt((hue**2).sum(axis=2)) / _COLOUR
    out = np.minimum(1.0, np.hypot(structure, tint)).astype(np.float32)
    out[~both] = 0
    return np.asarray(out, np.float32)


def _common(hue: Floats) -> Floats:
    """The shift of colour that most of the view shares: a median, then that of what lies near it."""
    middle = np.median(hue, axis=0)
    for _ in range(3):
        near = np.abs(hue - middle).max(axis=1) < _SHARED
        if near.sum() < 0.2 * len(hue):
            break
        middle = np.median(hue[near], axis=0)
    return np.asarray(middle, np.float32)


def _in_cells(values: Floats) -> Floats:
    rows, columns = values.shape[0] // CELL, values.shape[1] // CELL
    mean = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(mean, (0, 0), _REACH), np.float32)
