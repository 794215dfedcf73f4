"""What Tuban needs to know of a file before it reads a pixel: gathered with the one driver that may open it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import rasterio
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning

from errors import ImageError
from imagery.files.formats import Format
from imagery.files.header_limits import Declared, broken
from imagery.pyramid import Validity

DTYPES = ("uint8", "uint16", "int16", "float32")


@dataclass(frozen=True)
class Header:
    """Metadata of one image.

    Attributes:
        transform: from (column, row) to (x, y), None where the file gives none.
        crs: None where the file gives none.
        control_points: the file has ground control points, or a camera model (RPC), and no geotransform.
        tags: of all namespaces together.
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


def read_header(path: Path, file_format: Format, declared: Declared, name: str) -> Header:
    """Open a file that lies alone, look at its metadata and close it.

    Raises:
        ImageError: the driver refuses it, or it differs from what its own bytes declared, or holds a type of number
            that is not read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver=file_format.driver, sharing=False) as image:
                return _header(image, declared, name)
    except rasterio.errors.RasterioError as error:
        line = str(error).splitlines()[0][:200] if str(error) else "no reason given"
        raise broken(name, f"its header cannot be read ({line})") from None


def _header(image: rasterio.DatasetReader, declared: Declared, name: str) -> Header:
    if (image.width, image.height) != (declared.width, declared.height):
        raise broken(name, "its header contradicts itself about the size")
    types = set(image.dtypes)
    if len(types) != 1 or not types <= set(DTYPES):
        raise ImageError(
            f"{name} holds numbers of type {', '.join(sorted(types))}, and one of {', '.join(DTYPES)} was expected. "
            "Convert it, for example with `gdal_translate -ot Float32`.",
            "file.numbers",
            name=name,
            types=", ".join(sorted(types)),
        )
    placed = not image.transform.is_identity
    control_points = not placed and (bool(image.gcps[0]) or image.rpcs is not None)
    tags = dict(image.tags())
    for namespace in ("IMD", "IMAGERY", "EXIF"):
        tags.update(image.tags(ns=namespace))
    return Header(
        width=image.width,
        height=image.height,
        count=image.count,
        dtype=image.dtypes[0],
        transform=image.transform if placed else None,
        crs=_crs(image, name),
        control_points=control_points,
        colours=tuple(colour.name for colour in image.colorinterp),
        descriptions=tuple(image.descriptions),
        palette=image.count == 1 and image.colorinterp[0] == ColorInterp.palette,
        validity=_validity(image),
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
            f"{name} has a coordinate system that cannot be understood. Save it again with an EPSG code.",
            "place.unknown_system",
            name=name,
        ) from None


def _validity(image: rasterio.DatasetReader) -> Validity:
    if image.count == 1 and image.colorinterp[0] == ColorInterp.palette:
        return Validity("alpha", alpha_band=4)  # of the copy in colours that will be made
    for band, colour in enumerate(image.colorinterp, start=1):
        if colour == ColorInterp.alpha and image.count > 1:
            return Validity("alpha", alpha_band=band)
    flags = image.mask_flag_enums[0]
    if MaskFlags.per_dataset in flags:
        return Validity("mask")
    if image.nodata is not None:
        return Validity("nodata", nodata=float(image.nodata))
    return Validity("none")
