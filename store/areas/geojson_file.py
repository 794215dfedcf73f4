"""GeoJSON reader without GDAL, which opens other JSON-based formats that refer to further files."""

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
    """Unprocessed features of a file.

    Attributes:
        fields: names of the fields.
        crs: coordinate system, or None.
        shapes: one per feature: WKB, a geometry, None, or a message why it cannot be read.
        values: one dictionary by field per feature.
        remarks: on the whole file.
    """

    fields: tuple[str, ...]
    crs: str | None
    shapes: list[bytes | BaseGeometry | str | None]
    values: list[dict[str, Any]]
    remarks: tuple[str, ...] = ()


def read_geojson(path: Path) -> RawFeatures:
    """Read a FeatureCollection in WGS 84 or in the ``crs`` of older files; longitude or easting first.

    Raises:
        ValueError: the file is not a FeatureCollection.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise ValueError("brackets are nested too deeply") from error
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or content.get("type") != "FeatureCollection":
        raise ValueError("it is not a FeatureCollection")
    features = [feature if isinstance(feature, dict) else {} for feature in features]
    values = [p if isinstance(p := feature.get("properties"), dict) else {} for feature in features]
    fields = tuple(dict.fromkeys(name for row in values for name in row))
    return RawFeatures(
        fields,
        _crs(content.get("crs")),
        [_shape(feature.get("geometry")) for feature in features],
        [{name: _flat(row.get(name)) for name in fields} for row in values],
    )


def _crs(member: Any) -> str:
    try:
        return str(member["properties"]["name"])
    except (TypeError, KeyError):
        return "OGC:CRS84"


def _shape(geometry: Any) -> BaseGeometry | str | None:
    if geometry is None:
        return None
    try:
        parsed: BaseGeometry = shape(geometry)
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        return f"its geometry is not valid GeoJSON ({error})"
    return parsed


def _flat(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
