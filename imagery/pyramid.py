"""A tiled GeoTIFF as a pyramid: raw colours and validity of any window, averaged down by whole numbers.

Overviews are opened as images of their own and pixels are averaged here, not by GDAL, so that the position of every
pixel and the treatment of nodata are ours to the last fraction.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

_STRIP_PIXELS = 8_000_000  # native pixels that are held at once while averaging

Box = tuple[int, int, int, int]
"""Rows from, to, columns from, to."""


@dataclass(frozen=True)
class Level:
    """One resolution: the image itself or an overview.

    Attributes:
        width, height: its size.
        scale_x, scale_y: native pixels per pixel of this level, not always whole numbers.
    """

    dataset: Any
    width: int
    height: int
    scale_x: float
    scale_y: float


@dataclass(frozen=True)
class Validity:
    """How a file marks pixels without an image: ``source`` is one of "alpha", "mask", "nodata" and "none"."""

    source: str
    alpha_band: int | None = None
    nodata: float | None = None


class Pyramid:
    """Reader of three bands and their validity. May be shared by threads; they take turns."""

    def __init__(self, path: Path, bands: tuple[int, int, int], validity: Validity) -> None:
        """Open a tiled GeoTIFF and its overviews, to read ``bands`` (red, green, blue, from 1)."""
        self._bands = bands
        self._validity = validity
        self._turn = threading.Lock()
        native = _open(path)
        self.levels = [Level(native, native.width, native.height, 1.0, 1.0)]
        for index in range(len(native.overviews(1))):
            dataset = _open(path, overview_level=index)
            scale_x, scale_y = native.width / dataset.width, native.height / dataset.height
            # a level that is squeezed along one axis only is no overview
            if 0.8 < scale_x / scale_y < 1.25 or min(dataset.width, dataset.height) < 8:
                self.levels.append(Level(dataset, dataset.width, dataset.height, scale_x, scale_y))
            else:
                dataset.close()
        self.levels.sort(key=lambda level: level.scale_x)

    def close(self) -> None:
        """Close all files."""
        for level in self.levels:
            level.dataset.close()

    def level_for(self, pixels_x: float, pixels_y: float) -> Level:
        """Coarsest level that is not coarser than wanted, in native pixels per wanted pixel along each axis."""
        fitting = [
            level for level in self.levels if level.scale_x <= pixels_x * 1.05 and level.scale_y <= pixels_y * 1.05
        ]
        return fitting[-1] if fitting else self.levels[0]

    def read(self, level: Level, box: Box, down: int = 1, across: int = 1) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a window of a level, averaged over cells of ``down`` × ``across`` pixels.

        Args:
            level: one of :attr:`levels`.
            box: rows and columns of the level, within its bounds.
            down: rows of a cell.
            across: columns of a cell.

        Returns:
            Raw values H×W×3 of the file's own type, and bool H×W. Only valid pixels are averaged, and a cell is valid
            when half of it is. A cell that is cut by the end of the image repeats its last pixels.

        Raises:
            rasterio.errors.RasterioError: pixels that cannot be decoded.
        """
        pieces = [_averaged(*self._raw(level, strip), down, across) for strip in _strips(box, down)]
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate([piece[0] for piece in pieces]), np.concatenate([piece[1] for piece in pieces])

    def _raw(self, level: Level, box: Box) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        top, bottom, left, right = box
        window = Window(left, top, right - left, bottom - top)
        wanted = list(dict.fromkeys(self._bands))
        alpha = self._validity.alpha_band
        with self._turn:
            planes = level.dataset.read([*wanted, alpha] if alpha else wanted, window=window)
            mask = level.dataset.read_masks(1, window=window) if self._validity.source == "mask" else None
        values = cv2.merge([planes[wanted.index(band)] for band in self._bands])
        if alpha:
            valid = planes[-1] > 0
        elif mask is not None:
            valid = mask > 0
        elif self._validity.source == "nodata":
            valid = _differs(planes, self._validity.nodata)
        else:
            valid = np.ones(values.shape[:2], np.bool_)
        if values.dtype == np.float32:
            finite = np.isfinite(values).all(axis=2)
            if not finite.all():
                valid &= finite
                values[~finite] = 0
        return values, valid


def _open(path: Path, **options: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # the scene knows its place, the pixels need none
        return rasterio.open(path, driver="GTiff", sharing=False, **options)


def _differs(planes: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Valid unless every band has the nodata value: a dark roof may well have 0 in one band. NaN: see the caller."""
    if nodata is None or math.isnan(nodata):
        return np.ones(planes.shape[1:], np.bool_)
    with np.errstate(over="ignore"):
        wanted = np.float32(nodata) if planes.dtype == np.float32 else nodata
    valid: NDArray[np.bool_] = planes[0] != wanted
    for plane in planes[1:]:
        valid |= plane != wanted
    return valid


def _strips(box: Box, down: int) -> Iterator[Box]:
    top, bottom, left, right = box
    step = max(1, _STRIP_PIXELS // max(right - left, 1) // down) * down
    for row in range(top, bottom, step):
        yield row, min(row + step, bottom), left, right


def _averaged(
    values: NDArray[Any], valid: NDArray[np.bool_], down: int, across: int
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    if down == 1 and across == 1:
        return values, valid
    rows, columns = -(-valid.shape[0] // down), -(-valid.shape[1] // across)
    missing = rows * down - valid.shape[0], columns * across - valid.shape[1]
    if any(missing):
        values = cv2.copyMakeBorder(values, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
        valid = np.pad(valid, ((0, missing[0]), (0, missing[1])), mode="edge")
    size = (columns, rows)
    if valid.all():
        return cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.ones((rows, columns), np.bool_)
    weights = valid.astype(np.float32)
    share = cv2.resize(weights, size, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(values * weights[..., None], size, interpolation=cv2.INTER_AREA)
    mean = sums / np.maximum(share, 1e-6)[..., None]
    if values.dtype != np.float32:
        mean = np.rint(mean)
    return mean.astype(values.dtype), share >= 0.5
