"""GeoJSON, read without GDAL: a file that begins as JSON may be of other formats, whose content names further files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True)
class RawFeatures:
    """Features as they stand in a file.

    Attributes:
        fields: names of the fields.
        system: coordinate system, or None.
        shapes: one for each feature: WKB, a geometry, None, or why there is none.
        values: by field, one for each feature.
    """

    fields: tuple[str, ...]
    system: str | None
    shapes: list[bytes | BaseGeometry | str | None]
    values: list[dict[str, Any]]


def read_geojson(path: Path) -> RawFeatures:
    """Read a FeatureCollection. WGS 84 unless the ``crs`` of older files says another; longitude or easting first.

    Raises:
        ValueError: it is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise ValueError("brackets are nested too deeply") from error
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or content.get("type") != "FeatureCollection":
        raise ValueError("it is no FeatureCollection")
    features = [feature if isinstance(feature, dict) else {} for feature in features]
    values = [p if isinstance(p := feature.get("properties"), dict) else {} for feature in features]
    fields = tuple(dict.fromkeys(name for row in values for name in row))
    return RawFeatures(
        fields,
        _system(content.get("crs")),
        [_shape(feature.get("geometry")) for feature in features],
        [{name: _flat(row.get(name)) for name in fields} for row in values],
    )


def _system(named: Any) -> str:
    try:
        return str(named["properties"]["name"])
    except (TypeError, KeyError):
        return "OGC:CRS84"


def _shape(geometry: Any) -> BaseGeometry | str | None:
    if geometry is None:
        return None
    try:
        found: BaseGeometry = shape(geometry)
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        return f"its geometry is not GeoJSON ({error})"
    return found


def _flat(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
