"""Registration of two dates, measured from the images themselves: robust, coarse to fine, local.

The first guess comes from one small overview of the whole scene (:mod:`inference.registration.coarse_registration`). Each finer level reads a
bounded number of windows, the earlier image already moved by what is known, matches them by the structure of their
gradients (:mod:`inference.registration.window_matching`) and improves the field (:mod:`inference.registration.field_fitting`). On the finest level every
fourth window is kept out of the fit, read through the correction that the others gave, and says what is left: the
residual.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from errors import Reason
from inference.raster_source import RasterSource
from inference.registration.alignment import Alignment, AlignSettings
from inference.registration.coarse_registration import allowance, hypotheses, vote
from inference.registration.field_fitting import refine_field
from inference.registration.shift_field import ShiftField, identity_field
from inference.registration.window_matching import Matches, decide
from inference.registration.windows import Compared, Level, Windows, compare_windows, lay_windows

__all__ = ["AlignSettings", "Alignment", "RasterSource", "measure_alignment"]

Float64 = NDArray[np.float64]

REACH = 12
"""Pixels of a level over which a window is sought around what the coarser level said."""

BLUR_TURNED_PX, BLUR_PX = 1.8, 1.0
"""Softening of the votes: a window turned by 2° is smeared by two pixels at its ends."""

CLEAR = 5.0
"""What the vote must reach for two images to have anything in common. Measured on LEVIR-CD validation images: one place
on two dates 7 to 67, two places 3 to 5. On images of few windows the two overlap and the windows' own trust decides."""

AGAIN_PX = 4.0
"""A finest level that moves the field by more than this is measured once more from there."""

WORTH_PX = (0.03, 0.075)
"""Remainders (level pixels, root mean square) that bending the field is worth, on the finest and other levels."""

LEAST_SEARCH = 10
"""Pixels of the overview searched at least: without surroundings nobody can say that a peak stands out."""

FEW_WITNESSES = 16
"""With fewer windows kept out of the fit than this, the others are left out in turn: a median of five is a guess."""


@dataclass
class _Measurement:
    """What is known so far, while the levels are gone through."""

    before: RasterSource
    after: RasterSource
    grid: GeoBox
    settings: AlignSettings
    field: ShiftField

    def refused(self, reason: str, used: int = 0, tried: int = 0, usable: bool = False) -> Alignment:
        """An outcome without a measured field."""
        zero = identity_field(int(self.grid.width), int(self.grid.height))
        return Alignment(usable, reason, None, None, None, used, tried, 0.0, zero)

    def compare(self, windows: Windows, reach: int, skip: NDArray[np.bool_] | None = None) -> Compared:
        """Windows under the field known so far."""
        return compare_windows(self.before, self.after, windows, reach, self.field, skip)

    def total(self, windows: Windows, matches: Matches) -> Float64:
        """Whole shift (rows, columns, 2) in pixels of the grid that windows say under the field they were read with."""
        offset = matches.offset * windows.level.zoom
        flat = offset.reshape(-1, 2)
        # What was found at p + offset in the moved image lies at p + offset + field(p + offset) in the image itself.
        return np.asarray(offset + self.field.at(windows.lattice.points() + flat).reshape(offset.shape))

    def refine(self, windows: Windows, total: Float64, weight: Float64, finest: bool = True) -> ShiftField:
        """The field improved by windows. Coarser levels do not bend it for what may be their own matching error."""
        worth = WORTH_PX[0 if finest else 1] if self.settings.local else None
        zoom = windows.level.zoom
        return refine_field(self.field, windows.lattice, total, weight, zoom, REACH / 2.0, worth).settled()


def measure_alignment(
    before: RasterSource,
    after: RasterSource,
    grid: GeoBox,
    settings: AlignSettings,
    progress: Callable[[float], None] | None = None,
) -> Alignment:
    """Measure how the earlier image must be moved to lie on the later one.

    Args:
        before: the earlier image, the one that is moved.
        after: the later image, which stays.
        grid: the common grid; square pixels, metric CRS, or none for pairs that have pixels only.
        settings: see :class:`AlignSettings`.
        progress: called with the part done, 0 to 1.

    Returns:
        The alignment. A pair that cannot be registered is an outcome (``usable`` False with its reason), not an error.
    """
    tell = progress or (lambda _: None)
    state = _Measurement(before, after, grid, settings, identity_field(int(grid.width), int(grid.height)))
    zooms = _zooms(max(int(grid.width), int(grid.height)), settings.overview_px)
    tell(0.0)
    refusal = _first_guess(state, Level(grid, zooms[0]))
    if refusal is not None:
        tell(1.0)
        return refusal
    for number, zoom in enumerate(zooms[:-1]):
        tell((1.0 + number) / (len(zooms) + 2.0))
        windows = lay_windows(Level(grid, zoom), _side(Level(grid, zoom), settings), (0.5, 0.5), 10)
        seen = state.compare(windows, REACH)
        matches = decide(seen.surfaces, seen.textured)
        state.field = state.refine(windows, state.total(windows, matches), matches.weight, finest=False)
    tell(len(zooms) / (len(zooms) + 2.0))
    outcome = _finish(state, zooms)
    tell(1.0)
    return outcome


