"""Difference of two frames of one view that responds to their content and not to their illumination.

Each neighbourhood is described by its edge directions (histograms of gradients of log grey, Dalal and Triggs 2005), its
edge strength and its colour. The logarithm turns the intensity of the light into a constant and the gradient removes
it. The colour of the light is removed as the median colour shift of the view.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from imagery.cameras.camera import Frame

Floats = NDArray[np.float32]

CELL_PX = 4
"""Side of a cell in pixels of the working frame."""

WORKING_WIDTH = 960
"""Width of the working frame in pixels."""

_DIRECTIONS = 8
_LOG_OFFSET = 12.0  # grey levels, below which the logarithm would amplify noise
_EDGE_FLOOR = 0.035  # mean gradient of a practically empty neighbourhood
_COLOUR_SCALE = 0.35  # shift of log colour that counts as a full difference
_COMMON_SHIFT = 0.15  # of log colour around the median, within which a shift counts as common
_NEIGHBOURHOOD_SIGMA = 1.5  # cells


@dataclass(frozen=True)
class FrameFeatures:
    """Illumination-independent description of a frame, in cells.

    Attributes:
        edges: h×w×8, edge strength by direction, averaged over the neighbourhood.
        colour: h×w×2, logarithms of red over green and blue over green.
        valid: h×w, whether the frame covers the cell.
    """

    edges: Floats
    colour: Floats
    valid: NDArray[np.bool_]


def describe_frame(frame: Frame) -> FrameFeatures:
    """Compute the features of a frame that is aligned with its reference frame."""
    scale = min(1.0, WORKING_WIDTH / frame.shape[1])
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
    rows, columns = small.shape[0] // CELL_PX, small.shape[1] // CELL_PX
    small = small[: rows * CELL_PX, : columns * CELL_PX]
    bands = np.log(cv2.GaussianBlur(small, (0, 0), 0.8).astype(np.float32) + _LOG_OFFSET)
    grey = bands.mean(axis=2)
    across, along = cv2.Scharr(grey, cv2.CV_32F, 1, 0) / 32, cv2.Scharr(grey, cv2.CV_32F, 0, 1) / 32
    strength = np.hypot(across, along)
    bins = (np.arctan2(along, across) % np.pi) / np.pi * _DIRECTIONS
    lower = bins.astype(int)
    fraction = bins - lower
    edges = np.empty((rows, columns, _DIRECTIONS), np.float32)
    for k in range(_DIRECTIONS):
        weight = np.where(lower % _DIRECTIONS == k, 1 - fraction, np.where((lower + 1) % _DIRECTIONS == k, fraction, 0))
        edges[..., k] = _cell_means((strength * weight).astype(np.float32))
    ratios = np.stack([bands[..., 0] - bands[..., 1], bands[..., 2] - bands[..., 1]], axis=-1)
    colour = np.stack([_cell_means(ratios[..., k]) for k in range(2)], axis=-1)
    black = (small.max(axis=2) == 0).astype(np.float32)
    valid = cv2.resize(black, (columns, rows), interpolation=cv2.INTER_AREA) < 0.05
    valid = cv2.erode(valid.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return FrameFeatures(edges, colour, valid > 0)


def difference(one: FrameFeatures, other: FrameFeatures) -> Floats:
    """Difference in each cell, h×w, from 0 (equal) to 1 (something else); 0 where either frame does not cover it."""
    both = one.valid & other.valid
    if not both.any():
        return np.zeros(both.shape, np.float32)
    # haze reduces the contrast of one frame, so edge strengths are scaled to the same median
    one_median = float(np.median(one.edges[both].sum(axis=1)))
    other_median = float(np.median(other.edges[both].sum(axis=1)))
    other_edges = other.edges * np.float32(one_median / max(other_median, 1e-6))
    edge_difference = np.abs(one.edges - other_edges).sum(axis=2)
    structure = edge_difference / (one.edges.sum(axis=2) + other_edges.sum(axis=2) + _EDGE_FLOOR * _DIRECTIONS / 4)
    shift = one.colour - other.colour
    shift = shift - _common_shift(shift[both])
    colour_difference = np.sqrt((shift**2).sum(axis=2)) / _COLOUR_SCALE
    out = np.minimum(1.0, np.hypot(structure, colour_difference)).astype(np.float32)
    out[~both] = 0
    return np.asarray(out, np.float32)


def _common_shift(shifts: Floats) -> Floats:
    """Colour shift that most of the view shares: the median, repeated over values near it."""
    median = np.median(shifts, axis=0)
    for _ in range(3):
        near = np.abs(shifts - median).max(axis=1) < _COMMON_SHIFT
        if near.sum() < 0.2 * len(shifts):
            break
        median = np.median(shifts[near], axis=0)
    return np.asarray(median, np.float32)


def _cell_means(values: Floats) -> Floats:
    rows, columns = values.shape[0] // CELL_PX, values.shape[1] // CELL_PX
    mean = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(mean, (0, 0), _NEIGHBOURHOOD_SIGMA), np.float32)
