"""Which photo each piece of a mosaic is taken from: decided once for the whole mosaic, on a coarse grid.

A place is taken from the photo that sees it nearest to its centre, for there roofs lean least. Where two photos see it
about equally well, the seam goes where they look alike: a minimal cut (Kwatra et al. 2003, as OpenCV has it), which
leaves houses to one photo, since those look different from two sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from imagery.drone.collinearity import to_pixels
from imagery.drone.orientation import PlacedPhoto
from imagery.drone.photo_pixels import PhotoPixels, Progress, reduction_for, sample
from imagery.drone.terrain import Ground

_CV: Any = cv2  # whose stubs lack some of its names

_MOST_CELLS = 2400  # along the longer side of the coarse grid: what is held for the whole mosaic
_PIXELS_PER_CELL = 4  # of the mosaic, at least
_ABOUT_EQUAL = 1.5  # ratio of two distances from the centres up to which a seam may move
_UNTIED = 4.0  # by which a photo that is tied to nothing is seen as farther from its centre


@dataclass(frozen=True)
class Labels:
    """Which photo is taken where.

    Attributes:
        grid: the coarse grid.
        photo: int16 rows×columns, number of the photo, −1 where none sees the ground.
        preview: uint8 rows×columns×3, what they show.
    """

    grid: GeoBox
    photo: NDArray[np.int16]
    preview: NDArray[np.uint8]


def choose_photos(
    photos: Sequence[PlacedPhoto], ground: Ground, mosaic: GeoBox, pixels: PhotoPixels, progress: Progress
) -> Labels:
    """Decide for each cell which photo it is taken from.

    Args:
        photos: of the mosaic.
        ground: what they show.
        mosaic: its grid.
        pixels: reads photos.
        progress: is told how far it is.

    Raises:
        ImageError: a photo cannot be decoded.
    """
    rows, columns = (int(side) for side in mosaic.shape)
    cell = max(_PIXELS_PER_CELL, -(-max(rows, columns) // _MOST_CELLS))
    shape = (-(-rows // cell), -(-columns // cell))
    grid = GeoBox(shape, mosaic.affine * Affine.scale(cell), mosaic.crs)
    labels = np.full(shape, -1, np.int16)
    preview = np.zeros((*shape, 3), np.uint8)
    farness = np.full(shape, np.inf, np.float32)
    for number, placed in enumerate(photos):
        progress("seams", number / len(photos))
        part = part_of(grid, placed)
        if part is None:
            continue
        colours, distance = _seen(placed, ground, grid[part], pixels)
        taken = _cut(preview[part], farness[part], colours, distance)
        labels[part][taken] = number
        farness[part][taken] = distance[taken]
        preview[part][taken] = colours[taken]
    return Labels(grid, labels, preview)


def part_of(grid: GeoBox, placed: PlacedPhoto) -> tuple[slice, slice] | None:
    """Rows and columns of a grid that a photo's footprint touches; None: none."""
    west, south, east, north = placed.outline.bounds
    left, top = ~grid.affine @ (west, north)
    right, bottom = ~grid.affine @ (east, south)
    rows, columns = (int(side) for side in grid.shape)
    part = (
        slice(max(0, int(np.floor(top))), min(rows, int(np.ceil(bottom)) + 1)),
        slice(max(0, int(np.floor(left))), min(columns, int(np.ceil(right)) + 1)),
    )
    return None if part[0].start >= part[0].stop or part[1].start >= part[1].stop else part


def look(
    placed: PlacedPhoto, ground: Ground, grid: GeoBox, pixels: PhotoPixels
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float64]]:
    """A photo on a grid: colours H×W×3, which are valid, and the positions H×W×2 in the photo."""
    rows, columns = grid.shape
    x, y = grid.affine @ np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    at = to_pixels(placed.pose, placed.photo.lens, np.stack([x, y, ground.elevation(x, y)], axis=-1))
    reduction = reduction_for(placed.gsd_m, abs(float(grid.affine.a)))
    colours, valid = sample(pixels.read(placed.photo, reduction), at, reduction)
    return colours, valid, at


def _seen(
    placed: PlacedPhoto, ground: Ground, grid: GeoBox, pixels: PhotoPixels
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Colours, and how far from the photo's centre each cell lies (in half widths; infinite where it is not seen)."""
    colours, valid, at = look(placed, ground, grid, pixels)
    lens = placed.photo.lens
    distance = np.hypot(at[..., 0] - lens.width / 2, at[..., 1] - lens.height / 2) / (lens.height / 2)
    distance = np.maximum(distance, 0.05) * (_UNTIED if placed.tied == "nothing" else 1.0)
    return colours, np.where(valid, distance, np.inf).astype(np.float32)


def _cut(
    before: NDArray[np.uint8],
    before_distance: NDArray[np.float32],
    colours: NDArray[np.uint8],
    distance: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Which cells are taken from the new photo."""
    old, new = np.isfinite(before_distance), np.isfinite(distance)
    with np.errstate(invalid="ignore"):
        nearer = new & ~(before_distance <= distance)
        old_may = old & ~(new & (before_distance > distance * _ABOUT_EQUAL))
        new_may = new & ~(old & (distance > before_distance * _ABOUT_EQUAL))
    if not (old_may & new_may).any() or not (old_may & ~new_may).any() or not (new_may & ~old_may).any():
        return np.asarray(nearer)
    finder = _CV.detail_GraphCutSeamFinder("COST_COLOR_GRAD")
    images = [_CV.UMat(image.astype(np.float32)) for image in (before, colours)]
    masks = [_CV.UMat(mask.astype(np.uint8) * 255) for mask in (old_may, new_may)]
    found = finder.find(images, [(0, 0), (0, 0)], masks)
    taken = (found[1] if found is not None else masks[1]).get() > 0
    return np.asarray(taken & new)
