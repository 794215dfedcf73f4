"""Seamlines of a mosaic: which photo each cell is taken from, computed for the whole mosaic on a coarse grid.

A cell is taken from the photo whose centre is nearest, where roofs lean least. Where two photos are about equally good,
the seamline runs where they look alike: a minimum cut (Kwatra et al. 2003, implemented by OpenCV), which keeps houses
in one photo because they differ between two viewpoints.
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

from imagery.drone.collinearity import ground_to_pixels
from imagery.drone.oriented_flight import OrientedPhoto
from imagery.drone.photo_pixels import PhotoReader, Progress, reduction_for, sample_bilinear
from imagery.drone.terrain import Ground

_CV: Any = cv2  # its type stubs lack some names

_MAX_CELLS = 2400  # along the longer side of the coarse grid, which is held in memory for the whole mosaic
_MIN_PIXELS_PER_CELL = 4  # of the mosaic
_SEAM_RATIO = 1.5  # of the distances from both photos' centres, up to which a seamline may move
_UNTIED_PENALTY = 4.0  # factor on the distance for a photo without tie points


@dataclass(frozen=True)
class SeamLabels:
    """Which photo is used where.

    Attributes:
        grid: the coarse grid.
        photo_index: int16 rows×columns, −1 where no photo shows the ground.
        preview: uint8 rows×columns×3, colours of these photos.
    """

    grid: GeoBox
    photo_index: NDArray[np.int16]
    preview: NDArray[np.uint8]


def compute_seamlines(
    photos: Sequence[OrientedPhoto], ground: Ground, mosaic: GeoBox, reader: PhotoReader, progress: Progress
) -> SeamLabels:
    """Choose a photo for each cell.

    Args:
        photos: of the mosaic.
        ground: terrain that they show.
        mosaic: grid of the mosaic.
        reader: of the photos.
        progress: called with the step and its progress.

    Raises:
        ImageError: a photo cannot be decoded.
    """
    rows, columns = (int(side) for side in mosaic.shape)
    cell = max(_MIN_PIXELS_PER_CELL, -(-max(rows, columns) // _MAX_CELLS))
    shape = (-(-rows // cell), -(-columns // cell))
    grid = GeoBox(shape, mosaic.affine * Affine.scale(cell), mosaic.crs)
    photo_index = np.full(shape, -1, np.int16)
    preview = np.zeros((*shape, 3), np.uint8)
    distances = np.full(shape, np.inf, np.float32)
    for index, oriented in enumerate(photos):
        progress("seams", index / len(photos))
        window = footprint_window(grid, oriented)
        if window is None:
            continue
        colours, distance = _with_centre_distance(oriented, ground, grid[window], reader)
        taken = _cells_of_new_photo(preview[window], distances[window], colours, distance)
        photo_index[window][taken] = index
        distances[window][taken] = distance[taken]
        preview[window][taken] = colours[taken]
    return SeamLabels(grid, photo_index, preview)


def footprint_window(grid: GeoBox, oriented: OrientedPhoto) -> tuple[slice, slice] | None:
    """Rows and columns of a grid that a photo's footprint touches, or None."""
    west, south, east, north = oriented.footprint.bounds
    left, top = ~grid.affine @ (west, north)
    right, bottom = ~grid.affine @ (east, south)
    rows, columns = (int(side) for side in grid.shape)
    window = (
        slice(max(0, int(np.floor(top))), min(rows, int(np.ceil(bottom)) + 1)),
        slice(max(0, int(np.floor(left))), min(columns, int(np.ceil(right)) + 1)),
    )
    is_empty = window[0].start >= window[0].stop or window[1].start >= window[1].stop
    return None if is_empty else window


def orthorectify(
    oriented: OrientedPhoto, ground: Ground, grid: GeoBox, reader: PhotoReader
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float64]]:
    """Resample a photo onto a grid.

    Returns:
        colours H×W×3, their validity H×W, and the positions H×W×2 in the photo.
    """
    rows, columns = grid.shape
    x, y = grid.affine @ np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    points = np.stack([x, y, ground.elevation(x, y)], axis=-1)
    positions = ground_to_pixels(oriented.pose, oriented.photo.lens, points)
    reduction = reduction_for(oriented.gsd_m, abs(float(grid.affine.a)))
    colours, valid = sample_bilinear(reader.read(oriented.photo, reduction), positions, reduction)
    return colours, valid, positions


def _with_centre_distance(
    oriented: OrientedPhoto, ground: Ground, grid: GeoBox, reader: PhotoReader
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Colours, and each cell's distance from the photo's centre in half heights; infinite where it is not shown."""
    colours, valid, positions = orthorectify(oriented, ground, grid, reader)
    lens = oriented.photo.lens
    distance = np.hypot(positions[..., 0] - lens.width / 2, positions[..., 1] - lens.height / 2) / (lens.height / 2)
    distance = np.maximum(distance, 0.05) * (_UNTIED_PENALTY if oriented.tied_to == "nothing" else 1.0)
    return colours, np.where(valid, distance, np.inf).astype(np.float32)


def _cells_of_new_photo(
    old_colours: NDArray[np.uint8],
    old_distance: NDArray[np.float32],
    new_colours: NDArray[np.uint8],
    new_distance: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Cells that are taken from the new photo."""
    old, new = np.isfinite(old_distance), np.isfinite(new_distance)
    with np.errstate(invalid="ignore"):
        nearer = new & ~(old_distance <= new_distance)
        old_allowed = old & ~(new & (old_distance > new_distance * _SEAM_RATIO))
        new_allowed = new & ~(old & (new_distance > old_distance * _SEAM_RATIO))
    both, only_old, only_new = old_allowed & new_allowed, old_allowed & ~new_allowed, new_allowed & ~old_allowed
    if not both.any() or not only_old.any() or not only_new.any():
        return np.asarray(nearer)
    finder = _CV.detail_GraphCutSeamFinder("COST_COLOR_GRAD")
    images = [_CV.UMat(image.astype(np.float32)) for image in (old_colours, new_colours)]
    masks = [_CV.UMat(mask.astype(np.uint8) * 255) for mask in (old_allowed, new_allowed)]
    cut = finder.find(images, [(0, 0), (0, 0)], masks)
    taken = (cut[1] if cut is not None else masks[1]).get() > 0
    return np.asarray(taken & new)
