"""Find collars: the uniform frame around a picture that no nodata value, alpha or mask marks.

Orthophotos are clipped to a border, and what lies outside is written in black or white. A collar is connected to the
border of the image and uniform; the same value inside the picture is ground. Flat cloud and overexposed ground may be
uniform, too, but fade into the picture where a collar ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.bool_]

_MIN_CONTACT, _MIN_AREA = 0.02, 0.002  # of the border and of the image, for black and white
_MIN_CONTACT_OTHER, _MIN_AREA_OTHER = 0.10, 0.02  # the same for any other colour
_MAX_AREA = 0.97  # of the image; an image of one colour has no collar
_MAX_COLOURS = 4  # most frequent colours of the border that are tried
_BRIGHT = 180  # level from which a uniform 8-bit region at the border may be cloud or overexposed ground
_FADES_OVER = 4  # cells around a region within which cloud fades
_FADES_WITHIN = 48  # levels by which the ground around a region differs from it at most, for cloud
_TOLERANCE = {"uint8": 6, "uint16": 16, "int16": 16}  # of pixels at its edge, which lossy compression changes


@dataclass(frozen=True)
class Collar:
    """A collar of one value.

    Attributes:
        value: of the three bands.
        tolerance: largest difference in each band.
        cells: rows×columns of a coarse grid over the image: where its pixels may lie.
        extent: rows and columns of this grid that the image covers; the last ones may be covered in part.
        share: of the image, approximately.
    """

    value: tuple[float, float, float]
    tolerance: float
    cells: Cells
    extent: tuple[float, float]
    share: float

    def mask(self, values: NDArray[Any], rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Cells:
        """Return which pixels belong to the collar, bool H×W.

        Args:
            values: raw values H×W×3.
            rows: H, centres of the rows as a fraction of the image's height.
            columns: W, centres of the columns as a fraction of its width.
        """
        height, width = self.cells.shape
        row = np.minimum((rows * self.extent[0]).astype(int), height - 1)
        column = np.minimum((columns * self.extent[1]).astype(int), width - 1)
        possible: Cells = self.cells[np.ix_(row, column)]
        if possible.any():
            possible = possible & self.matches(values)
        return possible

    def matches(self, values: NDArray[Any]) -> Cells:
        """Return which pixels have the collar's value, wherever they lie."""
        difference = np.abs(values.astype(np.float32) - np.asarray(self.value, np.float32))
        return np.asarray((difference <= self.tolerance).all(axis=-1))


def find_collars(values: NDArray[Any], valid: Cells, extent: tuple[float, float]) -> list[Collar]:
    """Find the collars of an image.

    Args:
        values: H×W×3, averages over the cells of a coarse grid. The average of a cell is black, white or any other
            colour exactly if it is uniform.
        valid: bool H×W, cells that no nodata value, alpha or mask marks as invalid.
        extent: see :class:`Collar`.
    """
    border = _border(valid.shape)
    colours, counts = np.unique(values[border & valid], axis=0, return_counts=True)
    perimeter = int(border.sum())
    collars = []
    for index in np.argsort(-counts, kind="stable")[:_MAX_COLOURS]:
        colour = colours[index]
        extreme = _is_extreme(colour, values.dtype)
        if counts[index] < (_MIN_CONTACT if extreme else _MIN_CONTACT_OTHER) * perimeter:
            continue
        uniform = valid & (values == colour).all(axis=2)
        least = (_MIN_AREA if extreme else _MIN_AREA_OTHER) * valid.size
        collar = _connected(uniform, border, least)
        if collar.any() and not _fades(values, valid, collar, colour):
            collars.append(_collar(colour, values.dtype, collar, extent))
    return [] if sum(collar.share for collar in collars) > _MAX_AREA * valid.mean() else collars


def declared_collar(
    values: NDArray[Any], nodata: float, hole_cells: float, extent: tuple[float, float]
) -> tuple[Collar, float]:
    """Return the region of a nodata value that saturated ground has, too, like 255.

    It is connected to the border, or larger than any roof.

    Args:
        values: H×W×3, averages over the cells of a coarse grid.
        nodata: the value.
        hole_cells: size from which a region inside the picture is a hole, not ground.
        extent: see :class:`Collar`.

    Returns:
        the region, and the share of the image where ground has the value.
    """
    colour = np.full(3, nodata, values.dtype)
    uniform: Cells = (values == colour).all(axis=2)
    border = _border(uniform.shape)
    region = _connected(uniform, border, 0.0) | _connected(uniform, np.ones_like(border), hole_cells)
    found = _collar(colour, values.dtype, region, extent)
    inside = float((uniform & ~region).mean())
    return replace(found, tolerance=0.0, cells=found.cells | border), inside


def _border(shape: tuple[int, ...]) -> Cells:
    border = np.ones(shape, np.bool_)
    border[1:-1, 1:-1] = False
    return border


def _connected(uniform: Cells, seeds: Cells, least: float) -> Cells:
    """Return the connected parts of at least ``least`` cells that contain a seed."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(uniform.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= least
    large[0] = False
    seeded = np.zeros(len(stats), np.bool_)
    seeded[np.unique(labels[seeds & uniform])] = True
    return np.asarray((large & seeded)[labels])


def _collar(colour: NDArray[Any], dtype: np.dtype[Any], region: Cells, extent: tuple[float, float]) -> Collar:
    # the cells around it hold pixels of both; 3×3 cells reach its last uniform pixel
    near = cv2.dilate(region.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    red, green, blue = (float(value) for value in colour)
    return Collar((red, green, blue), float(_TOLERANCE.get(dtype.name, 0)), near, extent, float(region.mean()))


def _fades(values: NDArray[Any], valid: Cells, region: Cells, colour: NDArray[Any]) -> bool:
    """Return whether a bright 8-bit region fades into the picture around it, as cloud does."""
    if values.dtype != np.uint8 or colour.min() < _BRIGHT:
        return False

    def grow(cells: int) -> Cells:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * cells + 1,) * 2)
        return np.asarray(cv2.dilate(region.astype(np.uint8), kernel) > 0)

    # cells that touch the region hold pixels of both
    around = valid & grow(_FADES_OVER) & ~grow(1)
    difference = np.abs(values[around].astype(np.int16) - colour.astype(np.int16)).max(axis=1)
    return bool(difference.size) and float(np.median(difference)) <= _FADES_WITHIN


def _is_extreme(colour: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Return whether a colour is black, white or, in floating point, far from any picture's."""
    if dtype.kind == "f":
        return bool((colour == 0).all() or (colour <= -999).all() or (np.abs(colour) > 1e6).all())
    numbers = colour.astype(np.int64)
    return bool((np.abs(numbers) <= 1).all() or (np.iinfo(dtype).max - numbers <= 1).all() or (numbers <= -999).all())
