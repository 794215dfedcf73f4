"""Place from small text files beside an image: a world file and a .prj. Read by us, never by GDAL."""

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
    """Geotransform from the world file beside an image, if there is one.

    Looks for name.tfw, name.tifw and name.wld (and the like for .jpg, .png, .jp2), in lower and upper case. A world
    file gives the centre of the first pixel; the result maps the corner (0, 0) of (column, row) to (x, y).

    Raises:
        ImageError: the file is there but does not hold six finite numbers.
    """
    suffix = image.suffix.lstrip(".").lower()
    suffixes = ["wld"]
    if suffix:
        suffixes = [f"{suffix[0]}{suffix[-1]}w", f"{suffix}w", *suffixes]
    found = _beside(image, suffixes)
    if found is None:
        return None
    words = _text(found, _WORLD_FILE_BYTES).replace(",", ".").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or not all(math.isfinite(number) for number in numbers):
        raise ImageError(
            f"{found.name} is no world file: six numbers were expected, one in each line. Mend or remove it.",
            "beside.world",
            name=found.name,
        )
    a, d, b, e, c, f = numbers
    return Affine(a, b, c, d, e, f) @ Affine.translation(-0.5, -0.5)


def prj_crs(image: Path) -> CRS | None:
    """Coordinate reference system from the .prj beside an image (WKT, that of ESRI included), if there is one.

    Raises:
        ImageError: the file is there but is no WKT.
    """
    found = _beside(image, ["prj"])
    if found is None:
        return None
    try:
        return CRS.from_wkt(_text(found, _PRJ_BYTES).strip())
    except CRSError:
        raise ImageError(
            f"{found.name} does not describe a coordinate system in WKT. Mend or remove it, or give the system as "
            "EPSG.",
            "beside.prj",
            name=found.name,
        ) from None


def _beside(image: Path, suffixes: list[str]) -> Path | None:
    for suffix in suffixes:
        for spelled in (suffix, suffix.upper()):
            candidate = image.with_suffix(f".{spelled}")
            if candidate.is_file():
                return candidate
    return None


def _text(path: Path, most: int) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as handle:
            data = handle.read(most + 1)
    except OSError as error:
        raise ImageError(f"{path.name} cannot be read: {error.strerror}. Mend its permissions or remove it.") from None
    if len(data) > most:
        raise ImageError(
            f"{path.name} is longer than {most:,} bytes, which such a file never is. Mend or remove it.",
            "beside.too_long",
            name=path.name,
            most=most,
        )
    return data.decode("utf-8-sig", errors="replace")
