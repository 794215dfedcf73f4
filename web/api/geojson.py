"""GeoJSON geometries as RFC 7946 requires them."""

from __future__ import annotations

from typing import Any

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient


def geojson_geometry(outline: BaseGeometry) -> dict[str, Any]:
    """Return a polygon or multipolygon as GeoJSON, exterior rings counter-clockwise. Longitude, latitude."""
    if outline.geom_type == "Polygon":
        return dict(mapping(orient(outline)))
    return {"type": "MultiPolygon", "coordinates": [mapping(orient(part))["coordinates"] for part in outline.geoms]}
