"""Registration by learned descriptors, for pairs whose gradients have too little in common.

The whole scene is described on one level and correlated over all shifts within the search range, for a few rotations.
The highest peak is the transform; whether it is *evidence* is decided by thresholds that no pair of two other places
passed (:data:`MIN_EVIDENCE`). Peaks near the georeferenced position need less evidence than distant ones:
georeferencing is usually right within the accuracy of its source, and chance peaks are anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.registration.alignment import Alignment
from inference.registration.descriptor_maps import Describer, DescriptorMap, correlation_surface, describe_level
from inference.registration.field_fitting import MIN_IMPROVEMENT, offset_mode, refine_field
from inference.registration.shift_field import Lattice, ShiftField
from inference.registration.state import RegistrationState
from inference.registration.window_matching import parabola_vertex
from inference.registration.windows import Level
from model.network_outputs import DESCRIPTOR_CELL_PX

Float64 = NDArray[np.float64]

LEVEL_AREA_PX = 1024 * 1024
"""Largest area of the level that is described."""

WINDOW_CELLS = 10
"""Side of the windows that refine the transform and give the residual, in cells."""

WINDOW_RADIUS = 3
"""Search radius of these windows, in cells, around the transform of the whole scene."""


MAX_WINDOWS = 9
"""Largest number of these windows along each axis."""

MIN_WINDOW_EVIDENCE = 0.05
"""Least evidence of a window's own match, around the transform of the whole scene."""

MIN_RADIUS = 4
"""Least search radius in cells: a peak can only stand out against its surroundings."""


CONTRAST_SHARE = 0.3
"""Weight of a peak's height above the median in its evidence; the height above the next peak has weight 1."""

DISTANCE_PENALTY = 0.006
LARGEST_PENALTY = 0.03
"""Evidence that a peak loses per cell of distance from the georeferenced position, and at most. Where the accuracy of
the coordinates is known, a peak within it loses nothing, and one beyond it twice as much."""

MIN_EVIDENCE = 0.07
"""Least evidence of one place on two dates, for :data:`EVIDENCE_CELLS`. Chosen on pairs of other places of the training
folders, see ``model/weights/registration.md``."""

EVIDENCE_CELLS, MAX_AREA_FACTOR = 1024, 1.87
"""Number of cells for which the least evidence holds, and the largest factor by which the evidence of more cells grows:
chance peaks fall with the root of the number of cells (measured: 0.07 on 32 × 32, 0.032 on 64 × 64)."""


@dataclass(frozen=True)
class Peak:
    """The highest peak of a correlation surface.

    Attributes:
        offset: (dx, dy) in cells, sub-cell.
        height: agreement at the peak.
        evidence: how much it stands out: height above the next peak, plus a share of that above the median, less the
            penalty of its distance.
        at_limit: whether it lies on the border of the search range.
    """

    offset: Float64
    height: float
    evidence: float
    at_limit: bool


