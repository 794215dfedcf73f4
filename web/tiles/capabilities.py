"""The capabilities document of WMTS 1.0.0 (OGC 07-057r7) with RESTful addresses."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from store.schema.tables import SceneRow
from store.search.alert_filter import Box
from web.maps.tiles import MAX_ZOOM, TILE_PX

LATEST = "latest"
MATRIX_SET = "GoogleMapsCompatible"

_WMTS, _OWS, _XLINK = (
    "http://www.opengis.net/wmts/1.0",
    "http://www.opengis.net/ows/1.1",
    "http://www.w3.org/1999/xlink",
)
_HALF = math.pi * 6378137.0
_PIXEL_M = 0.28e-3  # standardized rendering pixel size
_MEDIA_TYPES = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg"}
_WORLD: Box = (-180.0, -85.0, 180.0, 85.0)


def wmts_capabilities(address: str, scenes: Sequence[SceneRow], extent: Box | None, days: Sequence[dt.date]) -> bytes:
    """Return the document.

    Args:
        address: URL of the tiles, without a slash at its end.
        scenes: one layer each.
        extent: bounds of all scenes, degrees; None: unknown.
        days: values of the dimension of the layer with the latest images.
    """
    for prefix, uri in (("", _WMTS), ("ows", _OWS), ("xlink", _XLINK)):
        ET.register_namespace(prefix, uri)
    root = ET.Element(_wmts("Capabilities"), {"version": "1.0.0"})
    identification = ET.SubElement(root, _ows("ServiceIdentification"))
    for name, value in (("Title", "图斑 Tuban"), ("ServiceType", "OGC WMTS"), ("ServiceTypeVersion", "1.0.0")):
        ET.SubElement(identification, _ows(name)).text = value
    contents = ET.SubElement(root, _wmts("Contents"))
    latest = _layer(contents, LATEST, "最新影像 Latest images", extent or _WORLD)
    dimension = ET.SubElement(latest, _wmts("Dimension"))
    ET.SubElement(dimension, _ows("Identifier")).text = "time"
    ET.SubElement(dimension, _wmts("Default")).text = LATEST
    for value in (LATEST, *(day.isoformat() for day in days)):
        ET.SubElement(dimension, _wmts("Value")).text = value
    _addresses(latest, f"{address}/latest/{{time}}")
    for scene in scenes:
        title = scene.name if scene.date is None else f"{scene.date} {scene.name}"
        layer = _layer(contents, f"scene-{scene.id}", title, (scene.west, scene.south, scene.east, scene.north))
        _addresses(layer, f"{address}/scenes/{scene.id}")
    _matrix_set(contents)
    ET.SubElement(root, _wmts("ServiceMetadataURL"), {f"{{{_XLINK}}}href": f"{address}/wmts"})
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _wmts(name: str) -> str:
    return f"{{{_WMTS}}}{name}"


def _ows(name: str) -> str:
    return f"{{{_OWS}}}{name}"


def _layer(contents: ET.Element, identifier: str, title: str, bounds: Box) -> ET.Element:
    layer = ET.SubElement(contents, _wmts("Layer"))
    ET.SubElement(layer, _ows("Title")).text = "".join(one for one in title if one.isprintable())
    box = ET.SubElement(layer, _ows("WGS84BoundingBox"))
    ET.SubElement(box, _ows("LowerCorner")).text = f"{bounds[0]:.8f} {bounds[1]:.8f}"
    ET.SubElement(box, _ows("UpperCorner")).text = f"{bounds[2]:.8f} {bounds[3]:.8f}"
    ET.SubElement(layer, _ows("Identifier")).text = identifier
    style = ET.SubElement(layer, _wmts("Style"), {"isDefault": "true"})
    ET.SubElement(style, _ows("Identifier")).text = "default"
    for media_type in _MEDIA_TYPES:
        ET.SubElement(layer, _wmts("Format")).text = media_type
    return layer


def _addresses(layer: ET.Element, address: str) -> None:
    link = ET.SubElement(layer, _wmts("TileMatrixSetLink"))
    ET.SubElement(link, _wmts("TileMatrixSet")).text = MATRIX_SET
    for media_type, suffix in _MEDIA_TYPES.items():
        template = f"{address}/{{TileMatrix}}/{{TileCol}}/{{TileRow}}.{suffix}"
        values = {"format": media_type, "resourceType": "tile", "template": template}
        ET.SubElement(layer, _wmts("ResourceURL"), values)


def _matrix_set(contents: ET.Element) -> None:
    matrices = ET.SubElement(contents, _wmts("TileMatrixSet"))
    ET.SubElement(matrices, _ows("Identifier")).text = MATRIX_SET
    ET.SubElement(matrices, _ows("SupportedCRS")).text = "urn:ogc:def:crs:EPSG::3857"
    for zoom in range(MAX_ZOOM + 1):
        matrix = ET.SubElement(matrices, _wmts("TileMatrix"))
        ET.SubElement(matrix, _ows("Identifier")).text = str(zoom)
        scale = 2 * _HALF / (TILE_PX * 2**zoom) / _PIXEL_M
        for name, value in (
            ("ScaleDenominator", repr(scale)),
            ("TopLeftCorner", f"{-_HALF!r} {_HALF!r}"),
            ("TileWidth", str(TILE_PX)),
            ("TileHeight", str(TILE_PX)),
            ("MatrixWidth", str(2**zoom)),
            ("MatrixHeight", str(2**zoom)),
        ):
            ET.SubElement(matrix, _wmts(name)).text = value
