"""Fictional administrative areas, approvals and basic farmland of the sample scene."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from pyproj import Transformer
from shapely.geometry import Polygon, box, mapping
from shapely.geometry.polygon import orient

from training.synthetic import SceneSpec, TrueChange

COUNTY, TOWNSHIP = "330199", "330199101"
"""Division codes of valid form that no real county or township has."""

VILLAGES = (
    ("330199101201", "上河村"),
    ("330199101202", "石桥村"),
    ("330199101203", "东塘村"),
    ("330199101204", "柳湾村"),
)


@dataclass(frozen=True)
class SampleAreas:
    """GeoJSON files for ``tuban areas load`` and ``tuban layers load``."""

    areas: Path
    approvals: Path
    farmland: Path


def write_sample_areas(folder: Path, spec: SceneSpec, truth: Iterable[TrueChange]) -> SampleAreas:
    """Write a county with one township of four villages, one approval and two areas of basic farmland as GeoJSON.

    The villages meet in the middle of the scene along bent borders; the township extends 200 m beyond the scene. The
    approval covers the largest true building site, so that one alert is suppressed.
    """
    west, north = spec.origin
    east, south = west + spec.width * spec.gsd_m, north - spec.height * spec.gsd_m
    width, height = east - west, north - south
    middle = (west + 0.54 * width, south + 0.47 * height)
    around = box(west - 200, south - 200, east + 200, north + 200)
    borders = [
        [middle, (middle[0] + 0.06 * width, north - 0.2 * height), (middle[0] - 0.02 * width, north + 200)],
        [middle, (west + 0.8 * width, middle[1] - 0.05 * height), (east + 200, middle[1] + 0.03 * height)],
        [middle, (middle[0] - 0.05 * width, south + 0.2 * height), (middle[0] + 0.01 * width, south - 200)],
        [middle, (west + 0.2 * width, middle[1] + 0.04 * height), (west - 200, middle[1] - 0.02 * height)],
    ]
    pieces = shapely.get_parts(
        shapely.polygonize([shapely.unary_union([around.boundary, *(shapely.LineString(line) for line in borders)])])
    )
    # from the north-west to the south-east
    villages = sorted(pieces, key=lambda piece: (-round(piece.centroid.y / (0.3 * height)), piece.centroid.x))
    rows = [
        ("county", COUNTY, "样例县", around.buffer(800, join_style="mitre")),
        ("township", TOWNSHIP, "样例镇", around),
    ]
    rows += [("village", code, name, piece) for (code, name), piece in zip(VILLAGES, villages, strict=True)]
    areas = [({"XZQDM": code, "XZQMC": name}, outline) for _, code, name, outline in rows]

    sites = sorted((c for c in truth if c.kind == "construction"), key=lambda c: -c.area_m2)
    approved = [
        ({"number": "样例批〔2025〕1号", "valid_from": "2025-01-01", "valid_to": "2026-12-31"}, site.polygon.buffer(12))
        for site in sites[:1]
    ]
    farmland = [({"number": f"JBNT-{k}"}, piece.buffer(-60)) for k, piece in enumerate(villages[:2], 1)]
    files = SampleAreas(folder / "areas.geojson", folder / "approvals.geojson", folder / "farmland.geojson")
    for path, features in ((files.areas, areas), (files.approvals, approved), (files.farmland, farmland)):
        content = json.dumps(_feature_collection(features, spec), ensure_ascii=False, indent=1)
        path.write_text(content + "\n", encoding="utf-8")
    return files


def _feature_collection(features: Iterable[tuple[Mapping[str, str], Polygon]], spec: SceneSpec) -> dict[str, Any]:
    """Build a GeoJSON feature collection in longitude and latitude (WGS 84)."""
    to_degrees = Transformer.from_crs(spec.crs, 4326, always_xy=True).transform
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": mapping(orient(shapely.transform(outline, to_degrees, interleaved=False), 1.0)),
                "properties": dict(properties),
            }
            for properties, outline in features
        ],
    }