def find_peak(surface: Float64, accuracy_cells: float | None = None) -> Peak:
    """Find the highest peak of a correlation surface (2r+1, 2r+1); ``accuracy_cells``: of the coordinates, if known."""
    side = surface.shape[0]
    radius = side // 2
    y, x = (int(v) for v in np.unravel_index(int(surface.argmax()), surface.shape))
    rest = surface.copy()
    rest[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = -1.0
    height = float(surface[y, x])
    evidence = height - float(rest.max()) + CONTRAST_SHARE * (height - float(np.median(surface)))
    distance, factor = math.hypot(x - radius, y - radius), 1.0
    if accuracy_cells is not None:
        distance, factor = max(distance - accuracy_cells - 0.5, 0.0), 2.0
    evidence -= factor * min(DISTANCE_PENALTY * distance, LARGEST_PENALTY)
    at_limit = x in (0, side - 1) or y in (0, side - 1)
    offset = np.array([x - radius, y - radius], np.float64)
    if not at_limit:
        across, down = (np.asarray(v) for v in (surface[y, x - 1 : x + 2], surface[y - 1 : y + 2, x]))
        offset += (float(parabola_vertex(*across)), float(parabola_vertex(*down)))
    return Peak(offset, height, evidence, at_limit)


@dataclass(frozen=True)
class Found:
    """What the descriptors say about a pair.

    Attributes:
        field: transform of the whole scene.
        evidence: evidence of the peak that gave it.
        at_limit: whether the peak lies on the border of the search range.
        after: the later date.
        level: the level that was described.
    """

    field: ShiftField
    evidence: float
    at_limit: bool
    after: DescriptorMap
    level: Level


def unit_px(found: Found) -> float:
    """Return the side of a cell in pixels of the common grid."""
    return float(DESCRIPTOR_CELL_PX * found.level.zoom)


def described_level(state: RegistrationState) -> Level:
    """Return the finest level of at most :data:`LEVEL_AREA_PX`."""
    zoom = 1
    while int(state.grid.width) * int(state.grid.height) > LEVEL_AREA_PX * zoom * zoom:
        zoom *= 2
    return Level(state.grid, zoom)


def search_by_descriptors(state: RegistrationState, describer: Describer) -> Found | None:
    """Search shift and rotation of the whole scene; None where no cell is valid on both dates."""
    level = described_level(state)
    unit = DESCRIPTOR_CELL_PX * level.zoom
    radius = max(math.ceil(state.search_range_px / unit), MIN_RADIUS)
    accuracy = None if state.accuracy_px is None else state.accuracy_px / unit
    after = describe_level(state.after, level, None, describer)
    best: Found | None = None
    for angle in _rotations(level, state.settings.max_rotation_deg):
        turned = ShiftField(state.field.centre, _rotation(angle))
        before = describe_level(state.before, level, turned, describer)
        if not (before.known * after.known).any():
            continue
        peak = find_peak(correlation_surface(before, after, radius), accuracy)
        cells = min(float(before.known.sum()), float(after.known.sum()))
        evidence = peak.evidence * min(math.sqrt(cells / EVIDENCE_CELLS), MAX_AREA_FACTOR)
        if best is None or evidence > best.evidence:
            affine = turned.affine.copy()
            # a shift in the turned image is a turned shift in the original one
            affine[0] = peak.offset * unit @ (np.eye(2) + affine[1:])
            field = ShiftField(turned.centre, affine)
            best = Found(field, evidence, peak.at_limit, after, level)
    return best


def _rotations(level: Level, largest_deg: float) -> list[float]:
    """Return rotations to try, 0 first; one step smears the map by two cells at most, and is at most 4°."""
    half_cells = math.hypot(level.width, level.height) / 2.0 / DESCRIPTOR_CELL_PX
    step = min(max(math.degrees(2.0 / max(half_cells, 1.0)), 2.0), 4.0)
    count = math.floor(largest_deg / step)
    return [0.0, *(sign * step * n for n in range(1, count + 1) for sign in (1.0, -1.0))]


def _rotation(degrees: float) -> Float64:
    """Return the affine part (3, 2) of a rotation about the centre."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[0.0, 0.0], [cos - 1.0, sin], [-sin, cos - 1.0]])


def refine_by_descriptors(state: RegistrationState, found: Found, describer: Describer) -> Alignment:
    """Refine the transform by windows of cells, and measure the residual by cross-validation.

    Every fourth window in turn is left out of the fit and measured against it, as with gradients. The residual includes
    the imprecision of the descriptors, so it is rather told too large than too small.
    """
    level = found.level
    unit = DESCRIPTOR_CELL_PX * level.zoom
    before = describe_level(state.before, level, found.field, describer)
    rows, columns = found.after.known.shape
    tops, lefts = (_starts(side) for side in (rows, columns))
    total = np.zeros((len(tops), len(lefts), 2))
    weight = np.zeros((len(tops), len(lefts)))
    tried = 0
    centre = (WINDOW_CELLS - 1) / 2.0
    lattice = _lattice(tops.astype(np.float64) + centre, lefts.astype(np.float64) + centre, unit)
    points = lattice.points().reshape(len(tops), len(lefts), 2)
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            window = found.after.window(slice(top, top + WINDOW_CELLS), slice(left, left + WINDOW_CELLS))
            if window.known.sum() < 0.4 * WINDOW_CELLS**2:
                continue
            tried += 1
            peak = find_peak(correlation_surface(before, window, WINDOW_RADIUS))
            if peak.evidence < MIN_WINDOW_EVIDENCE or peak.at_limit:
                continue
            offset = peak.offset * unit
            total[i, j] = offset + found.field.at((points[i, j] + offset)[None])[0]
            weight[i, j] = 1.0
    flat = points.reshape(-1, 2)
    candidates = (_fit_shift, _fit_affine)  # the simpler one first: it wins unless the other predicts better
    used = int(np.count_nonzero(weight))
    field, remaining = found.field, np.full(1, unit / 2.0)  # without windows, a peak is precise to half a cell
    lowest = math.inf
    for fit in candidates if used >= 2 else ():
        rest = np.full(weight.shape, np.nan)
        for quarter in _quarters(weight.shape):
            without = np.where(quarter, 0.0, weight)
            if np.count_nonzero(without):
                apart = total - fit(found.field, lattice, total, without, unit).at(flat).reshape(total.shape)
                rest[quarter] = np.linalg.norm(apart, axis=-1)[quarter]
        checked = rest[(weight > 0) & np.isfinite(rest)]
        if checked.size and float(np.median(checked)) < MIN_IMPROVEMENT * lowest:
            lowest = float(np.median(checked))
            field, remaining = fit(found.field, lattice, total, weight, unit), checked
    field = field.quantized()
    shifts = total[weight > 0] if used else found.field.affine[:1]
    longest = field.max_length(int(state.grid.width), int(state.grid.height))
    return Alignment(
        True,
        None,
        float(np.median(remaining)),
        float(np.percentile(remaining, 90)),
        float(np.median(np.linalg.norm(shifts, axis=-1))),
        used,
        tried,
        longest,
        field,
        method="descriptors",
    )


def _quarters(shape: tuple[int, ...]) -> Iterator[NDArray[np.bool_]]:
    """Yield masks of every fourth window in turn."""
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        quarter = np.zeros(shape, np.bool_)
        quarter[row::2, column::2] = True
        yield quarter


def _fit_shift(field: ShiftField, lattice: Lattice, total: Float64, weight: Float64, unit: float) -> ShiftField:
    """Return the field moved by the shift that most windows agree on."""
    more = (total.reshape(-1, 2) - field.at(lattice.points()))[weight.ravel() > 0]
    affine = field.affine.copy()
    affine[0] += offset_mode(more, np.ones(len(more)), WINDOW_RADIUS * unit / 2.0)
    return ShiftField(field.centre, affine)


def _fit_affine(field: ShiftField, lattice: Lattice, total: Float64, weight: Float64, unit: float) -> ShiftField:
    """Return the field refined by a robust affine transform."""
    return refine_field(field, lattice, total, weight, unit, WINDOW_RADIUS, None)


def _starts(cells: int) -> NDArray[np.intp]:
    """Return the first cell of each window along an axis: half overlapping, at most nine."""
    room = max(cells - WINDOW_CELLS, 0)
    count = int(np.clip(room // (WINDOW_CELLS // 2) + 1, 1, MAX_WINDOWS))
    return np.rint(np.linspace(0, room, count)).astype(np.intp)


def _lattice(rows: Float64, columns: Float64, unit: float) -> Lattice:
    """Return the positions of windows, given by their centres in cells, on the common grid."""

    def axis(cells: Float64) -> tuple[float, float, int]:
        at = (cells + 0.5) * unit - 0.5
        return float(at[0]), float((at[-1] - at[0]) / (len(at) - 1)) if len(at) > 1 else 1.0, len(at)

    x0, dx, width = axis(columns)
    y0, dy, height = axis(rows)
    return Lattice(x0, y0, dx, dy, width, height)
