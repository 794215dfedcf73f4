"""Registration stored with a scan plan: locates a place in the earlier image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from pyproj import Transformer
from pyproj.exceptions import ProjError

from errors import TubanError
from inference.array_file import unpack
from inference.registration.shift_field import ShiftField
from inference.scan_plan_file import SCHEMA, read_field

_MAX_SHIFT_M = 500.0  # longer shifts are implausible


@dataclass(frozen=True)
class StoredRegistration:
    """Position in the earlier image of the ground of the later one.

    Attributes:
        field: shift in pixels of the common grid.
        to_ground: transform from grid pixels to coordinates in ``crs``.
        crs: CRS of the grid, for example ``EPSG:32650``.
    """

    field: ShiftField
    to_ground: Affine
    crs: str

    @classmethod
    def from_plan_file(cls, content: bytes, crs: str) -> StoredRegistration | None:
        """Read the registration from a stored scan plan (:mod:`inference.scan_plan_file`).

        Args:
            content: content of the file.
            crs: CRS of the scan's grid.

        Returns:
            None if the file is damaged or of another version: a slightly displaced picture is better than none.
        """
        try:
            record, arrays = unpack(SCHEMA, content)
            field = read_field(record, arrays)
            affine: list[Any] = record["grid"]["affine"]
            return cls(field, Affine(*affine), crs)
        except (TubanError, KeyError, TypeError):
            return None

    def shift_at(self, place: tuple[float, float], crs: str) -> tuple[float, float]:
        """Return the displacement, in the earlier image, of the ground at a place.

        Args:
            place: longitude and latitude in degrees.
            crs: CRS of the result, for example ``EPSG:3857``.

        Returns:
            (east, north) in units of ``crs``; (0, 0) if the shift is implausible or cannot be projected.
        """
        try:
            x, y = Transformer.from_crs("EPSG:4490", self.crs, always_xy=True).transform(*place)
            column, row = ~self.to_ground @ (x, y)
            dx, dy = self.field.at(np.array([[column, row]], np.float64))[0].tolist()
            there = self.to_ground @ (column + dx, row + dy)
            out = Transformer.from_crs(self.crs, crs, always_xy=True)
            (here_x, there_x), (here_y, there_y) = out.transform((x, there[0]), (y, there[1]))
        except ProjError:
            return 0.0, 0.0
        shift = float(there_x - here_x), float(there_y - here_y)
        return shift if np.hypot(*shift) < _MAX_SHIFT_M else (0.0, 0.0)
