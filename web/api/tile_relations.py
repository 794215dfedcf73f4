"""Conformance classes and link relations of OGC API - Tiles."""

from __future__ import annotations

TILESETS_MAP = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-map"
TILESETS_VECTOR = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
TILING_SCHEME = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"
TILING_SCHEMES = "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes"

_TILES = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/"
CONFORMS = [
    *(f"{_TILES}{name}" for name in ("core", "tileset", "tilesets-list", "dataset-tilesets", "geodata-tilesets")),
    *(f"{_TILES}{name}" for name in ("mvt", "png", "jpeg")),
    "http://www.opengis.net/spec/tms/2.0/conf/tilematrixset",
    "http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixset",
]
