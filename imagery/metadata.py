"""Read the metadata of an image: georeference, bands, validity and tags, but no pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from errors import ImageError
from imagery.files.formats import TIFF, Format
from imagery.files.header_limits import RasterLayout, damaged_file
from imagery.pyramid import Validity

_COUNTS_WITH_MASK = (2, 4, 5)  # grey, red-green-blue, or these and near infrared, with a mask
_MAX_MASK_BLOCK_BYTES = 64 * 1024 * 1024
_MASK_WINDOW, _MASK_SIDE = 32, 512  # pixels

DTYPES = ("uint8", "uint16", "int16", "float32")


@dataclass(frozen=True)
class ImageMetadata:
    """Metadata of one image.

    Attributes:
        transform: from (column, row) to (x, y), or None if the file has none.
        crs: None if the file has none.
        control_points: whether the file has ground control points or a camera model (RPC) instead of a geotransform.
        colours, descriptions: colour interpretation and name of each band, as rasterio returns them; a last band of
            unspecified meaning that only says "picture" or "none" is "alpha".
        palette: whether the only band holds indices into a colour table.
        tags: of all namespaces.
    """

    width: int
    height: int
    count: int
    dtype: str
    transform: Affine | None
    crs: CRS | None
    control_points: bool
    colours: tuple[str, ...]
    descriptions: tuple[str | None, ...]
    palette: bool
    validity: Validity
    tags: dict[str, str]


def read_metadata(path: Path, file_format: Format, layout: RasterLayout, name: str) -> ImageMetadata:
    """Read the metadata of an isolated file (:func:`imagery.files.safe_file.isolate_file`).

    Args:
        path: of the file.
        file_format: its only driver may open it.
        layout: from its header, read without GDAL.
        name: for messages.

    Raises:
        ImageError: the driver cannot open it, it differs from ``layout``, or its data type is not supported.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver=file_format.driver, sharing=False) as image:
                return _metadata(image, file_format, layout, name)
    except rasterio.errors.RasterioError as error:
        line = str(error).splitlines()[0][:200] if str(error) else "no reason given"
        raise damaged_file(name, f"its header cannot be read ({line})") from None


def _metadata(image: rasterio.DatasetReader, file_format: Format, layout: RasterLayout, name: str) -> ImageMetadata:
    if (image.width, image.height) != (layout.width, layout.height):
        raise damaged_file(name, "its header gives contradictory sizes")
    types = set(image.dtypes)
    if len(types) != 1 or not types <= set(DTYPES):
        raise ImageError(
            f"{name} has pixels of type {', '.join(sorted(types))}; expected one of {', '.join(DTYPES)}. "
            "Convert it, for example with `gdal_translate -ot Float32`.",
            "file.numbers",
            name=name,
            types=", ".join(sorted(types)),
        )
    has_transform = not image.transform.is_identity
    control_points = not has_transform and (bool(image.gcps[0]) or image.rpcs is not None)
    tags = dict(image.tags())
    for namespace in ("IMD", "IMAGERY", "EXIF"):
        tags.update(image.tags(ns=namespace))
    colours = tuple(colour.name for colour in image.colorinterp)
    validity = _validity(image)
    if validity.source in ("none", "nodata") and file_format == TIFF and _is_mask(image, layout):
        colours, validity = (*colours[:-1], "alpha"), Validity("alpha", alpha_band=image.count)
    return ImageMetadata(
        width=image.width,
        height=image.height,
        count=image.count,
        dtype=image.dtypes[0],
        transform=image.transform if has_transform else None,
        crs=_crs(image, name),
        control_points=control_points,
        colours=colours,
        descriptions=tuple(image.descriptions),
        palette=image.count == 1 and image.colorinterp[0] == ColorInterp.palette,
        validity=validity,
        tags=tags,
    )


def _crs(image: rasterio.DatasetReader, name: str) -> CRS | None:
    if image.crs is None:
        return None
    try:
        epsg = image.crs.to_epsg(confidence_threshold=100)
        return CRS.from_epsg(epsg) if epsg else CRS.from_wkt(image.crs.to_wkt())
    except (CRSError, rasterio.errors.CRSError):
        raise ImageError(
            f"{name} has an unknown coordinate system. Save it again with an EPSG code.",
            "place.unknown_system",
            name=name,
        ) from None


def _validity(image: rasterio.DatasetReader) -> Validity:
    if image.count == 1 and image.colorinterp[0] == ColorInterp.palette:
        return Validity("alpha", alpha_band=4)  # of the RGBA copy that will be written
    for band, colour in enumerate(image.colorinterp, start=1):
        if colour == ColorInterp.alpha and image.count > 1:
            return Validity("alpha", alpha_band=band)
    flags = image.mask_flag_enums[0]
    if MaskFlags.per_dataset in flags:
        return Validity("mask")
    if image.nodata is not None:
        return Validity("nodata", nodata=float(image.nodata))
    return Validity("none")


def _is_mask(image: rasterio.DatasetReader, layout: RasterLayout) -> bool:
    """Return whether the last band, of unspecified meaning, holds nothing but 0 and its largest value.

    Many programs write transparency without declaring it (ExtraSamples 0). Windows along the border and in the middle
    decide at little cost that it is a spectral band.
    """
    number = image.count
    if number not in _COUNTS_WITH_MASK or image.colorinterp[-1] not in (ColorInterp.undefined, ColorInterp.gray):
        return False
    if image.descriptions[-1] or layout.block_bytes > _MAX_MASK_BLOCK_BYTES:
        return False
    try:
        found: set[float] = set()
        for window in _sample_windows(image.width, image.height):
            found |= set(np.unique(image.read(number, window=window)).tolist())
            if len(found) > 2:
                return False
        side = max(image.width, image.height)
        shape = tuple(max(1, round(length * min(1.0, _MASK_SIDE / side))) for length in (image.height, image.width))
        return _is_binary(found | set(np.unique(image.read(number, out_shape=shape)).tolist()))
    except rasterio.errors.RasterioError:
        return False  # reading its pixels will say why


def _is_binary(values: set[float]) -> bool:
    """Return whether the values are 0 and one largest value, or the latter alone."""
    return len(values) <= 2 and max(values) in (1, 255, 65535) and (len(values) == 1 or min(values) == 0)


def _sample_windows(width: int, height: int) -> Iterator[Window]:
    size = min(_MASK_WINDOW, width, height)
    for row in np.linspace(0, height - size, 3).astype(int).tolist():
        for column in np.linspace(0, width - size, 3).astype(int).tolist():
            yield Window(column, row, size, size)
