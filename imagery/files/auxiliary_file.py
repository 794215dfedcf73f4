"""Read the georeference that lies in the ``.aux.xml`` of an image (ArcGIS, GDAL), without GDAL.

Only a coordinate system (WKT) and six numbers are taken from it. What it says about other files is not read.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import defusedxml
from affine import Affine
from defusedxml.ElementTree import fromstring
from pyproj import CRS
from pyproj.exceptions import CRSError

AUXILIARY_BYTES = 4 * 1024 * 1024
"""Size of the largest file that is read: histograms and attribute tables of ArcGIS are long."""


def auxiliary_georeference(image: Path) -> tuple[Affine | None, CRS | None]:
    """Read geotransform and coordinate system from the .aux.xml of an image; None for what it does not hold.

    Looks for ``name.tif.aux.xml`` and ``name.aux.xml``. A damaged file counts as missing: it never holds what makes
    the difference between two places.
    """
    for candidate in (image.with_name(f"{image.name}.aux.xml"), image.with_suffix(".aux.xml")):
        if candidate.is_file():
            root = _parsed(candidate)
            return (None, None) if root is None else (_transform(root), _crs(root))
    return None, None


def _parsed(path: Path) -> Element | None:
    try:
        with path.open("rb") as handle:
            data = handle.read(AUXILIARY_BYTES + 1)
        if len(data) > AUXILIARY_BYTES:
            return None
        root: Element = fromstring(data, forbid_dtd=True)
    except (OSError, ParseError, defusedxml.DefusedXmlException, ValueError):
        return None
    return root


def _transform(root: Element) -> Affine | None:
    """Read the six numbers of GDAL's order: x of the corner, x per column, x per row, y of the corner, and so on."""
    text = root.findtext("GeoTransform", "")
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        return None
    if len(numbers) != 6 or not all(math.isfinite(number) for number in numbers):
        return None
    return Affine.from_gdal(*numbers)


def _crs(root: Element) -> CRS | None:
    """Read the SRS of GDAL, or the spatial reference that ArcGIS keeps among its metadata."""
    texts = [root.findtext("SRS", ""), *(element.text or "" for element in root.iter("WKT"))]
    for text in texts:
        try:
            if text.strip():
                return CRS.from_wkt(text.strip())
        except CRSError:
            continue
    return None
