"""Tilesets and the tile matrix set as OGC API - Tiles and Two Dimensional Tile Matrix Set 2.0 describe them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from web.api.links import JSON, link
from web.api.tile_relations import TILING_SCHEME
from web.maps.tiles import MAX_ZOOM, TILE_PX

MATRIX_SET = "WebMercatorQuad"
MVT = "application/vnd.mapbox-vector-tile"
CRS = "http://www.opengis.net/def/crs/EPSG/0/3857"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
MATRIX_SET_URI = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
_HALF = math.pi * 6378137.0
_PIXEL_M = 0.28e-3  # standardized rendering pixel size

Box = tuple[float, float, float, float]


def tileset(address: str, here: str, title: str, media_types: Mapping[str, str], box: Box | None) -> dict[str, Any]:
    """Return the metadata of a tileset.

    Args:
        address: URL of the tilesets, without the matrix set.
        here: URL of the API.
        title: for people.
        media_types: media type → value of ``f`` of its tiles.
        box: bounds in degrees; None: unknown.
    """
    template = f"{address}/{MATRIX_SET}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"
    tiles = [
        link("item", f"{template}?f={suffix}", media_type) | {"templated": True}
        for media_type, suffix in media_types.items()
    ]
    found: dict[str, Any] = {
        "title": title,
        "dataType": "vector" if MVT in media_types else "map",
        "crs": CRS,
        "tileMatrixSetURI": MATRIX_SET_URI,
        "links": [
            link("self", f"{address}/{MATRIX_SET}"),
            link(TILING_SCHEME, f"{here}/tileMatrixSets/{MATRIX_SET}"),
            *tiles,
        ],
    }
    if box is not None:
        found["boundingBox"] = {"lowerLeft": list(box[:2]), "upperRight": list(box[2:]), "crs": CRS84}
    return found


def tilesets(address: str, here: str, title: str, data_type: str) -> dict[str, Any]:
    """Return the list of the tilesets at an address: one, of :data:`MATRIX_SET`."""
    item = {
        "title": title,
        "dataType": data_type,
        "crs": CRS,
        "tileMatrixSetURI": MATRIX_SET_URI,
        "links": [
            link("self", f"{address}/{MATRIX_SET}"),
            link(TILING_SCHEME, f"{here}/tileMatrixSets/{MATRIX_SET}"),
        ],
    }
    return {"tilesets": [item], "links": [link("self", address, JSON)]}


def matrix_set() -> dict[str, Any]:
    """Return the tile matrix set WebMercatorQuad, up to the zoom of the tiles."""
    return {
        "id": MATRIX_SET,
        "title": "Google Maps Compatible for the World",
        "uri": MATRIX_SET_URI,
        "crs": CRS,
        "orderedAxes": ["X", "Y"],
        "wellKnownScaleSet": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
        "tileMatrices": [_matrix(zoom) for zoom in range(MAX_ZOOM + 1)],
    }


def _matrix(zoom: int) -> dict[str, Any]:
    cell = 2 * _HALF / (TILE_PX * 2**zoom)
    return {
        "id": str(zoom),
        "scaleDenominator": cell / _PIXEL_M,
        "cellSize": cell,
        "cornerOfOrigin": "topLeft",
        "pointOfOrigin": [-_HALF, _HALF],
        "tileWidth": TILE_PX,
        "tileHeight": TILE_PX,
        "matrixWidth": 2**zoom,
        "matrixHeight": 2**zoom,
    }
