"""Measurement of the registration of two dates from image content, coarse to fine.

A small overview of the whole scene gives an initial similarity transform
(:mod:`inference.registration.coarse_registration`). Each finer level reads a bounded number of windows, with the
current field applied to the earlier image, matches them by their gradients
(:mod:`inference.registration.window_matching`) and refines the field (:mod:`inference.registration.field_fitting`). On
the finest level every fourth window is held out of the fit; matching these windows through the corrected field gives
the residual.

If the two dates have too little in common for gradients (other seasons, fields, rebuilt ground), learned descriptors
search the transform (:mod:`inference.registration.descriptor_search`), and gradients refine it where both agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from odc.geo.geobox import GeoBox

from errors import Reason
from inference.raster_source import RasterSource
from inference.registration.alignment import Alignment, AlignSettings
from inference.registration.descriptor_maps import Describer
from inference.registration.descriptor_search import (
    MIN_EVIDENCE,
    refine_by_descriptors,
    search_by_descriptors,
    unit_px,
)
from inference.registration.finest_level import register_finest
from inference.registration.overview import is_featureless, register_overview
from inference.registration.parts import find_parts
from inference.registration.shift_field import ShiftField, identity_field
from inference.registration.state import SEARCH_PX, RegistrationState
from inference.registration.window_matching import match_windows
from inference.registration.windows import Level, place_windows

__all__ = ["AlignSettings", "Alignment", "measure_alignment"]

MAX_DISAGREEMENT_CELLS = 1.0
"""Largest median distance, in cells, between the fields of gradients and of descriptors that count as agreement."""

UNMEASURED = ("align.unrelated", "align.windows", "align.residual", "align.shift")
"""Codes of the reasons that say nothing against the coordinates of the images."""

MAX_ACCURACY_PX = 32.0
"""Largest accuracy of coordinates, in pixels of the common grid, with which a pair is compared as georeferenced: the
largest shift of which the loss was measured (``confidence_by_shift`` of ``configs/profiles.yaml``)."""

EXPLAINED_SHARE = 0.6
"""Share of the unmatched windows that displaced parts must explain. On five real pairs without displaced parts
(``tests/real/test_align_real.py``) at most 0.52 were explained by chance, in synthetic displaced parts all."""

SUSPICIOUS_SHARE, SUSPICIOUS_RESIDUAL_PX = 0.97, 1.5
"""Share of matched windows below which, and residual above which, parts of an image may be displaced."""

MIN_STRIP_PX = 24
"""Least width of a strip (a road, a swath) on its overview."""


def measure_alignment(
    before: RasterSource,
    after: RasterSource,
    grid: GeoBox,
    settings: AlignSettings,
    progress: Callable[[float], None] | None = None,
    describer: Callable[[], Describer] | None = None,
) -> Alignment:
    """Measure the registration of the earlier image to the later one.

    Args:
        before: the earlier image, to which the shift applies.
        after: the later image, the reference.
        grid: common grid of square pixels in a metric CRS, or without CRS for pairs without coordinates.
        settings: search ranges and limits.
        progress: called with the fraction done, 0…1.
        describer: returns the learned descriptors; called only if gradients refuse. None: do without.

    Returns:
        the alignment. A pair that cannot be registered is not an error: ``usable`` is False, and ``reason`` says why.
    """
    report = progress or (lambda _: None)
    state = RegistrationState(before, after, grid, settings, identity_field(int(grid.width), int(grid.height)))
    zooms = _zooms(int(grid.width), int(grid.height), settings.overview_px)
    report(0.0)
    outcome = register_overview(state, Level(grid, zooms[0]))
    if outcome is None:
        start = state.field
        outcome = _with_parts(state, zooms, start, _register_levels(state, zooms, report))
    if describer is not None and not outcome.usable and outcome.windows_tried and not is_featureless(outcome):
        outcome = _register_learned(state, zooms, describer(), outcome)
    if not outcome.usable:
        outcome = _as_georeferenced(state, outcome)
    report(1.0)
    return outcome


def _with_parts(state: RegistrationState, zooms: list[int], start: ShiftField, whole: Alignment) -> Alignment:
    """Return the outcome with displaced parts of the earlier image registered by themselves, if there are any.

    Parts are searched on the transform of the overview (``start``), which a displaced part has not bent. They must
    bring most of the unmatched windows into agreement with the field (where the ground changed, a few agree with any
    displacement), or the same to a clearly smaller residual.
    """
    if whole.residual_px is None or (
        whole.windows_used >= SUSPICIOUS_SHARE * whole.windows_tried and whole.residual_px < SUSPICIOUS_RESIDUAL_PX
    ):
        return whole
    field = find_parts(state, start)
    if field is None:
        return whole
    state.field = field.quantized()
    outcome = _register_levels(state, zooms, lambda _: None)
    if not outcome.usable or outcome.residual_px is None:
        return whole
    gained, missing = outcome.windows_used - whole.windows_used, whole.windows_tried - whole.windows_used
    more = gained >= max(2.0, EXPLAINED_SHARE * missing)
    better = outcome.residual_px < 0.6 * whole.residual_px and outcome.windows_used >= 0.9 * whole.windows_used
    return outcome if more or better else whole


def _as_georeferenced(state: RegistrationState, refused: Alignment) -> Alignment:
    """Return the outcome for a pair that the images cannot register: by its coordinates if their accuracy is known."""
    code = refused.reason.code if isinstance(refused.reason, Reason) else ""
    if code not in UNMEASURED or state.grid.crs is None:
        return refused
    accuracy_m, accuracy_px = state.settings.position_accuracy_m, state.accuracy_px
    if accuracy_m is None or accuracy_px is None:
        advice = Reason(
            f"{refused.reason}. If the coordinates of both are known to be accurate, state the accuracy (--accuracy or "
            "source_accuracy_m in profiles.yaml), and they are compared as georeferenced",
            "align.state_accuracy",
            why=refused.reason,
        )
        return replace(refused, reason=advice)
    if accuracy_px > MAX_ACCURACY_PX:
        inaccurate = Reason(
            f"{refused.reason}; the stated accuracy of the coordinates, {accuracy_m:.1f} m, is {accuracy_px:.0f} px, "
            f"and above {MAX_ACCURACY_PX:.0f} px changes cannot be told from displaced ground",
            "align.inaccurate",
            why=refused.reason,
            accuracy=accuracy_m,
            pixels=accuracy_px,
            most=MAX_ACCURACY_PX,
        )
        return replace(refused, reason=inaccurate)
    reason = Reason(
        f"compared as georeferenced, position not confirmed by the images, ± {accuracy_m:.1f} m",
        "align.georeferenced",
        accuracy=accuracy_m,
    )
    compared = state.without_field(reason, refused.windows_used, refused.windows_tried, usable=True)
    return replace(compared, method="georeferencing", accuracy_px=accuracy_px)


def _register_levels(state: RegistrationState, zooms: list[int], report: Callable[[float], None]) -> Alignment:
    """Register on all levels below the overview, from the state's field."""
    for number, zoom in enumerate(zooms[:-1]):
        report((1.0 + number) / (len(zooms) + 2.0))
        level = Level(state.grid, zoom)
        windows = place_windows(level, state.window_side(level), (0.5, 0.5), 10)
        similarity = state.compare(windows, SEARCH_PX)
        matches = match_windows(similarity.surfaces, similarity.textured)
        state.field = state.refine(windows, state.total_shift(windows, matches), matches.weight, finest=False)
    report(len(zooms) / (len(zooms) + 2.0))
    return register_finest(state, zooms)


