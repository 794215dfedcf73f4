"""Copy an image to a tiled GeoTIFF with overviews, which can be read in pieces at any scale."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

_BLOCK = 256
_PIECE_BYTES = 64 * 1024 * 1024  # of pixels read at once


class CopyError(Exception):
    """The copy cannot be written, for a reason other than the image."""


def write_tiled_copy(source: str, driver: str, destination: str, overviews: bool) -> None:
    """Copy pixels, mask, alpha, nodata and colours; a palette becomes red, green, blue and alpha.

    Args:
        source: path of the isolated image (:func:`imagery.files.safe_file.isolate_file`).
        driver: the only GDAL driver that may open it.
        destination: path of the GeoTIFF to write; it is not georeferenced.
        overviews: also write overviews, each half the size of the one before, down to 256 pixels.

    Raises:
        rasterio.errors.RasterioError: the source cannot be decoded.
        CopyError: the copy cannot be written, usually because the disk is full. GDAL reports no error that occurs
            while it closes the file: see :func:`imagery.files.tiff_layout.check_written`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        _write(source, driver, destination, overviews)


def _write(source: str, driver: str, destination: str, overviews: bool) -> None:
    with rasterio.open(source, driver=driver) as image:
        palette = _palette(image)
        count = 4 if palette is not None else image.count
        flags = image.mask_flag_enums[0]
        masked = palette is None and MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        profile: dict[str, Any] = {
            "driver": "GTiff",
            "width": image.width,
            "height": image.height,
            "count": count,
            "dtype": "uint8" if palette is not None else image.dtypes[0],
            "nodata": None if palette is not None else image.nodata,
            "tiled": True,
            "blockxsize": _BLOCK,
            "blockysize": _BLOCK,
            "interleave": "pixel",
            "bigtiff": "IF_SAFER",
            "photometric": "MINISBLACK",
        }
        if overviews:
            profile |= {"compress": "zstd", "zstd_level": 1}
        row_bytes = image.width * count * np.dtype(profile["dtype"]).itemsize
        step = max(_BLOCK, _PIECE_BYTES // max(row_bytes, 1) // _BLOCK * _BLOCK)
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(destination, "w", **profile) as copy,
        ):
            copy.colorinterp = _colours(image, palette)
            for row in range(0, image.height, step):
                window = Window(0, row, image.width, min(step, image.height - row))
                if palette is not None:
                    values = np.moveaxis(palette[image.read(1, window=window)], -1, 0)
                else:
                    values = image.read(window=window)
                mask = image.read_masks(1, window=window) if masked else None
                try:
                    copy.write(values, window=window)
                    if mask is not None:
                        copy.write_mask(mask, window=window)
                except rasterio.errors.RasterioError as error:
                    raise CopyError(str(error)) from error
    if overviews:
        largest = max(profile["width"], profile["height"])
        factors = [2**level for level in range(1, 20) if largest // 2**level >= _BLOCK]
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, COMPRESS_OVERVIEW="ZSTD", BIGTIFF_OVERVIEW="IF_SAFER"),
            rasterio.open(destination, "r+", driver="GTiff") as copy,
        ):
            copy.build_overviews(factors, Resampling.average)


def _palette(image: Any) -> Any:
    """Return the palette of an image as uint8 256×4 (RGBA), or None if it has none."""
    if image.colorinterp[0] != ColorInterp.palette or image.dtypes[0] != "uint8":
        return None
    table = np.zeros((256, 4), np.uint8)
    for index, colour in image.colormap(1).items():
        if index < 256:
            table[index] = colour
    if image.nodata is not None and 0 <= image.nodata < 256:
        table[int(image.nodata), 3] = 0
    return table


def _colours(image: Any, palette: Any) -> list[ColorInterp]:
    if palette is not None:
        return [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    return [c if c == ColorInterp.alpha else ColorInterp.undefined for c in image.colorinterp]
