"""Vector files: positions checked by hand-computed points, and conformance to the formats."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import Polygon

from inference.outputs.vector_files import attributes, centre, write_geojson, write_geopackage

MERIDIANS = {"EPSG:32650": 117.0, "EPSG:4547": 114.0}


def _geojson(result: Any, folder: Path) -> dict[str, Any]:
    write_geojson(result, folder / "changes.geojson")
    found: dict[str, Any] = json.loads((folder / "changes.geojson").read_text("utf-8"))
    return found


def _layer(path: Path, layer: str) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    meta, _, shapes, values = pyogrio.raw.read(path, layer=layer)
    return meta, shapely.from_wkb(shapes), dict(zip(meta["fields"], values, strict=True))


@pytest.mark.parametrize("crs", MERIDIANS)
def test_geojson_has_a_corner_on_the_central_meridian_in_longitude_and_latitude(crs, points, make_scan, tmp_path):
    ring = _geojson(make_scan(crs, points[crs]), tmp_path)["features"][0]["geometry"]["coordinates"][0]
    assert [MERIDIANS[crs], 30.0] in ring


@pytest.mark.parametrize("crs", MERIDIANS)
def test_both_layers_of_the_geopackage_have_the_same_corner(crs, points, make_scan, tmp_path):
    write_geopackage(make_scan(crs, points[crs]), tmp_path / "changes.gpkg")
    detected, shapes, _ = _layer(tmp_path / "changes.gpkg", "changes")
    degrees, turned, _ = _layer(tmp_path / "changes.gpkg", "changes_4490")
    assert (detected["crs"], degrees["crs"]) == (crs, "EPSG:4490")
    assert np.abs(shapely.get_coordinates(shapes[0]) - points[crs]).sum(axis=1).min() < 1e-6
    assert np.abs(shapely.get_coordinates(turned[0]) - (MERIDIANS[crs], 30.0)).sum(axis=1).min() < 1e-8


def test_both_layers_have_the_same_outlines(points, make_scan, tmp_path):
    write_geopackage(make_scan("EPSG:4547", points["EPSG:4547"]), tmp_path / "changes.gpkg")
    _, shapes, _ = _layer(tmp_path / "changes.gpkg", "changes")
    _, degrees, _ = _layer(tmp_path / "changes.gpkg", "changes_4490")
    turn = Transformer.from_crs("EPSG:4547", "EPSG:4490", always_xy=True)
    for one, other in zip(shapes, degrees, strict=True):
        moved = np.stack(turn.transform(*shapely.get_coordinates(one).T), axis=1)
        assert np.allclose(moved, shapely.get_coordinates(other), atol=1e-8)


def test_centres_are_in_degrees_and_in_the_crs_of_the_scan(points, make_scan):
    result = make_scan("EPSG:4547", points["EPSG:4547"])
    known = attributes(result.changes[0], result)
    x, y = points["EPSG:4547"]
    assert (known["x"], known["y"]) == (pytest.approx(x + 10, abs=1e-3), pytest.approx(y - 10, abs=1e-3))
    # 10 m east at 30° N: 10 / (6378137 / sqrt(1 - e² sin² 30°) · cos 30°) rad; 10 m south: 10 / 6351377 rad
    assert known["lon"] == pytest.approx(114 + np.degrees(10 / (6_383_480.9 * np.cos(np.pi / 6))), abs=2e-7)
    assert known["lat"] == pytest.approx(30 - np.degrees(10 / 6_351_377.1), abs=2e-7)


def test_the_centre_of_a_ring_lies_inside_it():
    ring = Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [[(1, 1), (8, 1), (8, 8), (1, 8)]])
    assert ring.contains(centre(ring))


def test_geojson_conforms_to_rfc_7946(make_scan, tmp_path):
    result = make_scan()
    found = _geojson(result, tmp_path)
    assert "crs" not in found
    for feature in found["features"]:
        outer = feature["geometry"]["coordinates"][0]
        assert shapely.is_ccw(shapely.LinearRing(outer))
        assert outer[0] == outer[-1]
        assert all(value == round(value, 7) for position in outer for value in position)
        west, south, east, north = feature["bbox"]
        assert (west, south, east, north) == Polygon(outer).bounds
        assert found["bbox"][0] <= west < east <= found["bbox"][2]


def test_holes_are_clockwise(make_scan, tmp_path):
    result = make_scan(kinds=("ground",))
    change = result.changes[0]
    west, south, east, north = change.lonlat.bounds
    at = lambda x, y: (west + x * (east - west), south + y * (north - south))  # noqa: E731
    holed = Polygon(change.lonlat.exterior, [[at(0.4, 0.4), at(0.6, 0.4), at(0.6, 0.6), at(0.4, 0.6)]])
    object.__setattr__(change, "lonlat", holed)
    rings = _geojson(result, tmp_path)["features"][0]["geometry"]["coordinates"]
    assert [shapely.is_ccw(shapely.LinearRing(ring)) for ring in rings] == [True, False]


def test_geojson_of_a_scan_without_coordinates_declares_pixels(make_scan, tmp_path):
    found = _geojson(make_scan(None, (300.0, 200.0)), tmp_path)
    assert found["coordinates_are"]["unit"] == "pixel"
    assert "no RFC 7946" in found["coordinates_are"]["note"]
    assert [300.0, 200.0] in found["features"][0]["geometry"]["coordinates"][0]
    assert found["features"][0]["properties"]["lon"] is None


def test_geopackage_of_a_scan_without_coordinates_has_one_layer_with_undefined_crs(make_scan, tmp_path):
    write_geopackage(make_scan(None, (300.0, 200.0)), tmp_path / "changes.gpkg")
    assert [name for name, _ in pyogrio.list_layers(tmp_path / "changes.gpkg")] == ["changes"]
    _, shapes, values = _layer(tmp_path / "changes.gpkg", "changes")
    with sqlite3.connect(tmp_path / "changes.gpkg") as file:
        (organisation,) = file.execute(
            "select organization from gpkg_spatial_ref_sys join gpkg_geometry_columns using (srs_id)"
        ).fetchone()
    assert organisation.upper() in {"NONE", "GDAL"}
    assert shapes[0].bounds == (300, 160, 340, 200)
    assert np.isnan(values["lon"]).all()


def test_both_files_have_equal_attributes(make_scan, tmp_path):
    result = make_scan(kinds=("construction", "ground", "demolition"))
    write_geopackage(result, tmp_path / "changes.gpkg")
    _, _, values = _layer(tmp_path / "changes.gpkg", "changes")
    for index, feature in enumerate(_geojson(result, tmp_path)["features"]):
        row = {name: column[index] for name, column in values.items()}
        empty = {name for name, value in feature["properties"].items() if value is None}
        assert all(value is None or np.isnan(value) for value in (row[name] for name in empty))
        assert {name: str(value) for name, value in row.items() if name not in empty} == {
            name: str(value) for name, value in feature["properties"].items() if name not in empty
        }


def test_without_changes_layers_are_empty_with_all_fields(make_scan, tmp_path):
    write_geopackage(make_scan(kinds=()), tmp_path / "changes.gpkg")
    for layer in ("changes", "changes_4490"):
        known = pyogrio.read_info(tmp_path / "changes.gpkg", layer=layer)
        assert known["features"] == 0
        assert {"number", "kind", "score", "area_m2", "area_mu"} <= set(known["fields"])
    assert _geojson(make_scan(kinds=()), tmp_path)["features"] == []
