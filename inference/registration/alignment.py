"""What a person may set about registration, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.registration.shift_field import ShiftField

IDENTITY_PX = 0.02
"""A field that nowhere moves further than this is no movement: well below what can be measured."""


@dataclass(frozen=True)
class AlignSettings:
    """What a person may change about registration.

    Attributes:
        search_m: largest shift looked for, in metres on the ground.
        search_px: the same in pixels of the common grid; the larger of the two holds. The only one for pairs in pixels.
        max_rotation_deg: largest rotation looked for.
        max_scale_error: largest deviation of the scale from 1 looked for.
        max_residual_px: median remaining shift above which the pair is refused. A detector's F1 of .941 in register
            falls to .909 at 2 px and .826 at 4 px.
        min_trusted: least share of the textured windows on the finest level that must find their match. Unrelated
            images reach a tenth.
        overview_px: longest side of the overview that gives the first guess.
        window_px: side of a matching window; smaller on small images.
        max_windows: windows along each axis on the finest level, at most.
        local: let the field bend; else affine only.
        accept_featureless: go on unaligned, with no residual, when *both* images of a placed pair show next to no
            texture (open water, snow). When one shows texture and the other none (haze, cloud), the pair is refused.
    """

    search_m: float = 30.0
    search_px: float = 32.0
    max_rotation_deg: float = 2.5
    max_scale_error: float = 0.015
    max_residual_px: float = 2.0
    min_trusted: float = 0.2
    overview_px: int = 640
    window_px: int = 128
    max_windows: int = 16
    local: bool = True
    accept_featureless: bool = True


@dataclass(frozen=True)
class Alignment:
    """Where the earlier image lies on the later one, and how well that is known.

    All lengths are pixels of the common grid.

    Attributes:
        usable: whether the pair can be compared.
        reason: why not; for a usable pair that could not be measured, that it was not; else None.
        residual_px: median length of the remaining shift over windows that took no part in the fit, read through the
            correction. None when not measured.
        residual_p90_px: its 90th percentile.
        residual_before_px: median length of the shift over the same windows without any correction.
        windows_used: windows on the finest level whose match was trusted.
        windows_tried: windows on the finest level with enough valid ground on both dates.
        max_shift_px: longest shift on the grid.
        field: the shift field; zero when nothing was measured.
    """

    usable: bool
    reason: str | None
    residual_px: float | None
    residual_p90_px: float | None
    residual_before_px: float | None
    windows_used: int
    windows_tried: int
    max_shift_px: float
    field: ShiftField

    def shift(self, rows: slice, cols: slice) -> NDArray[np.float32] | None:
        """Shift (H, W, 2) as (dx, dy) for a block of the common grid, for ``before.read(geobox, shift)``.

        The earlier image's ground at (column + dx, row + dy) is what the later image shows at (column, row). Slices
        need both ends and may reach beyond the grid (a halo). A pixel's value does not depend on the block. None when
        nothing moves.
        """
        if self.max_shift_px < IDENTITY_PX:
            return None
        columns = np.arange(cols.start, cols.stop, dtype=np.float64)
        lines = np.arange(rows.start, rows.stop, dtype=np.float64)
        return self.field.raster(columns, lines)

    def summary(self) -> dict[str, Any]:
        """For ``scan.json``: plain numbers, rounded so that the same input gives the same bytes."""

        def rounded(value: float | None) -> float | None:
            return None if value is None else round(value, 3)

        return {
            "usable": self.usable,
            "reason": self.reason,
            "residual_px": rounded(self.residual_px),
            "residual_p90_px": rounded(self.residual_p90_px),
            "residual_before_px": rounded(self.residual_before_px),
            "windows_used": self.windows_used,
            "windows_tried": self.windows_tried,
            "max_shift_px": rounded(self.max_shift_px),
            "shift_px": [round(float(v), 3) for v in self.field.affine[0]],
            "rotation_deg": round(self.field.rotation_deg, 4),
            "scale": round(self.field.scale, 6),
            "local": self.field.nodes is not None,
        }
