"""An image rewritten as a tiled GeoTIFF with overviews, to be read in pieces at any scale.

Runs in the caller's process for small images. For large ones it is run as a program of its own (:func:`main`), which
gives itself limits first, so it imports nothing of Tuban and trusts nothing but its arguments: JSON on standard input.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

_BLOCK = 256
_PIECE_BYTES = 64 * 1024 * 1024

NOT_DECODED, NOT_WRITTEN = 3, 4
"""What :func:`main` ends with where the image is at fault, and where the disk is."""


class CopyError(Exception):
    """The copy cannot be written: nothing that the image could help."""


def write_tiled_copy(source: str, driver: str, destination: str, overviews: bool) -> None:
    """Copy pixels, mask, alpha, nodata and colours; a palette becomes red, green, blue and alpha.

    Args:
        source: path under a name of ours.
        driver: the only GDAL driver that may open it.
        destination: path of the GeoTIFF to write; it gets no place.
        overviews: also write levels of half the size each, down to 256 pixels.

    Raises:
        rasterio.errors.RasterioError: the source cannot be decoded.
        CopyError: for lack of room, most often. What GDAL only finds while it closes the file is not told.
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
    """Table of 256 RGBA colours of an image that has one, else None."""
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


def main() -> int:
    """Rewrite one image under limits. 0: done; else as above, and standard error says why."""
    import resource

    task = json.load(sys.stdin)
    for limit, value in (
        (resource.RLIMIT_AS, task["memory_bytes"]),
        (resource.RLIMIT_CPU, task["seconds"]),
        (resource.RLIMIT_FSIZE, task["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    try:
        write_tiled_copy(task["source"], task["driver"], task["destination"], overviews=True)
    except Exception as error:  # whatever the decoder says, the parent puts it in one sentence
        Path(task["destination"]).unlink(missing_ok=True)
        print(str(error).splitlines()[0][:300] if str(error) else type(error).__name__, file=sys.stderr)
        return NOT_WRITTEN if isinstance(error, CopyError) else NOT_DECODED
    return 0


if __name__ == "__main__":
    sys.exit(main())
