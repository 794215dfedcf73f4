"""The registration that a scan stored with its plan, read back to say where the earlier image shows a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from pyproj import Transformer
from pyproj.exceptions import ProjError

from errors import TubanError
from inference.array_file import unpack
from inference.registration.shift_field import Lattice, ShiftField
from inference.scan_plan_file import SCHEMA

_FARTHEST_M = 500.0  # a shift longer than this is no registration


@dataclass(frozen=True)
class StoredRegistration:
    """Where, in the earlier image, the ground of the later one lies.

    Attributes:
        field: shift in pixels of the common grid.
        to_ground: pixels of the grid → coordinates in ``crs``.
        crs: of the grid, like ``EPSG:32650``.
    """

    field: ShiftField
    to_ground: Affine
    crs: str

    @classmethod
    def from_plan_file(cls, content: bytes, crs: str) -> StoredRegistration | None:
        """Read the registration from a stored scan plan (:mod:`inference.scan_plan_file`).

        Args:
            content: of the file.
            crs: of the scan's grid.

        Returns:
            None: another version wrote the file, or it is damaged. A picture slightly off is better than none.
        """
        try:
            record, arrays = unpack(SCHEMA, content)
            lattice = None if record["lattice"] is None else Lattice(**record["lattice"])
            centre: tuple[float, float] = tuple(record["centre"])
            field = ShiftField(centre, arrays["affine"], lattice, arrays.get("nodes"))
            affine: list[Any] = record["grid"]["affine"]
            return cls(field, Affine(*affine), crs)
        except (TubanError, KeyError, TypeError):
            return None

    def shift_at(self, place: tuple[float, float], crs: str) -> tuple[float, float]:
        """Return how far from a place the earlier image shows the ground of that place.

        Args:
            place: longitude, latitude in degrees.
            crs: in which the shift is given, like ``EPSG:3857``.

        Returns:
            east and north, in units of ``crs``; (0, 0) where the shift is implausible or cannot be projected.
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
        return shift if np.hypot(*shift) < _FARTHEST_M else (0.0, 0.0)
