"""Changes as GeoJSON (RFC 7946) and GeoPackage with equal attributes; the same input gives the same bytes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from shapely.geometry import Point, Polygon
from shapely.geometry.polygon import orient

from inference.changes import Change
from inference.outputs.wording import KINDS, STATEMENT, crs_code, printable
from inference.scan_result import ScanResult

DECIMALS = 7  # of a degree: a centimetre (RFC 7946 section 11.2 advises against more)

CGCS2000 = "EPSG:4490"

_PIXELS = (
    "The images have no coordinates: positions are pixels of the later image, x to the right and y downwards from its "
    "upper left corner, and this file is therefore no RFC 7946 GeoJSON."
)


def centre(polygon: Polygon) -> Point:
    """Return the centroid, or a point well inside if the centroid lies outside (an L, a ring)."""
    centroid = polygon.centroid
    return centroid if polygon.contains(centroid) else polygon.representative_point()


def attributes(change: Change, result: ScanResult) -> dict[str, Any]:
    """Return the attributes of one change in GeoJSON and GeoPackage.

    ``x`` and ``y`` are the centre in the CRS of the scan (pixels without one), ``lon`` and ``lat`` the same point in
    degrees, ``west`` to ``north`` the bounding box in degrees. ``accuracy_m`` is that of the coordinates, for images
    that were compared as georeferenced. Missing values are None.
    """
    accuracy_px = result.alignment.accuracy_px
    lon = lat = west = south = east = north = None
    middle = centre(change.polygon)
    if change.lonlat is not None:
        place = centre(change.lonlat)
        lon, lat = (round(value, DECIMALS) for value in (place.x, place.y))
        west, south, east, north = (round(value, DECIMALS) for value in change.lonlat.bounds)
    return {
        "number": change.number,
        "kind": change.kind,
        "kind_zh": KINDS[change.kind][0],
        "score": round(change.score, 4),
        "area_m2": round(change.area_m2, 2),
        "area_mu": round(change.area_mu, 4),
        "lon": lon,
        "lat": lat,
        "x": round(middle.x, 3),
        "y": round(middle.y, 3),
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "before_date": _day(result.before.date),
        "after_date": _day(result.after.date),
        "before_image": printable(result.before.name),
        "after_image": printable(result.after.name),
        "before_sha256": result.before.sha256,
        "after_sha256": result.after.sha256,
        "registration": result.alignment.method,
        "accuracy_m": None if accuracy_px is None else round(accuracy_px * result.resolution_m, 3),
    }


_NUMBERS = ("score", "area_m2", "area_mu", "lon", "lat", "x", "y", "west", "south", "east", "north", "accuracy_m")
_TEXTS = ("before_image", "after_image", "before_sha256", "after_sha256", "registration")
FIELDS: dict[str, str] = {  # as in attributes(); explicit because an empty layer has them too
    "number": "int32",
    "kind": "object",
    "kind_zh": "object",
    **dict.fromkeys(_NUMBERS, "float64"),
    **dict.fromkeys(("before_date", "after_date"), "datetime64[D]"),
    **dict.fromkeys(_TEXTS, "object"),
}


def _day(day: Any) -> str | None:
    return None if day is None else str(day.isoformat())


def write_geojson(result: ScanResult, path: Path) -> None:
    """Write ``changes.geojson`` in longitude and latitude; without coordinates in pixels, stated in an own member."""
    collection: dict[str, Any] = {
        "type": "FeatureCollection",
        "title": "疑似变化图斑 Suspected changes",
        "statement": {"zh": STATEMENT[0], "en": STATEMENT[1]},
    }
    if not result.georeferenced:
        collection["coordinates_are"] = {"unit": "pixel", "of": printable(result.after.name), "note": _PIXELS}
    collection["detected_in"] = crs_code(result.grid.crs) if result.georeferenced else None
    for date, facts in (("before", result.before), ("after", result.after)):
        collection[date] = {"name": printable(facts.name), "date": _day(facts.date), "sha256": facts.sha256}
    collection["weights"] = {"name": result.weights_name, "sha256": result.weights_sha256}
    collection["settings_sha256"] = result.settings.sha256
    outlines = [change.lonlat if result.georeferenced else change.polygon for change in result.changes]
    decimals = DECIMALS if result.georeferenced else 2
    features = [
        _feature(change, outline, result, decimals)
        for change, outline in zip(result.changes, outlines, strict=True)
        if outline is not None
    ]
    if features:
        boxes = np.array([feature["bbox"] for feature in features])
        collection["bbox"] = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]
    head = json.dumps(collection, ensure_ascii=False, allow_nan=False)
    lines = [json.dumps(feature, ensure_ascii=False, allow_nan=False) for feature in features]
    # one feature per line, so that two scans can be compared line by line
    body = head[:-1] + ', "features": [\n' + ",\n".join(lines) + "\n]}\n"
    path.write_text(body, encoding="utf-8", newline="\n")


def _feature(change: Change, outline: Polygon, result: ScanResult, decimals: int) -> dict[str, Any]:
    oriented = orient(outline, 1.0)  # RFC 7946 section 3.1.6: outer ring counter-clockwise
    rings = [_ring(ring.coords, decimals) for ring in (oriented.exterior, *oriented.interiors)]
    corners = np.array(rings[0])
    return {
        "type": "Feature",
        "id": change.number,
        "bbox": [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()],
        "properties": attributes(change, result),
        "geometry": {"type": "Polygon", "coordinates": [ring for ring in rings if len(ring) > 3]},
    }


def _ring(coordinates: Any, decimals: int) -> list[list[float]]:
    """Return rounded positions without repetitions."""
    positions: list[list[float]] = []
    for x, y, *_ in coordinates:
        position = [round(x, decimals), round(y, decimals)]
        if not positions or position != positions[-1]:
            positions.append(position)
    return positions


def write_geopackage(result: ScanResult, path: Path) -> None:
    """Write ``changes.gpkg``: layer ``changes`` in the CRS of the scan, and ``changes_4490`` in CGCS2000 degrees.

    A scan without coordinates has only the first layer, with an undefined CRS.
    """
    rows = [attributes(change, result) for change in result.changes]
    system = crs_code(result.grid.crs) if result.georeferenced else None
    # GeoPackage stores the time of change of a layer; a time from the images keeps the bytes reproducible
    day = result.after.date or result.before.date
    stamp = f"{day.isoformat() if day else '1970-01-01'}T00:00:00.000Z"
    previous = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": stamp})
    try:
        _write_layer(path, "changes", system, [change.polygon for change in result.changes], rows)
        if result.georeferenced:
            _write_layer(path, "changes_4490", CGCS2000, [change.lonlat for change in result.changes], rows)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": previous})


def _write_layer(
    path: Path, layer: str, system: str | None, outlines: list[Polygon | None], rows: list[dict[str, Any]]
) -> None:
    names = [*FIELDS]
    shapes: NDArray[Any] = np.empty(len(outlines), object)
    shapes[:] = [None if outline is None else shapely.to_wkb(orient(outline, 1.0)) for outline in outlines]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'crs' was not provided")  # intended for scans without coordinates
        pyogrio.raw.write(
            path,
            geometry=shapes,
            field_data=[_column(name, [row[name] for row in rows]) for name in names],
            fields=np.array(names, object),
            geometry_type="Polygon",
            crs=system,
            driver="GPKG",
            layer=layer,
            dataset_options={"VERSION": "1.2"} if not path.exists() else None,  # readable by older programs
            layer_options={"GEOMETRY_NAME": "geom"},
        )


def _column(name: str, values: list[Any]) -> NDArray[Any]:
    dtype = FIELDS[name]
    if dtype == "float64":
        values = [np.nan if value is None else value for value in values]
    elif dtype.startswith("datetime64"):
        values = [np.datetime64("NaT") if value is None else np.datetime64(value) for value in values]
    column: NDArray[Any] = np.empty(len(values), dtype)
    column[:] = values
    return column
