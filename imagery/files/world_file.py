"""Read the georeference of an image from its world file and .prj, without GDAL."""

from __future__ import annotations

import math
import os
from pathlib import Path

from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from errors import ImageError

_WORLD_FILE_BYTES = 1024
_PRJ_BYTES = 64 * 1024


def world_file_transform(image: Path) -> Affine | None:
    """Read the geotransform from the world file of an image; None if there is none.

    Looks for name.tfw, name.tifw and name.wld (similarly for .jpg, .png, .jp2), in lower and upper case. A world file
    gives the centre of the first pixel; the result maps (column, row), with (0, 0) at the corner of the first pixel, to
    (x, y).

    Raises:
        ImageError: the file does not contain six finite numbers.
    """
    suffix = image.suffix.lstrip(".").lower()
    suffixes = ["wld"]
    if suffix:
        suffixes = [f"{suffix[0]}{suffix[-1]}w", f"{suffix}w", *suffixes]
    found = _sidecar(image, suffixes)
    if found is None:
        return None
    words = _text(found, _WORLD_FILE_BYTES).replace(",", ".").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or not all(math.isfinite(number) for number in numbers):
        raise ImageError(
            f"{found.name} is not a world file: expected six numbers, one per line. Correct or remove it.",
            "beside.world",
            name=found.name,
        )
    a, d, b, e, c, f = numbers
    return Affine(a, b, c, d, e, f) @ Affine.translation(-0.5, -0.5)


def prj_crs(image: Path) -> CRS | None:
    """Read the coordinate reference system from the .prj of an image (WKT, ESRI's included); None if there is none.

    Raises:
        ImageError: the file is not WKT.
    """
    found = _sidecar(image, ["prj"])
    if found is None:
        return None
    try:
        return CRS.from_wkt(_text(found, _PRJ_BYTES).strip())
    except CRSError:
        raise ImageError(
            f"{found.name} is not a coordinate system in WKT. Correct or remove it, or give the system as EPSG.",
            "beside.prj",
            name=found.name,
        ) from None


def _sidecar(image: Path, suffixes: list[str]) -> Path | None:
    for suffix in suffixes:
        for spelling in (suffix, suffix.upper()):
            candidate = image.with_suffix(f".{spelling}")
            if candidate.is_file():
                return candidate
    return None


def _text(path: Path, max_bytes: int) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as handle:
            data = handle.read(max_bytes + 1)
    except OSError as error:
        raise ImageError(
            f"{path.name} cannot be read: {error.strerror}. Correct its permissions or remove it."
        ) from None
    if len(data) > max_bytes:
        raise ImageError(
            f"{path.name} is longer than {max_bytes:,} bytes, the limit for such a file. Correct or remove it.",
            "beside.too_long",
            name=path.name,
            most=max_bytes,
        )
    return data.decode("utf-8-sig", errors="replace")
