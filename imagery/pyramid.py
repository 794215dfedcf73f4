"""Read windows of a tiled GeoTIFF and its overviews, averaged over integer cells, with their validity.

Overviews are opened as separate images, and pixels are averaged here instead of by GDAL, for exact positions and exact
treatment of nodata.
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

from imagery.collar import Collar

_STRIP_PIXELS = 8_000_000  # native pixels in memory at once while averaging
_NODATA_TOLERANCE = 1e-5  # of a floating-point nodata value
_HUGE = 1e30  # above it, any value is nodata

Box = tuple[int, int, int, int]
"""First row, last row + 1, first column, last column + 1."""


@dataclass(frozen=True)
class Level:
    """The image itself or an overview.

    Attributes:
        dataset: open rasterio dataset.
        width, height: in pixels.
        scale_x, scale_y: native pixels per pixel of this level, not always integers.
    """

    dataset: Any
    width: int
    height: int
    scale_x: float
    scale_y: float


@dataclass(frozen=True)
class Validity:
    """How a file marks invalid pixels.

    Attributes:
        source: "alpha", "mask", "nodata" or "none".
        alpha_band: its number from 1, for "alpha".
        nodata: its value, for "nodata".
    """

    source: str
    alpha_band: int | None = None
    nodata: float | None = None


class Pyramid:
    """Reader of three bands and their validity. Thread-safe: a lock serialises reading.

    Attributes:
        levels: the image itself and its overviews, finest first.
        validity: how the file marks invalid pixels.
        collars: invalid regions that the file does not mark.
    """

    def __init__(self, path: Path, bands: tuple[int, int, int], validity: Validity) -> None:
        """Open a tiled GeoTIFF and its overviews.

        Args:
            path: of the file.
            bands: numbers of red, green and blue, from 1.
            validity: how the file marks invalid pixels.
        """
        self._bands = bands
        self.validity = validity
        self.collars: list[Collar] = []
        self._lock = threading.Lock()
        native = _open(path)
        self.levels = [Level(native, native.width, native.height, 1.0, 1.0)]
        for index in range(len(native.overviews(1))):
            dataset = _open(path, overview_level=index)
            scale_x, scale_y = native.width / dataset.width, native.height / dataset.height
            # a level reduced along one axis only is not an overview
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
        """Return the coarsest level that is fine enough.

        Args:
            pixels_x: native pixels per requested pixel along x.
            pixels_y: the same along y.
        """
        fine_enough = [
            level for level in self.levels if level.scale_x <= pixels_x * 1.05 and level.scale_y <= pixels_y * 1.05
        ]
        return fine_enough[-1] if fine_enough else self.levels[0]

    def read(self, level: Level, box: Box, down: int = 1, across: int = 1) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a window of a level, averaged over cells of ``down`` × ``across`` pixels.

        Args:
            level: one of :attr:`levels`.
            box: rows and columns of the level, within its bounds.
            down: rows per cell.
            across: columns per cell.

        Returns:
            Raw values H×W×3 in the data type of the file, and validity bool H×W. Only valid pixels are averaged; a cell
            is valid if at least half of its pixels are. Cells cut off by the image border repeat the last pixels.

        Raises:
            rasterio.errors.RasterioError: the pixels cannot be decoded.
        """
        pieces = [_averaged(*self._raw(level, strip), down, across) for strip in _strips(box, down)]
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate([piece[0] for piece in pieces]), np.concatenate([piece[1] for piece in pieces])

    def _raw(self, level: Level, box: Box) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        top, bottom, left, right = box
        window = Window(left, top, right - left, bottom - top)
        bands = list(dict.fromkeys(self._bands))
        alpha = self.validity.alpha_band
        with self._lock:
            planes = level.dataset.read([*bands, alpha] if alpha else bands, window=window)
            mask = level.dataset.read_masks(1, window=window) if self.validity.source == "mask" else None
        values = cv2.merge([planes[bands.index(band)] for band in self._bands])
        if alpha:
            valid = planes[-1] > 0
        elif mask is not None:
            valid = mask > 0
        elif self.validity.source == "nodata":
            valid = _differs(planes, self.validity.nodata)
        else:
            valid = np.ones(values.shape[:2], np.bool_)
        for collar in self.collars:
            rows, columns = (np.arange(top, bottom) + 0.5) / level.height, (np.arange(left, right) + 0.5) / level.width
            valid &= ~collar.mask(values, rows, columns)
        if values.dtype == np.float32:
            finite = np.isfinite(values).all(axis=2)
            if not finite.all():
                valid &= finite
                values[~finite] = 0
        return values, valid


def _open(path: Path, **options: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # the scene holds the georeference
        return rasterio.open(path, driver="GTiff", sharing=False, **options)


def _differs(planes: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Return False where every band has the nodata value: a dark roof may have 0 in one. NaN: see the caller.

    Floating-point values are compared with a tolerance: programs write −3.4028235e38 or −9999.0001 for what they
    declare as −3.40282346638529e38 or −9999.
    """
    if nodata is None or math.isnan(nodata):
        return np.ones(planes.shape[1:], np.bool_)
    valid = np.zeros(planes.shape[1:], np.bool_)
    for plane in planes:
        if planes.dtype != np.float32:
            valid |= plane != nodata
        elif abs(nodata) > _HUGE:
            valid |= ~((np.abs(plane) > _HUGE) & (np.sign(plane) == np.sign(nodata)))
        else:
            valid |= np.abs(plane.astype(np.float64) - nodata) > _NODATA_TOLERANCE * max(1.0, abs(nodata))
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