def _zooms(longest: int, overview_px: int) -> list[int]:
    """Zooms from the overview down to 1 by factors of four, by two at the end.

    The level at 2 is always there on larger images: over woods and fields it is the most reliable one.
    """
    zoom = 1
    while longest / zoom > overview_px:
        zoom *= 2
    out = [zoom]
    while out[-1] > 1:
        out.append(out[-1] // 4 if out[-1] > 4 else out[-1] // 2)
    return [1, 1] if out == [1] else out


def _side(level: Level, settings: AlignSettings) -> int:
    """Side of a window: a third of a small level, else what the settings say."""
    return int(np.clip(min(level.width, level.height) // 3, 32, settings.window_px))


def _search_px(state: _Measurement) -> float:
    """Largest shift looked for, in pixels of the common grid."""
    settings = state.settings
    if state.grid.crs is None:
        return settings.search_px
    return max(settings.search_px, settings.search_m / abs(float(state.grid.resolution.x)))


def _first_guess(state: _Measurement, level: Level) -> Alignment | None:
    """Find shift, rotation and scale on the overview; the outcome when that is not possible, else None."""
    settings = state.settings
    asked = _search_px(state)
    search = max(math.ceil(asked / level.zoom), LEAST_SEARCH)
    half = math.hypot(level.width, level.height) / 2.0
    radius = search + allowance(half, settings.max_rotation_deg, settings.max_scale_error)
    windows = lay_windows(level, _side(level, settings), (0.5, 0.5), 6)
    seen = state.compare(windows, radius)
    tried = int(seen.tried.sum())
    if tried == 0:
        return state.refused("no ground is valid on both dates")
    refusal = _featureless(state, seen)
    if refusal is not None:
        return refusal
    nothing = state.refused(
        f"the two images show nothing in common within {asked:.0f} px of each other: "
        "check that they show the same place",
        tried=tried,
    )
    where = (windows.lattice.points() - np.asarray(state.field.centre)) / level.zoom
    where = where.reshape(*seen.tried.shape, 2)
    if not seen.textured.any():
        return nothing
    tries = hypotheses(half, settings.max_rotation_deg, settings.max_scale_error)
    first = vote(seen.surfaces[seen.textured], where[seen.textured], search, tries, BLUR_TURNED_PX)
    if first.clear < CLEAR:
        return nothing
    state.field = ShiftField(state.field.centre, np.vstack([first.shift * level.zoom, first.linear]))
    # A second vote under the first one: windows that are turned right match far more clearly, if it was right.
    near = REACH + 2
    seen = state.compare(windows, near + allowance(half, 0.3, 0.003))
    if not seen.textured.any():
        return nothing
    second = vote(seen.surfaces[seen.textured], where[seen.textured], near, hypotheses(half, 0.3, 0.003), BLUR_PX)
    more = np.vstack([second.shift * level.zoom, second.linear])
    state.field = ShiftField(state.field.centre, state.field.affine + more)
    found = float(np.linalg.norm(state.field.affine[0]))
    if first.at_limit or found > math.sqrt(2.0) * asked + 2.0 * level.zoom:
        return state.refused(
            f"the images lie {found:.0f} px or more apart, the search goes to {asked:.0f} px: "
            "check their georeferencing, or search further",
            tried=tried,
        )
    return None


def _featureless(state: _Measurement, seen: Compared) -> Alignment | None:
    """The outcome where there is next to nothing to match, else None."""
    tried = int(seen.tried.sum())
    shares = [float(textured[seen.tried].mean()) for textured in (seen.textured_before, seen.textured_after)]
    if min(shares) >= 0.1:
        return None
    if max(shares) >= 0.1:
        which = "earlier" if shares[0] < shares[1] else "later"
        return state.refused(
            Reason(
                f"the {which} image shows next to no texture where the other one does (haze, cloud or an empty image)",
                f"align.{which}_empty",
            ),
            tried=tried,
        )
    reason = Reason("too little texture on both dates to measure the registration", "align.texture")
    if state.settings.accept_featureless and state.grid.crs is not None:
        return state.refused(reason + "; compared as georeferenced", tried=tried, usable=True)
    return state.refused(reason, tried=tried)


def _finish(state: _Measurement, zooms: list[int]) -> Alignment:
    """Judge on the finest level; where too few of its windows decide (woods, open fields), on the next coarser one."""
    start = state.field
    outcome = _judge(state, Level(state.grid, zooms[-1]))
    if outcome.usable or outcome.residual_px is not None or zooms[-2] == zooms[-1]:
        return outcome
    state.field = start
    coarser = _judge(state, Level(state.grid, zooms[-2]))
    return coarser if coarser.usable else outcome


def _judge(state: _Measurement, level: Level) -> Alignment:
    """Fit without every fourth window, measure on those through the correction, then fit on all."""
    settings = state.settings
    side = _side(level, settings)
    step = 0.5 if min(level.width, level.height) < 6 * side else 1.0
    windows = lay_windows(level, side, (step, step), settings.max_windows)
    held = Windows(level, side, windows.lefts[1::2], windows.tops[1::2])
    out = np.zeros((len(windows.tops), len(windows.lefts)), np.bool_)
    out[1::2, 1::2] = True
    for attempt in range(2):
        start = state.field
        seen = state.compare(windows, REACH, skip=out)
        matches = decide(seen.surfaces, seen.textured)
        total, weight = state.total(windows, matches), matches.weight.copy()
        state.field = state.refine(windows, total, weight)
        if attempt == 0:
            points = windows.lattice.points()
            corrected = np.linalg.norm(state.field.at(points) - start.at(points), axis=1) / level.zoom
            if float(np.median(corrected)) < AGAIN_PX:
                break  # else windows were half out of each other's reach: look again from here
    tried, textured = int(seen.tried.sum()), int(seen.textured.sum())
    left = np.full(weight.shape, np.nan)
    if out.any():
        checked = state.compare(held, REACH)
        judge = decide(checked.surfaces, checked.textured)
        total[1::2, 1::2], weight[1::2, 1::2] = state.total(held, judge), judge.weight
        left[1::2, 1::2] = np.linalg.norm(judge.offset, axis=-1) * level.zoom
        tried, textured = tried + int(checked.tried.sum()), textured + int(checked.textured.sum())
    state.field = start
    # A window that speaks only together with its neighbours is no independent witness, unless there is no other.
    trusted = weight == max(float(weight.max()), 1e-9)
    if np.count_nonzero(trusted & np.isfinite(left)) < FEW_WITNESSES:
        _leave_out(state, windows, total, weight, left)
    witness = trusted & np.isfinite(left)
    used = int((weight > 0).sum())
    if not witness.any() or used < settings.min_trusted * textured:
        return state.refused(
            f"only {used} of {tried} windows found their match on the other date: too little in common to register",
            used,
            tried,
        )
    residual, residual_p90 = float(np.median(left[witness])), float(np.percentile(left[witness], 90))
    residual_before = float(np.median(np.linalg.norm(total[witness], axis=-1)))
    field = state.refine(windows, total, weight)
    longest = field.longest(int(state.grid.width), int(state.grid.height))
    reason = None
    if residual > settings.max_residual_px:
        reason = Reason(
            f"residual {residual:.1f} px is above the limit of {settings.max_residual_px:.1f} px",
            "align.residual",
            residual=residual,
            most=settings.max_residual_px,
        )
    elif longest > _farthest(state):
        farthest = _farthest(state)
        reason = Reason(
            f"a shift of {longest:.0f} px is implausible: more than the {farthest:.0f} px searched",
            "align.shift",
            shift=longest,
            most=farthest,
        )
    return Alignment(reason is None, reason, residual, residual_p90, residual_before, used, tried, longest, field)


def _leave_out(state: _Measurement, windows: Windows, total: Float64, weight: Float64, left: Float64) -> None:
    """Let the other three quarters of the windows bear witness too, each against a fit without it; fills ``left``."""
    for row, column in ((0, 0), (0, 1), (1, 0)):
        here = np.zeros(weight.shape, np.bool_)
        here[row::2, column::2] = True
        without = np.where(here, 0.0, weight)
        if np.count_nonzero(without) and here.any():
            field = state.refine(windows, total, without)
            rest = total - field.at(windows.lattice.points()).reshape(total.shape)
            left[here] = np.linalg.norm(rest, axis=-1)[here]


def _farthest(state: _Measurement) -> float:
    """Longest shift that the settings call plausible, in pixels of the common grid."""
    half = math.hypot(int(state.grid.width), int(state.grid.height)) / 2.0
    rotation, growth = state.settings.max_rotation_deg, state.settings.max_scale_error
    return 1.2 * (math.sqrt(2.0) * _search_px(state) + allowance(half, rotation, growth)) + 8.0
