"""Descriptor maps of both dates and their correlation over shifts.

A map holds one learned description per cell of 8 × 8 pixels of a level (:mod:`model.descriptor_network`). Unlike
gradients, descriptions of one place stay alike across seasons, sun positions and sensors; a cell is coarse, so a match
is precise to a few pixels of the level only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.raster_source import RasterSource
from inference.registration.shift_field import ShiftField
from inference.registration.windows import Level, read_box
from model.network_outputs import DESCRIPTOR_CELL_PX, DESCRIPTOR_CONTEXT_PX
from model.radiometric_normalization import TARGET_MEAN, apply_table, normalization_table

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

FLAT_LEVELS = 3
"""Range of grey levels within a cell up to which it shows nothing: black corners without a mask would match each other
by their shape."""

MIN_OVERLAP = 0.3
"""Least share of the known cells that must overlap at a shift."""


class Describer(Protocol):
    """A network that describes images; :class:`model.descriptor.Descriptor` is one."""

    def describe(self, rgb: NDArray[np.uint8]) -> tuple[Float32, Float32]:
        """H×W×3 uint8, sides multiples of 16 → weighted descriptions (C, H/8, W/8) and weights (H/8, W/8)."""
        ...


@dataclass(frozen=True)
class DescriptorMap:
    """Descriptions of one date on a level.

    Attributes:
        vectors: (C, rows, columns) descriptions times their weights; 0 where unknown.
        weights: (rows, columns) in 0…1; 0 where unknown.
        known: (rows, columns), 1 where the cell is valid, else 0.
    """

    vectors: Float32
    weights: Float32
    known: Float32

    def window(self, rows: slice, columns: slice) -> DescriptorMap:
        """Return the part of the map inside a window of cells; the rest becomes unknown."""
        inside = np.zeros_like(self.known)
        inside[rows, columns] = 1.0
        return DescriptorMap(self.vectors * inside, self.weights * inside, self.known * inside)


def describe_level(image: RasterSource, level: Level, field: ShiftField | None, describer: Describer) -> DescriptorMap:
    """Describe all of a level of one date, displaced by the field."""
    width, height = (-(-side // DESCRIPTOR_CONTEXT_PX) * DESCRIPTOR_CONTEXT_PX for side in (level.width, level.height))
    rgb, valid = read_box(image, level, (0, 0, width, height), 0, field)
    valid[level.height :], valid[:, level.width :] = False, False
    cell = DESCRIPTOR_CELL_PX
    cells = rgb.reshape(height // cell, cell, width // cell, cell * 3)
    textured = cells.max(axis=(1, 3)).astype(np.int16) - cells.min(axis=(1, 3)) > FLAT_LEVELS
    rgb = apply_table(rgb, normalization_table(rgb, valid))
    rgb[~valid] = round(TARGET_MEAN)
    vectors, weights = describer.describe(rgb)
    inside = cv2.erode(valid.astype(np.uint8), np.ones((cell + 1, cell + 1), np.uint8), borderValue=1)
    known = inside.reshape(height // cell, cell, width // cell, cell).min(axis=(1, 3)).astype(np.float32) * textured
    return DescriptorMap(vectors * known, weights * known, known)


def correlation_surface(before: DescriptorMap, after: DescriptorMap, radius: int) -> Float64:
    """Return the mean agreement of both maps at each shift: (2r+1, 2r+1), −1…1; 0 where they hardly overlap.

    At (radius + dy, radius + dx), cell (y, x) of the later map is compared with (y + dy, x + dx) of the earlier one;
    the mean is weighted by the weights of both.
    """
    rows, columns = after.known.shape
    shape = (rows + radius, columns + radius)

    def spectrum(values: Float32) -> NDArray[np.complex128]:
        return np.asarray(np.fft.rfft2(values.astype(np.float64), s=shape))

    def surface(product: NDArray[np.complex128]) -> Float64:
        full = np.fft.irfft2(product, s=shape)
        at = np.arange(-radius, radius + 1)
        return np.asarray(full[np.ix_(at % shape[0], at % shape[1])])

    raw = surface((spectrum(before.vectors) * spectrum(after.vectors).conj()).sum(axis=0))
    known_before, known_after = spectrum(before.known), spectrum(after.known).conj()
    energy_before = surface(spectrum(before.weights**2) * known_after)
    energy_after = surface(known_before * spectrum(after.weights**2).conj())
    overlap = surface(known_before * known_after)
    enough = overlap >= MIN_OVERLAP * max(min(float(before.known.sum()), float(after.known.sum())), 1.0)
    norm = np.sqrt(np.maximum(energy_before, 1e-3) * np.maximum(energy_after, 1e-3))
    return np.where(enough, raw / norm, 0.0)
