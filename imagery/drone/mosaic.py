"""Orthomosaic of a flight: one georeferenced image, written block by block whatever the number of photos."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.windows import Window

from errors import ImageError, OutputError
from imagery.conversion.cog import DATE_TAG, TILE
from imagery.drone.oriented_flight import OrientedFlight, OrientedPhoto, require_used_photos
from imagery.drone.photo_pixels import PhotoReader, Progress
from imagery.drone.seamlines import SeamLabels, compute_seamlines, footprint_window, orthorectify
from imagery.files.tiff_layout import check_written

BLOCK = 2 * TILE
_MAX_PIXELS = 2_000_000_000


@dataclass(frozen=True)
class Mosaic:
    """A written mosaic.

    Attributes:
        width, height: pixels.
        gsd_m: metres per pixel.
        preview: uint8 H×W×3, reduced.
        preview_valid: bool H×W, where the preview shows ground.
    """

    width: int
    height: int
    gsd_m: float
    preview: NDArray[np.uint8]
    preview_valid: NDArray[np.bool_]


def write_mosaic(
    flight: OrientedFlight, out: Path, gsd_m: float, date: dt.date | None, progress: Progress = lambda part, done: None
) -> Mosaic:
    """Write the orthomosaic of a flight as one tiled GeoTIFF with a mask.

    Args:
        flight: oriented.
        out: the file to write; :mod:`imagery.conversion.ingest` converts it to a COG.
        gsd_m: metres per pixel.
        date: acquisition date.
        progress: called with the step and its progress.

    Raises:
        ImageError: no photo can be used, or the mosaic would be too large.
        OutputError: it cannot be written.
    """
    require_used_photos(flight)
    photos = flight.used
    grid = _mosaic_grid(flight, photos, gsd_m)
    reader = PhotoReader()
    labels = compute_seamlines(photos, flight.ground, grid, reader, progress)
    rows, columns = (int(side) for side in grid.shape)
    profile = {
        "driver": "GTiff", "width": columns, "height": rows, "count": 3, "dtype": "uint8", "photometric": "RGB",
        "crs": rasterio.CRS.from_wkt(flight.frame.crs.to_wkt()), "transform": grid.affine, "tiled": True,
        "blockxsize": TILE, "blockysize": TILE, "interleave": "pixel", "compress": "zstd", "zstd_level": 1,
        "predictor": 2, "bigtiff": "IF_SAFER",
    }  # fmt: skip
    try:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(out, "w", **profile) as image:
            if date is not None:
                image.update_tags(**{DATE_TAG: date.isoformat()})
            for top in range(0, rows, BLOCK):
                progress("mosaic", top / rows)
                for left in range(0, columns, BLOCK):
                    window = np.s_[top : min(top + BLOCK, rows), left : min(left + BLOCK, columns)]
                    colours, valid = _render_block(photos, flight, grid, window, labels, reader)
                    target = Window(left, top, valid.shape[1], valid.shape[0])
                    image.write(np.moveaxis(colours, -1, 0), window=target)
                    image.write_mask(valid, window=target)
        check_written(out)
    except (RasterioError, OSError) as error:
        out.unlink(missing_ok=True)
        raise OutputError(
            f"The mosaic cannot be written to {out.parent} ({str(error)[:150]}). Is there enough disk space?"
        ) from None
    return Mosaic(columns, rows, gsd_m, labels.preview, labels.photo_index >= 0)


def default_gsd(photos: Sequence[OrientedPhoto], finest_m: float) -> float:
    """Ground sample distance of a mosaic: median of its photos, rounded up to a centimetre, at least ``finest_m``."""
    return max(finest_m, math.ceil(100 * float(np.median([oriented.gsd_m for oriented in photos]))) / 100)


def write_preview(mosaic: Mosaic, out: Path) -> None:
    """Write a reduced mosaic as PNG, transparent where no photo shows the ground."""
    image = np.dstack([mosaic.preview[..., ::-1], mosaic.preview_valid.astype(np.uint8) * 255])
    if not cv2.imwrite(str(out), image):
        raise OutputError(f"{out} cannot be written.")


def _mosaic_grid(flight: OrientedFlight, photos: Sequence[OrientedPhoto], gsd_m: float) -> GeoBox:
    bounds = np.array([oriented.footprint.bounds for oriented in photos])
    west, south = np.floor(bounds[:, :2].min(axis=0) / gsd_m) * gsd_m
    east, north = np.ceil(bounds[:, 2:].max(axis=0) / gsd_m) * gsd_m
    columns, rows = round((east - west) / gsd_m), round((north - south) / gsd_m)
    if columns * rows > _MAX_PIXELS:
        raise ImageError(
            f"The mosaic would have {columns:,} × {rows:,} pixels of {gsd_m:g} m. Give a coarser resolution (--gsd), "
            "or pass flights of one place.",
            "photo.mosaic_large",
            width=columns,
            height=rows,
            gsd_m=gsd_m,
        )
    return GeoBox((max(2, rows), max(2, columns)), Affine(gsd_m, 0, west, 0, -gsd_m, north), flight.frame.crs.to_wkt())


def _render_block(
    photos: Sequence[OrientedPhoto],
    flight: OrientedFlight,
    grid: GeoBox,
    window: tuple[slice, slice],
    labels: SeamLabels,
    reader: PhotoReader,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Colours and validity of one block: each pixel from the photo of its label, or from another one that shows it."""
    block = grid[window]
    block_labels = _block_labels(grid, window, labels)
    colours = np.zeros((*block_labels.shape, 3), np.uint8)
    valid = np.zeros(block_labels.shape, np.bool_)
    indices = [int(index) for index in np.unique(block_labels) if index >= 0]
    for index in indices:
        _fill(photos[index], flight, block, reader, colours, valid, block_labels == index)
    for index in indices:  # a cell of the coarse grid may extend beyond its photo
        if valid.all():
            break
        _fill(photos[index], flight, block, reader, colours, valid, ~valid)
    return colours, valid


def _fill(
    oriented: OrientedPhoto,
    flight: OrientedFlight,
    block: GeoBox,
    reader: PhotoReader,
    colours: NDArray[np.uint8],
    valid: NDArray[np.bool_],
    mask: NDArray[np.bool_],
) -> None:
    """Fill the pixels of a block that are in ``mask`` and not yet ``valid`` from one photo, in place."""
    window = footprint_window(block, oriented)
    if window is None or not mask[window].any():
        return
    photo_colours, shown, _ = orthorectify(oriented, flight.ground, block[window], reader)
    shown &= mask[window] & ~valid[window]
    colours[window][shown] = photo_colours[shown]
    valid[window] |= shown


def _block_labels(grid: GeoBox, window: tuple[slice, slice], labels: SeamLabels) -> NDArray[np.int16]:
    """Photo index of each pixel of a block."""
    cell = round(float(labels.grid.affine.a / grid.affine.a))
    rows, columns = (
        np.arange(window[0].start, window[0].stop) // cell,
        np.arange(window[1].start, window[1].stop) // cell,
    )
    return np.asarray(labels.photo_index[np.ix_(rows, columns)])
