"""One image of one place on one date, readable on any grid.

:func:`open_scene` opens a file as a :class:`Scene`; :meth:`Scene.read` resamples it to a :class:`Patch`.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from configs.stage_clock import stage_part
from errors import ImageError, Reason
from imagery.bands import choose_bands
from imagery.dates import acquisition_date
from imagery.files.inspection import inspect_file
from imagery.files.rewrite import must_be_rewritten, rewrite, undecodable
from imagery.files.safe_file import SafeFile, check_regular_file, isolate_file
from imagery.limits import Limits
from imagery.metadata import ImageMetadata, read_metadata
from imagery.native_grid import NativeGrid, native_grid
from imagery.pixel_blocks import block_side
from imagery.pyramid import Pyramid
from imagery.radiometry import Stretch, measure_stretch
from imagery.raster_kind import classify_raster, kind_remark
from imagery.resample import interpolate, source_positions, window_for
from imagery.unmarked_validity import exclude_collars

_TILE = 2048  # pixels; larger requests are read in tiles of this size, so that memory stays bounded
_SAMPLE_SIDE = 1024  # pixels on the longer side of the image that the stretch is computed from
_KIND_WINDOWS, _KIND_WINDOW = 7, 48  # number of windows along each axis and their size, to tell the kind of raster
_SAMPLE_WINDOWS, _SAMPLE_WINDOW = 8, 256  # number of windows along each axis and their size, without overviews


@dataclass(frozen=True)
class Patch:
    """A scene resampled to a requested grid.

    Attributes:
        rgb: uint8 H×W×3, red first, stretched; 0 where not valid.
        valid: bool H×W.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]


