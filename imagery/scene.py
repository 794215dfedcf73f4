"""One image of one place on one date: :func:`open_scene` → :class:`Scene` → :class:`Patch`."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from errors import ImageError
from imagery.bands import choose_bands
from imagery.conversion.rewrite import must_be_rewritten, rewrite, undecodable
from imagery.dates import acquisition_date
from imagery.files.formats import TIFF, Format, recognise
from imagery.files.header_limits import Declared, check_declared, read_declared
from imagery.files.limits import Limits
from imagery.files.safe_file import LocalFile, lay_alone, local_file
from imagery.files.tiff_layout import read_tiff_layout
from imagery.files.world_file import prj_crs, world_file_transform
from imagery.georeference import NoPlace, check_transform, crs_from_argument, ground_sample_distance, usable_crs
from imagery.metadata import Header, read_header
from imagery.pyramid import Pyramid
from imagery.radiometry import Stretch, measure_stretch
from imagery.resample import interpolate, positions, window_for

_TILE = 2048  # a larger request is answered in parts, so that memory stays bounded
_SAMPLE_SIDE = 1024  # pixels on the longer side of what the stretch is measured on
_SAMPLE_WINDOWS, _SAMPLE_WINDOW = 8, 256  # windows along each axis, where there is no overview


@dataclass(frozen=True)
class Patch:
    """A piece of a scene on a requested grid.

    Attributes:
        rgb: uint8 H×W×3, red first, stretched; 0 where not valid.
        valid: bool H×W.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]


