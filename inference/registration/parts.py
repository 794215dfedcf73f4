"""Parts of an image that are displaced against the rest: halves of a mosaic, blocks, scan strips.

A smooth field cannot follow a step. Windows that found no match near the field are matched again over the whole search
range; shifts on which several agree are candidates. Each pixel of the level then gets the candidate whose gradients
agree best around it, where that is clearly better than the field. Along steps that a detector does not bear, ground is
shown twice or not at all on the earlier date: it is not registered, and not compared.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.registration.shift_field import NOT_REGISTERED, Parts, ShiftField
from inference.registration.state import RegistrationState
from inference.registration.window_matching import EDGE_PX, describe_gradients, parabola_vertex
from inference.registration.windows import Level, compare_windows, place_windows, read_box

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Labels = NDArray[np.uint8]

LEVEL_AREA_PX = 1024 * 1024
"""Largest area of the level on which parts are searched."""

NEAR, FAR = (64, 14.0), (96, 72.0)
"""Side of windows, pixels of the level, and search radius, pixels of the common grid: for scan strips, and for parts of
mosaics, which are often further off than the whole image."""

MATCHED_SHARE = 0.8
"""Share of the height of a window's peak at which its surface supports another shift."""

MIN_VOTE = 5.0
"""Least height of the peak of a vote of unmatched windows, in standard deviations."""

MAX_WINDOWS = 14
"""Largest number of windows along each axis."""

MIN_STEP_PX = 4.0
"""Least displacement of a part, in pixels of the level; the smooth field follows smaller ones."""

MIN_WINDOWS = 3
"""Least number of windows that must support a displacement."""

AGREEMENT_PX = 2.5
"""Distance within which two displacements are the same, pixels of the level."""

MAX_PARTS = 6

BOX_PX = 65
"""Side of the box over which gradients must agree, pixels of the level."""

MIN_GAIN = 0.06
"""Gain of the agreement over that of the field from which a cell certainly belongs to a part."""

CELL_PX = 8
"""Side of a cell of the part map, pixels of the level."""

SMOOTHING_CELLS = 7
"""Side of the box in which the most frequent label of the cells wins."""

MIN_CELLS = 100
"""Least number of certain cells of a part, and smallest gap in it."""

MAX_SEAM_CELLS = 5
"""Largest distance from a step within which ground counts as not registered, cells."""

BORNE_PX = 8.0
"""Step, in pixels of the common grid, that the detector bears: with it F1 is lower by 0.006."""


def find_parts(state: RegistrationState, base: ShiftField) -> ShiftField | None:
    """Return the field with the displaced parts of the earlier image added; None if there are none."""
    zoom = 1
    while int(state.grid.width) * int(state.grid.height) > LEVEL_AREA_PX * zoom * zoom:
        zoom *= 2
    level = Level(state.grid, zoom)
    found = [_candidates(state, level, base, *windows) for windows in (FAR, NEAR)]
    steps = np.concatenate([found[0], *(step[None] for step in found[1] if not _among(step, found[0]))])[:MAX_PARTS]
    if not len(steps):
        return None
    labels, steps = _label(state, level, base, steps)
    if not (labels > 0).any():
        return None
    used = np.unique(labels)
    labels, steps = np.searchsorted(used, labels).astype(np.uint8), steps[used]
    labels = with_seams(labels, steps, zoom)
    return ShiftField(base.centre, base.affine, base.lattice, base.nodes, Parts(CELL_PX * zoom, labels, steps * zoom))


def _among(step: Float64, steps: Float64) -> bool:
    return bool((np.linalg.norm(steps - step, axis=1) < AGREEMENT_PX).any())