class Scene:
    """An open image, returned by :func:`open_scene`. A context manager.

    Attributes:
        name: file name as the user knows it.
        path: absolute path of the original.
        width, height: native size in pixels.
        geobox: native grid. Without a georeference its CRS is None and its coordinates are pixels of the scene.
        georeferenced: whether the scene has coordinates on the ground.
        gsd_m: ground sample distance in true metres, mean of both axes.
        date, date_source: day of acquisition or None; "given", "tag NAME", "file name" or "unknown".
        tags: of all namespaces of the file.
        bands, bands_source: numbers of the red, green and blue band, from 1, and how they were chosen.
        grey: whether all three are the same band.
        dtype, count, driver: of the original file.
        mask_source: "alpha", "mask", "nodata", "border" (a uniform margin) or "none". NaN in floating-point images is
            always invalid.
        stretch: maps raw values to 8 bits.
        rewritten: whether pixels are read from a tiled copy.
        kind: what it holds; see :mod:`imagery.raster_kind`.
        remarks: what people should know about it.
        opening_s: wall and CPU seconds that :func:`open_scene` took.
    """

    def __init__(
        self,
        file: SafeFile,
        metadata: ImageMetadata,
        driver: str,
        grid: NativeGrid,
        date: tuple[dt.date | None, str],
        bands: tuple[tuple[int, int, int], str],
        pixels: Path,
        folder: tempfile.TemporaryDirectory[str],
    ) -> None:
        """Open the pixels of a checked file. ``folder`` holds them and is deleted on closing."""
        self.name = file.name
        self.path = file.path
        self.width, self.height = metadata.width, metadata.height
        self.geobox, self.gsd_m = grid.geobox, grid.gsd_m
        self.georeferenced = grid.geobox.crs is not None
        self.date, self.date_source = date
        self.tags = metadata.tags
        self.bands, self.bands_source = bands
        self.dtype, self.count, self.driver = metadata.dtype, metadata.count, driver
        self.grey = not metadata.palette and len(set(self.bands)) == 1
        self.mask_source = metadata.validity.source
        self.rewritten = pixels.name.startswith("copy")
        self.opening_s = (0.0, 0.0)
        self._file = file
        self._folder = folder
        self._pyramid = Pyramid(pixels, (1, 2, 3) if metadata.palette else self.bands, metadata.validity)
        try:
            margins = self._exclude_collars()
            self.kind = classify_raster(self.name, metadata, self.bands, self._native_windows)
            self.stretch = self._measure_stretch()
        except BaseException:
            self._pyramid.close()
            raise
        kind = kind_remark(self.kind)
        self.remarks = (*grid.remarks, *margins, *([kind] if kind else []))

    def __enter__(self) -> Self:
        """Return the scene itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the scene."""
        self.close()

    def __repr__(self) -> str:
        """Return name, size, resolution, coordinate system and date in one line."""
        crs = self.geobox.crs or "pixels"
        return f"<Scene {self.name} {self.width}×{self.height} {self.gsd_m:.3g} m {crs} {self.date or 'no date'}>"

    def close(self) -> None:
        """Close the file and delete the private folder. May be called twice."""
        self._pyramid.close()
        self._folder.cleanup()

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the original file in hexadecimal, computed once.

        Raises:
            ImageError: the file has changed since it was opened.
        """
        self._file.check_unchanged()
        try:
            with self.path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError as error:
            raise ImageError(f"{self.name} cannot be read: {error.strerror}.") from None
        self._file.check_unchanged()
        return digest

    @functools.cached_property
    def block_px(self) -> float:
        """Side in pixels of the blocks of one colour that the image consists of; 1 if it does not.

        Raises:
            ImageError: the pixels cannot be decoded.
        """
        return block_side(self._native_windows())

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        """Resample the scene to any grid: another CRS or resolution, rotated, partly or entirely outside the scene.

        Detail finer than the grid is averaged first; one bicubic interpolation at exact coordinates follows. Memory is
        bounded by the size of the request, not of the scene.

        Args:
            geobox: the requested grid. For a scene without a georeference: CRS None, and an affine from (column, row)
                of the grid to (column, row) of the scene.
            shift: float32 H×W×2, (dx, dy) in pixels of ``geobox``: output pixel (row, column) shows the ground at
                the grid's fractional pixel (column + dx, row + dy).

        Raises:
            ImageError: the pixels cannot be decoded.
            ValueError: a grid in pixels for a georeferenced scene or vice versa, or a shift of another shape.
        """
        rows, columns = geobox.shape
        if shift is not None and shift.shape != (rows, columns, 2):
            raise ValueError(f"shift has shape {shift.shape}, expected {(rows, columns, 2)}")
        if rows <= _TILE and columns <= _TILE:
            return self._read_tile(geobox, shift)
        patch = Patch(np.zeros((rows, columns, 3), np.uint8), np.zeros((rows, columns), np.bool_))
        for top in range(0, rows, _TILE):
            for left in range(0, columns, _TILE):
                part = np.s_[top : min(top + _TILE, rows), left : min(left + _TILE, columns)]
                piece = self._read_tile(geobox[part], None if shift is None else shift[part])
                patch.rgb[part], patch.valid[part] = piece.rgb, piece.valid
        return patch

    def read_raw(self, rows: slice, columns: slice) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read a window of native pixels without stretching them.

        Args:
            rows: start and stop, within the scene.
            columns: start and stop, within the scene.

        Returns:
            values H×W×3 of :attr:`dtype`, red first (uint8 if a palette was resolved), and validity bool H×W.

        Raises:
            ImageError: the pixels cannot be decoded.
        """
        return self._read_window(self._pyramid.levels[0], (rows.start, rows.stop, columns.start, columns.stop))

    def _read_tile(self, geobox: GeoBox, shift: NDArray[np.float32] | None) -> Patch:
        shape = tuple(geobox.shape)
        with stage_part("warp"):
            positions = source_positions(geobox, self.geobox, shift)
            window, inside = window_for(self._pyramid, positions)
        if window is None:
            return Patch(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.bool_))
        with stage_part("decode"):
            values, valid = self._read_window(window.level, window.box, window.down, window.across)
        if not valid.any():  # as in most of a sparse mosaic
            return Patch(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.bool_))
        with stage_part("warp"):
            rgb, valid = interpolate(self.stretch.apply(values), valid, *window.local_indices(positions))
            if not (inside.all() and valid.all()):
                valid &= inside
                rgb[~valid] = 0
        return Patch(rgb, valid)

    def _read_window(self, *window: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        try:
            return self._pyramid.read(*window)
        except rasterio.errors.RasterioError as error:
            cause = error.__cause__ or error
            raise undecodable(self.name, str(cause)) from None

    def _exclude_collars(self) -> list[Reason]:
        try:
            remarks = exclude_collars(self._pyramid, self.gsd_m)
        except rasterio.errors.RasterioError as error:
            raise undecodable(self.name, str(error.__cause__ or error)) from None
        if self._pyramid.collars and self.mask_source == "none":
            self.mask_source = "border"
        return remarks

    def _native_windows(self) -> list[NDArray[Any]]:
        """Return windows of valid native pixels H×W×3, spread over the image."""
        level = self._pyramid.levels[0]
        height, width = min(_KIND_WINDOW, level.height), min(_KIND_WINDOW, level.width)
        windows = []
        for row in np.linspace(0, level.height - height, _KIND_WINDOWS).astype(int).tolist():
            for column in np.linspace(0, level.width - width, _KIND_WINDOWS).astype(int).tolist():
                values, valid = self._read_window(level, (row, row + height, column, column + width))
                if valid.all():
                    windows.append(values)
        return windows

    def _measure_stretch(self) -> Stretch:
        ratio = max(self.width, self.height) / _SAMPLE_SIDE
        level = self._pyramid.level_for(ratio, ratio)
        full_extent = (0, level.height, 0, level.width)
        cell = max(1, round(max(level.width, level.height) / _SAMPLE_SIDE))
        if level.width * level.height > 16 * _SAMPLE_SIDE**2:
            samples = self._sample_windows()
            if len(samples):
                return measure_stretch(samples, self.name)
        values, valid = self._read_window(level, full_extent, cell, cell)
        return measure_stretch(values[valid], self.name)

    def _sample_windows(self) -> NDArray[Any]:
        """Return the valid pixels N×3 of small windows spread over a large image without overviews."""
        level = self._pyramid.levels[0]
        samples = []
        for row in np.linspace(0, max(0, level.height - _SAMPLE_WINDOW), _SAMPLE_WINDOWS).astype(int):
            for column in np.linspace(0, max(0, level.width - _SAMPLE_WINDOW), _SAMPLE_WINDOWS).astype(int):
                bottom, right = min(row + _SAMPLE_WINDOW, level.height), min(column + _SAMPLE_WINDOW, level.width)
                values, valid = self._read_window(level, (int(row), int(bottom), int(column), int(right)), 1, 1)
                samples.append(values[valid])
        return np.concatenate(samples)


def open_scene(
    path: str | os.PathLike[str],
    gsd: float | None = None,
    bands: Sequence[int] | None = None,
    date: dt.date | None = None,
    limits: Limits | None = None,
    workdir: str | os.PathLike[str] | None = None,
    crs: str | None = None,
    override_crs: bool = False,
    resolution: float | None = None,
    today: dt.date | None = None,
    name: str | None = None,
) -> Scene:
    """Open an untrusted image file.

    Args:
        path: a local file: GeoTIFF, JPEG, PNG, JPEG 2000 or WebP; a world file, .prj and .aux.xml next to it are read
            too.
        gsd: metres on the ground per pixel, for an image without a georeference; ignored for any other.
        bands: numbers of the red, green and blue band, from 1, or one number for grey; overrides the file.
        date: day of acquisition; overrides the file.
        limits: limits on the header and on rewriting.
        workdir: parent of the scene's temporary folder; the system's temporary folder by default.
        crs: like "EPSG:4547", for a file that has coordinates but no coordinate system.
        override_crs: use ``crs`` instead of the system that the file has, too.
        resolution: metres per pixel at which the scene will be read, if known: a large and much finer image without
            overviews is rewritten once, then read faster.
        today: later dates in tags are ignored; by default the current date (UTC).
        name: the user's name for a file stored under another one; used for messages and for a date in the name.

    Raises:
        ImageError: the image cannot be used; the message says what was found, what was expected and what to do.
    """
    limits = limits or Limits()
    begin = time.perf_counter(), time.process_time()
    if gsd is not None and not (0 < gsd < 1e5):
        raise ImageError(f"The ground sample distance {gsd} is not usable. Give metres per pixel, like 0.5.")
    file = check_regular_file(path)
    if name is not None:
        file = replace(file, name=name)
    file_format, layout = inspect_file(file, limits)
    try:
        folder = tempfile.TemporaryDirectory(prefix="tuban-", dir=workdir, ignore_cleanup_errors=True)
    except OSError as error:
        raise ImageError(
            f"A temporary folder cannot be created in {workdir or 'TMPDIR or /tmp'}: {error.strerror}. Set TMPDIR to a "
            "folder that can be written."
        ) from None
    try:
        isolated = isolate_file(file, Path(folder.name), file_format.suffix)
        metadata = read_metadata(isolated, file_format, layout, file.name)
        file.check_unchanged()
        grid = native_grid(file, metadata, gsd=gsd, crs=crs, override_crs=override_crs)
        chosen = choose_bands(metadata.count, metadata.dtype, metadata.colours, metadata.descriptions, bands)
        taken = (date, "given") if date else acquisition_date(metadata.tags, file.name, today or _current_date())
        ratio = resolution / grid.gsd_m if resolution else 1.0
        pixels = isolated
        if must_be_rewritten(layout, file_format, metadata.palette, ratio, limits):
            pixels = Path(folder.name) / "copy.tif"
            rewrite(isolated, file_format, layout, pixels, file.name, limits)
            file.check_unchanged()
        scene = Scene(file, metadata, file_format.driver, grid, taken, chosen, pixels, folder)
        scene.opening_s = time.perf_counter() - begin[0], time.process_time() - begin[1]
        return scene
    except BaseException:
        folder.cleanup()
        raise


def _current_date() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()
