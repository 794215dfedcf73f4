"""Settings and result of a registration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inference.registration.shift_field import NOT_REGISTERED, ShiftField

Method = Literal["gradients", "descriptors", "georeferencing"]
"""gradients: measured from edges, sub-pixel; descriptors: measured from learned descriptions, to some pixels;
georeferencing: not measured, compared as the coordinates of the images say."""

IDENTITY_PX = 0.02
"""Largest shift of a field that counts as the identity; well below measurement precision."""


@dataclass(frozen=True)
class AlignSettings:
    """Settings of a registration.

    Attributes:
        search_m: search range for shifts, metres on the ground.
        search_px: search range in pixels of the common grid. The larger of the two ranges applies; pairs without
            coordinates use only this one.
        max_rotation_deg: search range for rotations.
        max_scale_error: search range for deviations of the scale from 1.
        max_residual_px: median residual above which the pair is refused. A detector's F1 of .941 in register drops to
            .909 at 2 px and .826 at 4 px.
        min_trusted: least share of the textured windows on the finest level that must be matched. Unrelated images
            reach 0.1.
        overview_px: longest side of the overview for the coarse registration.
        window_px: side of a matching window; smaller on small images.
        max_windows: largest number of windows along each axis on the finest level.
        local: model local distortion; False for affine only.
        position_accuracy_m: distance, in metres, within which the coordinates of one place in both images are known to
            lie. A pair that cannot be registered is then compared as georeferenced. None: not known, it is refused.
        accept_featureless: accept a pair without registration and residual when *both* georeferenced images show almost
            no texture (open water, snow). If only one of them lacks texture (haze, cloud), the pair is refused.
    """

    search_m: float = 30.0
    search_px: float = 32.0
    max_rotation_deg: float = 2.5
    max_scale_error: float = 0.015
    max_residual_px: float = 8.0
    min_trusted: float = 0.2
    overview_px: int = 640
    window_px: int = 128
    max_windows: int = 16
    local: bool = True
    accept_featureless: bool = True
    position_accuracy_m: float | None = None


@dataclass(frozen=True)
class Alignment:
    """Registration of the earlier image to the later one, and its accuracy.

    All lengths are pixels of the common grid.

    Attributes:
        usable: whether the pair can be compared.
        reason: why the pair is not usable, or why a usable pair could not be measured; else None.
        residual_px: median remaining shift after correction, over windows held out of the fit. None if not measured.
        residual_p90_px: 90th percentile of the same shifts.
        residual_before_px: median shift over the same windows without correction.
        windows_used: windows on the finest level with a trusted match that agrees with the field.
        windows_tried: windows on the finest level with enough valid ground on both dates.
        max_shift_px: largest shift on the grid.
        field: shift field; zero if not measured.
        method: what the field rests on, see :data:`Method`.
        accuracy_px: accuracy of the georeferencing on which the comparison rests; None if the field was measured, or
            if it is not known.
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
    method: Method = "gradients"
    accuracy_px: float | None = None

    def shift(self, rows: slice, cols: slice) -> NDArray[np.float32] | None:
        """Return the shift (H, W, 2) as (dx, dy) of a block of the common grid, for ``before.read(geobox, shift)``.

        The ground that the later image shows at (column, row) is at (column + dx, row + dy) in the earlier one. Slices
        need both ends and may reach beyond the grid (a halo). The value of a pixel does not depend on the block. None
        for the identity.
        """
        return self.shift_at(np.arange(cols.start, cols.stop), np.arange(rows.start, rows.stop))

    def shift_at(self, columns: NDArray[np.intp], rows: NDArray[np.intp]) -> NDArray[np.float32] | None:
        """Return the shift at all combinations of some rows and columns, with the same values as :meth:`shift`."""
        if self.max_shift_px < IDENTITY_PX:
            return None
        return self.field.raster(columns.astype(np.float64), rows.astype(np.float64))

    @property
    def displaced_px(self) -> tuple[float, ...]:
        """Lengths of the displacements of parts of the earlier image against the rest; () without displaced parts."""
        parts = self.field.parts
        if parts is None:
            return ()
        labels = np.unique(parts.labels)
        displaced = parts.offsets[labels[(labels > 0) & (labels < NOT_REGISTERED)]]
        return tuple(float(length) for length in np.linalg.norm(displaced, axis=1))

    def summary(self) -> dict[str, Any]:
        """Values for ``scan.json``, rounded so that the same input gives the same bytes."""

        def rounded(value: float | None) -> float | None:
            return None if value is None else round(value, 3)

        return {
            "usable": self.usable,
            "reason": self.reason,
            "method": self.method,
            "residual_px": rounded(self.residual_px),
            "residual_p90_px": rounded(self.residual_p90_px),
            "residual_before_px": rounded(self.residual_before_px),
            "accuracy_px": rounded(self.accuracy_px),
            "windows_used": self.windows_used,
            "windows_tried": self.windows_tried,
            "max_shift_px": rounded(self.max_shift_px),
            "shift_px": [round(float(v), 3) for v in self.field.affine[0]],
            "rotation_deg": round(self.field.rotation_deg, 4),
            "scale": round(self.field.scale, 6),
            "local": self.field.nodes is not None,
            "displaced_parts_px": [round(length, 1) for length in self.displaced_px],
        }