class Scene:
    """One opened image. A context manager; made by :func:`open_scene`.

    Attributes:
        name: file name, as the person calls it.
        path: absolute path of the original.
        width, height: native size in pixels.
        geobox: native grid. Without a place its CRS is None and its coordinates are the scene's own pixels.
        placed: whether the scene has a place on the map.
        gsd_m: ground sample distance in true metres, mean of both axes.
        date, date_source: day of acquisition or None; "given", "tag NAME", "file name" or "unknown".
        bands, bands_source: band numbers from 1 of red, green and blue, and how they were found.
        grey: whether all three are one band.
        dtype, count, driver: of the original file.
        mask_source: "alpha", "mask", "nodata" or "none". NaN in floating-point images is invalid in any case.
        stretch: what turns raw values into 8 bits.
        rewritten: whether pixels come from a copy of ours.
    """

    def __init__(
        self,
        file: LocalFile,
        header: Header,
        driver: str,
        geobox: GeoBox,
        gsd_m: float,
        date: tuple[dt.date | None, str],
        bands: tuple[tuple[int, int, int], str],
        pixels: Path,
        folder: tempfile.TemporaryDirectory[str],
    ) -> None:
        """Take over a file that has been checked; ``folder`` is deleted on closing."""
        self.name = file.name
        self.path = file.path
        self.width, self.height = header.width, header.height
        self.geobox = geobox
        self.placed = geobox.crs is not None
        self.gsd_m = gsd_m
        self.date, self.date_source = date
        self.bands, self.bands_source = bands
        self.dtype, self.count, self.driver = header.dtype, header.count, driver
        self.grey = not header.palette and len(set(self.bands)) == 1
        self.mask_source = header.validity.source
        self.rewritten = pixels.name.startswith("copy")
        self._file = file
        self._folder = folder
        self._pyramid = Pyramid(pixels, (1, 2, 3) if header.palette else self.bands, header.validity)
        try:
            self.stretch = self._measure_stretch()
        except BaseException:
            self._pyramid.close()
            raise

    def __enter__(self) -> Self:
        """The scene itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Name, size, resolution, coordinate system and date in one line."""
        where = self.geobox.crs or "pixels"
        return f"<Scene {self.name} {self.width}×{self.height} {self.gsd_m:.3g} m {where} {self.date or 'no date'}>"

    def close(self) -> None:
        """Close the file and delete the private folder. May be called twice."""
        self._pyramid.close()
        self._folder.cleanup()

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the bytes of the original file, in hexadecimal. Read in a stream, once.

        Raises:
            ImageError: the file is not the one that was opened any more.
        """
        self._file.check_unchanged()
        try:
            with self.path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError as error:
            raise ImageError(f"{self.name} cannot be read: {error.strerror}.") from None
        self._file.check_unchanged()
        return digest

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        """Resample the scene onto any grid: other CRS, other resolution, rotated, partly or wholly outside.

        Detail finer than the grid is averaged first, then one bicubic interpolation at exact coordinates follows.
        Memory is bounded by the request, not by the scene.

        Args:
            geobox: the grid wanted. For a scene without a place: CRS None, its affine from the grid's pixels (column,
                row) to those of this scene.
            shift: float32 H×W×2, (dx, dy) in pixels of ``geobox``: output pixel (row, column) shows the ground at
                the grid's fractional pixel (column + dx, row + dy).

        Raises:
            ImageError: pixels that cannot be decoded.
            ValueError: a grid in pixels for a placed scene or the other way round, or a shift of another shape.
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

    def raw(self, rows: slice, columns: slice) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """A window of the scene's own pixels, not stretched.

        Args:
            rows: from and to, within the scene.
            columns: the same.

        Returns:
            values H×W×3 of :attr:`dtype`, red first (8 bits, where a palette was resolved), and validity bool H×W.

        Raises:
            ImageError: pixels that cannot be decoded.
        """
        return self._values(self._pyramid.levels[0], (rows.start, rows.stop, columns.start, columns.stop))

    def _read_tile(self, geobox: GeoBox, shift: NDArray[np.float32] | None) -> Patch:
        shape = tuple(geobox.shape)
        at = positions(geobox, self.geobox, shift)
        window, inside = window_for(self._pyramid, at)
        if window is None:
            return Patch(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.bool_))
        values, valid = self._values(window.level, window.box, window.down, window.across)
        rgb, sure = interpolate(self.stretch.apply(values), valid, *window.local(at))
        if not (inside.all() and sure.all()):
            sure &= inside
            rgb[~sure] = 0
        return Patch(rgb, sure)

    def _values(self, *window: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        try:
            return self._pyramid.read(*window)
        except rasterio.errors.RasterioError as error:
            cause = error.__cause__ or error
            raise undecodable(self.name, str(cause)) from None

    def _measure_stretch(self) -> Stretch:
        longer = max(self.width, self.height)
        level = self._pyramid.level_for(longer / _SAMPLE_SIDE, longer / _SAMPLE_SIDE)
        everything = (0, level.height, 0, level.width)
        cell = max(1, round(max(level.width, level.height) / _SAMPLE_SIDE))
        if level.width * level.height > 16 * _SAMPLE_SIDE**2:
            samples = self._scattered()
            if len(samples):
                return measure_stretch(samples, self.name)
        values, valid = self._values(level, everything, cell, cell)
        return measure_stretch(values[valid], self.name)

    def _scattered(self) -> NDArray[Any]:
        """Valid pixels N×3 of small windows all over a large image without overviews."""
        level = self._pyramid.levels[0]
        found = []
        for row in np.linspace(0, max(0, level.height - _SAMPLE_WINDOW), _SAMPLE_WINDOWS).astype(int):
            for column in np.linspace(0, max(0, level.width - _SAMPLE_WINDOW), _SAMPLE_WINDOWS).astype(int):
                bottom, right = min(row + _SAMPLE_WINDOW, level.height), min(column + _SAMPLE_WINDOW, level.width)
                values, valid = self._values(level, (int(row), int(bottom), int(column), int(right)), 1, 1)
                found.append(values[valid])
        return np.concatenate(found)


def open_scene(
    path: str | os.PathLike[str],
    gsd: float | None = None,
    bands: Sequence[int] | None = None,
    date: dt.date | None = None,
    limits: Limits | None = None,
    workdir: str | os.PathLike[str] | None = None,
    crs: str | None = None,
    resolution: float | None = None,
    today: dt.date | None = None,
    name: str | None = None,
) -> Scene:
    """Open an image file that may come from a stranger.

    Args:
        path: a file on this machine: GeoTIFF, JPEG, PNG, JPEG 2000 or WebP, all but the first with a world file
            or without.
        gsd: metres on the ground per pixel, for an image without a place. A placed image keeps its own.
        bands: red, green and blue by number from 1, or one number for grey, where the file does not tell.
        date: day of acquisition, if it is known better than the file knows it.
        limits: what a header may ask for.
        workdir: where the private folder is made; the system's folder for temporary files by default.
        crs: like "EPSG:4547", for a file that has coordinates but does not say in which system.
        resolution: metres per pixel at which the scene will be read, if known: a large image without overviews that
            is much finer is rewritten once, and then read faster.
        today: later dates in tags are not believed; the clock's date by default.
        name: how the person calls a file that was received under another name: for messages, and for a date in it.

    Raises:
        ImageError: what was found, what was expected and what to do.
    """
    limits = limits or Limits()
    if gsd is not None and not (0 < gsd < 1e5):
        raise ImageError(f"The ground sample distance {gsd} is not usable. Give metres per pixel, like 0.5.")
    file = local_file(path)
    if name is not None:
        file = replace(file, name=name)
    file_format, declared = examine(file, limits)
    try:
        folder = tempfile.TemporaryDirectory(prefix="tuban-", dir=workdir, ignore_cleanup_errors=True)
    except OSError as error:
        raise ImageError(
            f"No folder for temporary files can be made in {workdir or tempfile.gettempdir()}: {error.strerror}."
        ) from None
    try:
        alone = lay_alone(file, Path(folder.name), file_format.suffix)
        header = read_header(alone, file_format, declared, file.name)
        file.check_unchanged()
        geobox, gsd_m = _place(file, header, gsd, crs)
        chosen = choose_bands(header.count, header.dtype, header.colours, header.descriptions, bands)
        taken = (date, "given") if date else acquisition_date(header.tags, file.name, today or _clock())
        ratio = resolution / gsd_m if resolution else 1.0
        pixels = alone
        if must_be_rewritten(declared, file_format, header.palette, ratio, limits):
            pixels = Path(folder.name) / "copy.tif"
            rewrite(alone, file_format, declared, pixels, file.name, limits)
            file.check_unchanged()
        return Scene(file, header, file_format.driver, geobox, gsd_m, taken, chosen, pixels, folder)
    except BaseException:
        folder.cleanup()
        raise


def examine(file: LocalFile, limits: Limits) -> tuple[Format, Declared]:
    """What a file is and how much it declares, by its bytes and without any library.

    Raises:
        ImageError: it is no image that is read, or is out of bounds.
    """
    file_format = recognise(file.head, file.name)
    with file.path.open("rb") as handle:
        declared = (
            read_tiff_layout(handle, file.size, file.name, limits)
            if file_format == TIFF
            else read_declared(handle, file_format, file.name)
        )
    check_declared(declared, file.size, file.name, limits)
    return file_format, declared


def _place(file: LocalFile, header: Header, gsd: float | None, crs: str | None) -> tuple[GeoBox, float]:
    shape = (header.height, header.width)
    transform, system = header.transform, usable_crs(header.crs)
    if transform is None:
        transform = world_file_transform(file.path)
    if transform is not None:
        check_transform(transform, file.name)
        if crs is not None and system is None:
            system = usable_crs(crs_from_argument(crs))
        if system is None:
            system = usable_crs(prj_crs(file.path))
        if system is not None:
            code = system.to_epsg(min_confidence=100)
            geobox = GeoBox(shape, transform, f"EPSG:{code}" if code else system.to_wkt())
            return geobox, ground_sample_distance(geobox, file.name)
    if gsd is not None:
        return GeoBox(shape, Affine.identity(), None), float(gsd)
    if transform is not None:
        raise NoPlace(
            f"{file.name} has a geotransform but no coordinate system.",
            "Give the system (like EPSG:4547), put a .prj beside it, or give the ground sample distance (--gsd) to "
            "have it taken as plain pixels.",
            "place.no_system",
            file.name,
        )
    if header.control_points:
        raise NoPlace(
            f"{file.name} is not rectified: it has control points or a camera model instead of a grid.",
            "Rectify it with `gdalwarp`, or give the ground sample distance (--gsd) to have it taken as plain pixels.",
            "place.not_rectified",
            file.name,
        )
    raise NoPlace(
        f"{file.name} has no coordinates.",
        "Give the ground sample distance in metres per pixel (--gsd 0.5), or a world file and a .prj beside it.",
        "place.none",
        file.name,
    )


def _clock() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()
