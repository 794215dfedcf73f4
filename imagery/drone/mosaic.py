"""The mosaic of a flight: one image with a place, written block by block, whatever the number of photos."""

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
from imagery.drone.orientation import PlacedFlight, PlacedPhoto, refuse_empty
from imagery.drone.photo_pixels import PhotoPixels, Progress
from imagery.drone.seamlines import Labels, choose_photos, look, part_of
from imagery.files.tiff_layout import check_written

BLOCK = 2 * TILE
_MOST_PIXELS = 2_000_000_000


@dataclass(frozen=True)
class Mosaic:
    """What was written.

    Attributes:
        width, height: pixels.
        gsd_m: metres per pixel.
        preview: uint8 H×W×3, small.
        seen: bool H×W, where the preview shows ground.
    """

    width: int
    height: int
    gsd_m: float
    preview: NDArray[np.uint8]
    seen: NDArray[np.bool_]


def write_mosaic(
    flight: PlacedFlight, out: Path, gsd_m: float, date: dt.date | None, progress: Progress = lambda part, done: None
) -> Mosaic:
    """Lay the photos of a flight into one tiled GeoTIFF with a mask.

    Args:
        flight: placed.
        out: the file to write; to be rewritten as COG by :mod:`imagery.conversion.ingest`.
        gsd_m: metres per pixel.
        date: day it was taken.
        progress: is told how far it is.

    Raises:
        ImageError: nothing can be laid into it, or it would be too large.
        OutputError: it cannot be written.
    """
    refuse_empty(flight)
    photos = flight.used
    grid = _grid(flight, photos, gsd_m)
    pixels = PhotoPixels()
    labels = choose_photos(photos, flight.ground, grid, pixels, progress)
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
                    part = np.s_[top : min(top + BLOCK, rows), left : min(left + BLOCK, columns)]
                    colours, valid = _block(photos, flight, grid, part, labels, pixels)
                    window = Window(left, top, valid.shape[1], valid.shape[0])
                    image.write(np.moveaxis(colours, -1, 0), window=window)
                    image.write_mask(valid, window=window)
        check_written(out)
    except (RasterioError, OSError) as error:
        out.unlink(missing_ok=True)
        raise OutputError(
            f"The mosaic cannot be written to {out.parent} ({str(error)[:150]}). Is there room?"
        ) from None
    return Mosaic(columns, rows, gsd_m, labels.preview, labels.photo >= 0)


def usual_gsd(photos: Sequence[PlacedPhoto], finest_m: float) -> float:
    """Metres per pixel that suit photos: what half of them have, in steps of a centimetre, not finer than wanted."""
    return max(finest_m, math.ceil(100 * float(np.median([placed.gsd_m for placed in photos]))) / 100)


def _grid(flight: PlacedFlight, photos: Sequence[PlacedPhoto], gsd_m: float) -> GeoBox:
    bounds = np.array([placed.outline.bounds for placed in photos])
    west, south = np.floor(bounds[:, :2].min(axis=0) / gsd_m) * gsd_m
    east, north = np.ceil(bounds[:, 2:].max(axis=0) / gsd_m) * gsd_m
    columns, rows = round((east - west) / gsd_m), round((north - south) / gsd_m)
    if columns * rows > _MOST_PIXELS:
        raise ImageError(
            f"The mosaic would have {columns:,} × {rows:,} pixels of {gsd_m:g} m. Give a coarser resolution (--gsd), "
            "or pass flights of one place.",
            "photo.mosaic_large",
            width=columns,
            height=rows,
            gsd_m=gsd_m,
        )
    return GeoBox((max(2, rows), max(2, columns)), Affine(gsd_m, 0, west, 0, -gsd_m, north), flight.frame.crs.to_wkt())


def _block(
    photos: Sequence[PlacedPhoto],
    flight: PlacedFlight,
    grid: GeoBox,
    part: tuple[slice, slice],
    labels: Labels,
    pixels: PhotoPixels,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Colours and validity of one block: of each place from the photo chosen, or from another that sees it."""
    block = grid[part]
    wanted = _labels_of(grid, part, labels)
    colours = np.zeros((*wanted.shape, 3), np.uint8)
    valid = np.zeros(wanted.shape, np.bool_)
    chosen = [int(number) for number in np.unique(wanted) if number >= 0]
    for number in chosen:
        _lay(photos[number], flight, block, pixels, colours, valid, wanted == number)
    for number in chosen:  # a cell of the coarse grid may reach beyond its photo
        if valid.all():
            break
        _lay(photos[number], flight, block, pixels, colours, valid, ~valid)
    return colours, valid


def _lay(
    placed: PlacedPhoto,
    flight: PlacedFlight,
    block: GeoBox,
    pixels: PhotoPixels,
    colours: NDArray[np.uint8],
    valid: NDArray[np.bool_],
    where: NDArray[np.bool_],
) -> None:
    """Fill pixels of a block from one photo."""
    inside = part_of(block, placed)
    if inside is None or not where[inside].any():
        return
    found, seen, _ = look(placed, flight.ground, block[inside], pixels)
    seen &= where[inside] & ~valid[inside]
    colours[inside][seen] = found[seen]
    valid[inside] |= seen


def _labels_of(grid: GeoBox, part: tuple[slice, slice], labels: Labels) -> NDArray[np.int16]:
    """The labels of a block's pixels."""
    cell = round(float(labels.grid.affine.a / grid.affine.a))
    rows, columns = np.arange(part[0].start, part[0].stop) // cell, np.arange(part[1].start, part[1].stop) // cell
    return np.asarray(labels.photo[np.ix_(rows, columns)])


def write_preview(mosaic: Mosaic, out: Path) -> None:
    """The mosaic as a small PNG, transparent where no photo sees the ground."""
    image = np.dstack([mosaic.preview[..., ::-1], mosaic.seen.astype(np.uint8) * 255])
    if not cv2.imwrite(str(out), image):
        raise OutputError(f"{out} cannot be written.")
