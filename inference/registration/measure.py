"""Measurement of the registration of two dates from image content, coarse to fine.

A small overview of the whole scene gives an initial similarity transform
(:mod:`inference.registration.coarse_registration`). Each finer level reads a bounded number of windows, with the
current field applied to the earlier image, matches them by their gradients
(:mod:`inference.registration.window_matching`) and refines the field (:mod:`inference.registration.field_fitting`). On
the finest level every fourth window is held out of the fit; matching these windows through the corrected field gives
the residual.
"""

from __future__ import annotations

from collections.abc import Callable

from odc.geo.geobox import GeoBox

from inference.raster_source import RasterSource
from inference.registration.alignment import Alignment, AlignSettings
from inference.registration.finest_level import register_finest
from inference.registration.overview import register_overview
from inference.registration.shift_field import identity_field
from inference.registration.state import SEARCH_PX, RegistrationState
from inference.registration.window_matching import match_windows
from inference.registration.windows import Level, place_windows

__all__ = ["AlignSettings", "Alignment", "measure_alignment"]


def measure_alignment(
    before: RasterSource,
    after: RasterSource,
    grid: GeoBox,
    settings: AlignSettings,
    progress: Callable[[float], None] | None = None,
) -> Alignment:
    """Measure the registration of the earlier image to the later one.

    Args:
        before: the earlier image, to which the shift applies.
        after: the later image, the reference.
        grid: common grid of square pixels in a metric CRS, or without CRS for pairs without coordinates.
        settings: search ranges and limits.
        progress: called with the fraction done, 0…1.

    Returns:
        the alignment. A pair that cannot be registered is not an error: ``usable`` is False, and ``reason`` says why.
    """
    report = progress or (lambda _: None)
    state = RegistrationState(before, after, grid, settings, identity_field(int(grid.width), int(grid.height)))
    zooms = _zooms(max(int(grid.width), int(grid.height)), settings.overview_px)
    report(0.0)
    refusal = register_overview(state, Level(grid, zooms[0]))
    if refusal is not None:
        report(1.0)
        return refusal
    for number, zoom in enumerate(zooms[:-1]):
        report((1.0 + number) / (len(zooms) + 2.0))
        windows = place_windows(Level(grid, zoom), state.window_side(Level(grid, zoom)), (0.5, 0.5), 10)
        similarity = state.compare(windows, SEARCH_PX)
        matches = match_windows(similarity.surfaces, similarity.textured)
        state.field = state.refine(windows, state.total_shift(windows, matches), matches.weight, finest=False)
    report(len(zooms) / (len(zooms) + 2.0))
    outcome = register_finest(state, zooms)
    report(1.0)
    return outcome


def _zooms(longest: int, overview_px: int) -> list[int]:
    """Return zooms from the overview down to 1 in factors of four, finally two.

    Larger images always have the level at 2, which is the most reliable one over woods and fields.
    """
    zoom = 1
    while longest / zoom > overview_px:
        zoom *= 2
    out = [zoom]
    while out[-1] > 1:
        out.append(out[-1] // 4 if out[-1] > 4 else out[-1] // 2)
    return [1, 1] if out == [1] else out