def _register_learned(
    state: RegistrationState, zooms: list[int], describer: Describer, refused: Alignment
) -> Alignment:
    """Register a pair that gradients refused by learned descriptors, refined by gradients where both agree."""
    state.field = identity_field(int(state.grid.width), int(state.grid.height))
    found = search_by_descriptors(state, describer)
    if found is None or found.at_limit or found.evidence < MIN_EVIDENCE:
        return refused
    coarse = refine_by_descriptors(state, found, describer)
    state.field = coarse.field
    fine = _register_levels(state, zooms, lambda _: None)
    if fine.usable and fine.residual_px is not None:
        across, down = (np.linspace(0, int(side) - 1, 5) for side in (state.grid.width, state.grid.height))
        apart = np.linalg.norm(fine.field.raster(across, down) - coarse.field.raster(across, down), axis=-1)
        if float(np.median(apart)) < MAX_DISAGREEMENT_CELLS * unit_px(found):
            return fine
    if coarse.residual_px is not None and coarse.residual_px > state.settings.max_residual_px:
        return refused
    return coarse


def _zooms(width: int, height: int, overview_px: int) -> list[int]:
    """Return zooms from the overview down to 1 in factors of four, finally two.

    Larger images always have the level at 2, which is the most reliable one over woods and fields.
    """
    zoom = 1
    while max(width, height) / zoom > overview_px and min(width, height) / (2 * zoom) >= MIN_STRIP_PX:
        zoom *= 2
    out = [zoom]
    while out[-1] > 1:
        out.append(out[-1] // 4 if out[-1] > 4 else out[-1] // 2)
    return [1, 1] if out == [1] else out