def _candidates(state: RegistrationState, level: Level, base: ShiftField, side: int, search_px: float) -> Float64:
    """Return displacements (n, 2) from the field, in pixels of the level, for which the unmatched windows vote."""
    windows = place_windows(level, side, (0.5, 0.5), MAX_WINDOWS)
    radius = math.ceil(search_px / level.zoom) + 2
    similarity = compare_windows(state.before, state.after, windows, radius, base)
    surfaces = similarity.surfaces[similarity.textured]
    if not len(surfaces):
        return np.zeros((0, 2))
    surfaces = surfaces / (surfaces.std(axis=(1, 2), keepdims=True) + 1e-9)
    surfaces = np.stack([cv2.GaussianBlur(surface, (0, 0), 1.0) for surface in surfaces])
    height = surfaces.max(axis=(1, 2))
    near = surfaces[:, radius - 3 : radius + 4, radius - 3 : radius + 4].max(axis=(1, 2))
    rest = near < MATCHED_SHARE * height
    found: list[Float64] = []
    while np.count_nonzero(rest) >= MIN_WINDOWS and len(found) < MAX_PARTS:
        total = surfaces[rest].sum(axis=0)
        y, x = (int(v) for v in np.unravel_index(int(total.argmax()), total.shape))
        around = np.s_[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
        agree = rest & (surfaces[(slice(None), *around)].max(axis=(1, 2)) >= MATCHED_SHARE * height)
        score = (total[y, x] - total.mean()) / (total.std() + 1e-9)
        if score < MIN_VOTE or np.count_nonzero(agree) < MIN_WINDOWS:
            break
        rest &= ~agree
        if math.hypot(y - radius, x - radius) >= MIN_STEP_PX:
            found.append(np.array([x - radius, y - radius], np.float64))
    return np.array(found).reshape(-1, 2)


def _label(state: RegistrationState, level: Level, base: ShiftField, steps: Float64) -> tuple[Labels, Float64]:
    """Give each cell of the level the displacement that fits best around it: 0 for the field, k for ``steps[k - 1]``.

    Returns:
        labels (rows, columns) and the displacements (n + 1, 2) of the labels, sub-pixel; that of 0 is zero.
    """
    box = (0, 0, level.width, level.height)
    later = describe_gradients(*read_box(state.after, level, box, 0, None))
    margin = math.ceil(float(np.abs(steps).max())) + 2 + EDGE_PX
    earlier = describe_gradients(*read_box(state.before, level, box, margin, base))
    energy = cv2.blur((later**2).sum(axis=2), (BOX_PX, BOX_PX))

    def products(step: Float64) -> tuple[Float32, Float32]:
        x, y = (int(v) + margin for v in np.rint(step))
        moved = earlier[y : y + level.height, x : x + level.width]
        return np.einsum("ijc,ijc->ij", moved, later), np.einsum("ijc,ijc->ij", moved, moved)

    def agreement(step: Float64) -> Float32:
        product, own = products(step)
        other = cv2.blur(own, (BOX_PX, BOX_PX))
        return np.asarray(cv2.blur(product, (BOX_PX, BOX_PX)) / np.sqrt(energy * other + 1e-4), np.float32)

    whole = np.vstack([np.zeros((1, 2)), steps])
    maps = np.stack([agreement(step) for step in whole])
    centres = [np.minimum(np.arange(0, side, CELL_PX) + CELL_PX // 2, side - 1) for side in (level.height, level.width)]
    maps = maps[np.ix_(np.arange(len(whole)), *centres)]
    labels = _clean(maps.argmax(axis=0).astype(np.uint8), maps[1:].max(axis=0) >= maps[0] + MIN_GAIN, len(whole))
    refined = [np.zeros(2)]
    for number, step in enumerate(steps, 1):
        inside = (labels == number).repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)[: level.height, : level.width]
        centre = np.rint(step)

        def total(dx: int, dy: int, centre: Float64 = centre, inside: NDArray[np.bool_] = inside) -> Float64:
            return np.asarray(products(centre + np.array([dx, dy]))[0][inside].sum(), np.float64)

        if inside.any():
            across, down = [total(dx, 0) for dx in (-1, 0, 1)], [total(0, dy) for dy in (-1, 0, 1)]
            centre = centre + np.array([float(parabola_vertex(*across)), float(parabola_vertex(*down))])
        refined.append(centre)
    return labels, np.array(refined)


def _clean(labels: Labels, certain: NDArray[np.bool_], count: int) -> Labels:
    """Smooth the outlines of parts, close small gaps in them, and drop those of which little is certain."""
    box = (SMOOTHING_CELLS, SMOOTHING_CELLS)
    votes = [cv2.blur((labels == number).astype(np.float32), box) for number in range(count)]
    labels = np.asarray(np.argmax(votes, axis=0), np.uint8)
    out = np.zeros_like(labels)
    for number in range(1, count):
        mask = cv2.morphologyEx((labels == number).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
        for value in (0, 1):  # gaps, then parts
            found, components = cv2.connectedComponents((mask == value).astype(np.uint8), connectivity=4)
            counted = components if value == 0 else np.where(certain, components, 0)
            small = np.flatnonzero(np.bincount(counted.ravel(), minlength=found) < MIN_CELLS)
            mask[np.isin(components, small[small > 0])] = 1 - value
        out[mask > 0] = number
    return out


def with_seams(labels: Labels, steps: Float64, zoom: int) -> Labels:
    """Mark the cells along steps that are too large to be borne as not registered."""
    out = labels.copy()
    for first in np.unique(labels):
        for second in np.unique(labels):
            step = float(np.linalg.norm(steps[first] - steps[second]))
            if second <= first or step * zoom <= BORNE_PX:
                continue
            reach = min(1 + math.ceil(step / 2.0 / CELL_PX), MAX_SEAM_CELLS)
            kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
            near = [cv2.dilate((labels == number).astype(np.uint8), kernel) for number in (first, second)]
            out[(near[0] & near[1]) > 0] = NOT_REGISTERED
    return out
