"""State of a registration: images, settings and the current shift field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from inference.raster_source import RasterSource
from inference.registration.alignment import Alignment, AlignSettings
from inference.registration.field_fitting import refine_field
from inference.registration.shift_field import ShiftField, identity_field
from inference.registration.window_matching import Matches
from inference.registration.windows import Level, Windows, WindowSimilarity, compare_windows

Float64 = NDArray[np.float64]

SEARCH_PX = 12
"""Search radius of a window, in pixels of its level, around the estimate of the coarser level."""

MIN_REMAINDER_PX = (0.03, 0.075)
"""Least root mean square, in pixels of the level, of offsets that justify a local remainder: finest level, others."""


@dataclass
class RegistrationState:
    """Images, settings and the current field, which each level refines."""

    before: RasterSource
    after: RasterSource
    grid: GeoBox
    settings: AlignSettings
    field: ShiftField

    def without_field(self, reason: str, used: int = 0, tried: int = 0, usable: bool = False) -> Alignment:
        """Return an outcome without a measured field."""
        zero = identity_field(int(self.grid.width), int(self.grid.height))
        return Alignment(usable, reason, None, None, None, used, tried, 0.0, zero)

    def compare(self, windows: Windows, search_px: int, skip: NDArray[np.bool_] | None = None) -> WindowSimilarity:
        """Compare windows with the current field applied."""
        return compare_windows(self.before, self.after, windows, search_px, self.field, skip)

    def total_shift(self, windows: Windows, matches: Matches) -> Float64:
        """Return the total shift (rows, columns, 2) of windows in grid pixels: their offset plus the current field."""
        offset = matches.offset * windows.level.zoom
        flat = offset.reshape(-1, 2)
        # p + offset in the displaced image is p + offset + field(p + offset) in the original one
        return np.asarray(offset + self.field.at(windows.lattice.points() + flat).reshape(offset.shape))

    def refine(self, windows: Windows, total: Float64, weight: Float64, finest: bool = True) -> ShiftField:
        """Return the field refined by windows; on coarser levels, matching errors must not bend it."""
        min_rms = MIN_REMAINDER_PX[0 if finest else 1] if self.settings.local else None
        zoom = windows.level.zoom
        return refine_field(self.field, windows.lattice, total, weight, zoom, SEARCH_PX / 2.0, min_rms).quantized()

    @property
    def search_range_px(self) -> float:
        """Search range for shifts in pixels of the common grid."""
        if self.grid.crs is None:
            return self.settings.search_px
        return max(self.settings.search_px, self.settings.search_m / abs(float(self.grid.resolution.x)))

    @property
    def accuracy_px(self) -> float | None:
        """Accuracy of the coordinates in pixels of the common grid; None if it is not known."""
        accuracy_m = self.settings.position_accuracy_m
        if accuracy_m is None or self.grid.crs is None:
            return None
        return accuracy_m / abs(float(self.grid.resolution.x))

    def window_side(self, level: Level) -> int:
        """Return the side of a window: a third of a small level, otherwise as in the settings."""
        return int(np.clip(min(level.width, level.height) // 3, 32, self.settings.window_px))
