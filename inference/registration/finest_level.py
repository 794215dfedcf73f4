"""Last step of a registration: the field on the finest level, and its residual on held-out windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from errors import Reason
from inference.registration.alignment import Alignment
from inference.registration.coarse_registration import max_displacement
from inference.registration.state import SEARCH_PX, RegistrationState
from inference.registration.window_matching import match_windows
from inference.registration.windows import Level, Windows, place_windows

Float64 = NDArray[np.float64]

REPEAT_ABOVE_PX = 4.0
"""Median correction above which the level is measured again with the corrected field."""

AGREEMENT_PX = 3.0
"""Distance from the field, in pixels of the level, within which a window counts as used."""

MIN_CHECK_WINDOWS = 16
"""Least number of held-out windows. With fewer, the others are left out in turn: a median of five is too uncertain."""


def register_finest(state: RegistrationState, zooms: list[int]) -> Alignment:
    """Register on the finest level, or on the next coarser one if too few windows match (woods, open fields)."""
    start = state.field
    outcome = _register_level(state, Level(state.grid, zooms[-1]))
    if outcome.usable or outcome.residual_px is not None or zooms[-2] == zooms[-1]:
        return outcome
    state.field = start
    coarser = _register_level(state, Level(state.grid, zooms[-2]))
    return coarser if coarser.usable else outcome


@dataclass
class _LevelMeasurement:
    """Windows of a level, measured with every fourth one held out of the fit. Arrays are (rows, columns[, 2]).

    Attributes:
        windows: the windows.
        total: total shift of each window, grid pixels.
        weight: trust of each window.
        remaining: length of the shift that remains after correction, grid pixels; NaN where not measured.
        tried: number of windows with enough valid ground on both dates.
        textured: number of windows that also have texture on both dates.
    """

    windows: Windows
    total: Float64
    weight: Float64
    remaining: Float64
    tried: int
    textured: int


def _measure_level(state: RegistrationState, level: Level) -> _LevelMeasurement:
    """Match the windows of a level; fit without every fourth one, and match those through the corrected field."""
    settings = state.settings
    side = state.window_side(level)
    step = 0.5 if min(level.width, level.height) < 6 * side else 1.0
    windows = place_windows(level, side, (step, step), settings.max_windows)
    held_out = Windows(level, side, windows.lefts[1::2], windows.tops[1::2])
    skip = np.zeros((len(windows.tops), len(windows.lefts)), np.bool_)
    skip[1::2, 1::2] = True
    for attempt in range(2):
        start = state.field
        similarity = state.compare(windows, SEARCH_PX, skip=skip)
        matches = match_windows(similarity.surfaces, similarity.textured)
        total, weight = state.total_shift(windows, matches), matches.weight.copy()
        state.field = state.refine(windows, total, weight)
        if attempt == 0:
            points = windows.lattice.points()
            corrected = np.linalg.norm(state.field.at(points) - start.at(points), axis=1) / level.zoom
            if float(np.median(corrected)) < REPEAT_ABOVE_PX:
                break  # otherwise windows were partly outside the search radius: repeat with the corrected field
    tried, textured = int(similarity.tried.sum()), int(similarity.textured.sum())
    remaining = np.full(weight.shape, np.nan)
    if skip.any():
        similarity = state.compare(held_out, SEARCH_PX)
        matches = match_windows(similarity.surfaces, similarity.textured)
        total[1::2, 1::2], weight[1::2, 1::2] = state.total_shift(held_out, matches), matches.weight
        remaining[1::2, 1::2] = np.linalg.norm(matches.offset, axis=-1) * level.zoom
        tried, textured = tried + int(similarity.tried.sum()), textured + int(similarity.textured.sum())
    state.field = start
    return _LevelMeasurement(windows, total, weight, remaining, tried, textured)


def _register_level(state: RegistrationState, level: Level) -> Alignment:
    """Measure the residual on held-out windows of a level, then fit the field to all windows."""
    settings = state.settings
    measured = _measure_level(state, level)
    total, weight, remaining, tried = measured.total, measured.weight, measured.remaining, measured.tried
    # a match pooled with neighbours is not independent of them: such windows are used only if there are no others
    trusted = weight == max(float(weight.max()), 1e-9)
    if np.count_nonzero(trusted & np.isfinite(remaining)) < MIN_CHECK_WINDOWS:
        _cross_validate(state, measured.windows, total, weight, remaining)
    checked = trusted & np.isfinite(remaining)
    used = int((weight > 0).sum())
    if not checked.any() or used < settings.min_trusted * measured.textured:
        return state.without_field(
            Reason(
                f"only {used} of {tried} windows found their match on the other date: too little in common to register",
                "align.windows",
                used=used,
                tried=tried,
            ),
            used,
            tried,
        )
    residual, residual_p90 = float(np.median(remaining[checked])), float(np.percentile(remaining[checked], 90))
    residual_before = float(np.median(np.linalg.norm(total[checked], axis=-1)))
    field = state.refine(measured.windows, total, weight)
    longest = field.max_length(int(state.grid.width), int(state.grid.height))
    apart = np.linalg.norm(total - field.at(measured.windows.lattice.points()).reshape(total.shape), axis=-1)
    used = int(((weight > 0) & (apart < max(AGREEMENT_PX * level.zoom, 2.0 * residual))).sum())
    reason = None
    if residual > settings.max_residual_px:
        reason = Reason(
            f"residual {residual:.1f} px is above the limit of {settings.max_residual_px:.1f} px",
            "align.residual",
            residual=residual,
            most=settings.max_residual_px,
        )
    elif longest > (limit := _max_plausible_shift(state)):
        reason = Reason(
            f"a shift of {longest:.0f} px is implausible: more than the {limit:.0f} px searched",
            "align.shift",
            shift=longest,
            most=limit,
        )
    return Alignment(reason is None, reason, residual, residual_p90, residual_before, used, tried, longest, field)


def _cross_validate(
    state: RegistrationState, windows: Windows, total: Float64, weight: Float64, remaining: Float64
) -> None:
    """Fill ``remaining`` for the other three quarters of the windows, each measured against a fit without it."""
    for row, column in ((0, 0), (0, 1), (1, 0)):
        quarter = np.zeros(weight.shape, np.bool_)
        quarter[row::2, column::2] = True
        without = np.where(quarter, 0.0, weight)
        if np.count_nonzero(without) and quarter.any():
            field = state.refine(windows, total, without)
            rest = total - field.at(windows.lattice.points()).reshape(total.shape)
            remaining[quarter] = np.linalg.norm(rest, axis=-1)[quarter]


def _max_plausible_shift(state: RegistrationState) -> float:
    """Return the longest plausible shift by the search ranges, in pixels of the common grid."""
    half = math.hypot(int(state.grid.width), int(state.grid.height)) / 2.0
    rotation, growth = state.settings.max_rotation_deg, state.settings.max_scale_error
    return 1.2 * (math.sqrt(2.0) * state.search_range_px + max_displacement(half, rotation, growth)) + 8.0
