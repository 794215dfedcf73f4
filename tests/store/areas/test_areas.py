"""Areas are loaded from polygon files, updated by code, and found by position."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from shapely import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from errors import SettingsError
from store.areas.areas import LoadedAreas, areas_touching, list_areas, load_areas, parse_area_code
from store.areas.polygon_errors import PolygonFileError
from store.schema.database import Database
from tests.store.areas.polygon_files import (
    CODES,
    COUNTY,
    NAMES,
    TOWNSHIP,
    VILLAGE,
    all_areas,
    geojson,
    three,
    write,
)

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=30)


def test_areas_of_three_levels_are_loaded(database: Database, tmp_path: Path) -> None:
    loaded = load_areas(database, three(tmp_path / "areas.gpkg"), now=NOW)
    assert loaded == LoadedAreas(added=3, changed=0, remarks=[], invalid=[])
    found = all_areas(database)
    assert [(a.code, a.name, a.level) for a in found] == list(
        zip(CODES, NAMES, ["county", "township", "village"], strict=True)
    )
    assert {(a.source, a.loaded_at) for a in found} == {("areas.gpkg", NOW)}
    assert found[1].outline.equals(TOWNSHIP)
    assert (found[1].west, found[1].south, found[1].east, found[1].north) == TOWNSHIP.bounds


def test_loading_again_updates_existing_areas_and_adds_new_ones(database: Database, tmp_path: Path) -> None:
    load_areas(database, three(tmp_path / "areas.gpkg"), now=NOW)
    newer = write(
        tmp_path / "newer.gpkg",
        [box(114.0, 34.6, 114.2, 34.7), box(114.2, 34.6, 114.3, 34.7)],
        {"XZQDM": ["410122101", "410122102"], "XZQMC": ["郑庵街道", "官渡镇"]},
    )
    loaded = load_areas(database, newer, now=LATER)
    assert (loaded.added, loaded.changed) == (1, 1)
    found = {a.code: a for a in all_areas(database)}
    assert set(found) == {*CODES, "410122102"}
    assert found["410122101"].name == "郑庵街道"
    assert found["410122101"].east == 114.2
    assert found["410122101"].loaded_at == LATER
    assert found["410122"].loaded_at == NOW


@pytest.mark.parametrize(
    ("code_field", "name_field"),
    [("XZQDM", "XZQMC"), ("xzqdm", "name"), ("ZLDWDM", "ZLDWMC"), ("code", "NAME"), ("ADCODE", "Name")],
)
def test_default_fields_are_detected(sqlite: Database, tmp_path: Path, code_field: str, name_field: str) -> None:
    path = geojson(tmp_path / "a.geojson", (COUNTY, {"OBJECTID": 1, name_field: "中牟县", code_field: "410122"}))
    load_areas(sqlite, path, now=NOW)
    assert [(a.code, a.name) for a in all_areas(sqlite)] == [("410122", "中牟县")]


def test_a_file_without_default_fields_lists_its_fields(sqlite: Database, tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson", (COUNTY, {"dm": "410122", "mc": "中牟县"}))
    with pytest.raises(PolygonFileError, match=r"has no field XZQDM.*specify the field of the code: dm, mc"):
        load_areas(sqlite, path, now=NOW)
    with pytest.raises(PolygonFileError, match="has no field 'DMX'; it has dm, mc"):
        load_areas(sqlite, path, code_field="DMX", now=NOW)
    load_areas(sqlite, path, code_field="DM", now=NOW)
    assert [a.name for a in all_areas(sqlite)] == ["410122"]  # no default name field: the code is used


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("410122", "410122"),
        (410122, "410122"),
        (410122.0, "410122"),
        (" 410122101 ", "410122101"),
        ("410122101203", "410122101203"),
        (410122101203.0, "410122101203"),
        ("4101221012030000000", "410122101203"),  # a village in the national land survey
        ("410122101000", "410122101"),
        ("410122000000", "410122"),
        ("410122000", "410122"),
        ("441900", "441900"),  # a city without counties
    ],
)
def test_codes_are_parsed_from_text_and_numbers(written: Any, expected: str) -> None:
    assert parse_area_code(written) == expected


@pytest.mark.parametrize(
    "written", ["", None, "4101", "41012", "41012A", "010122", "4101221012031", "４１０１２２", "41.5"]
)
def test_an_invalid_code_is_rejected(written: Any) -> None:
    with pytest.raises(ValueError, match="expected 6 digits"):
        parse_area_code(written)


def test_invalid_features_are_listed_and_the_others_loaded(sqlite: Database, tmp_path: Path) -> None:
    line = LineString([(114, 34), (115, 35)])
    path = geojson(
        tmp_path / "areas.geojson",
        (COUNTY, {"XZQDM": "410122"}),
        (None, {"XZQDM": "410123"}),
        (TOWNSHIP, {"XZQDM": "12"}),
        (line, {"XZQDM": "410124"}),
        ({"type": "Polygon", "coordinates": [[[114, "a"]]]}, {"XZQDM": "410125"}),
        (box(34, 114, 35, 115), {"XZQDM": "410126"}),  # latitude first
        (Polygon(), {"XZQDM": "410127"}),
        ({"type": "Nonsense"}, {"XZQDM": "410128"}),
        (TOWNSHIP, {}),
        (VILLAGE, {"XZQDM": "410122101203"}),
    )
    loaded = load_areas(sqlite, path, now=NOW)
    assert [a.code for a in all_areas(sqlite)] == ["410122", "410122101203"]
    assert [b.number for b in loaded.invalid] == [2, 3, 4, 5, 6, 7, 8, 9]
    reasons = {b.number: b.reason for b in loaded.invalid}
    assert reasons[2] == "its geometry is empty or cannot be read"
    assert reasons[3].startswith("its code is '12'; expected 6 digits")
    assert reasons[4] == "expected a polygon with an area, found a LineString"
    assert reasons[5].startswith("its geometry is not valid GeoJSON")
    assert reasons[6] == "its coordinates do not match the coordinate system of the file"
    assert reasons[9].startswith("its code is ''")


def test_polygons_with_the_same_code_are_merged(sqlite: Database, tmp_path: Path) -> None:
    exclave = box(115, 35, 115.1, 35.1)
    path = write(
        tmp_path / "a.gpkg", [TOWNSHIP, exclave], {"XZQDM": ["410122101", "410122101"], "XZQMC": [None, "郑庵镇"]}
    )
    loaded = load_areas(sqlite, path, now=NOW)
    (area,) = all_areas(sqlite)
    assert area.outline.equals(MultiPolygon([TOWNSHIP, exclave]))
    assert area.name == "郑庵镇"
    assert (loaded.added, loaded.remarks) == (1, ["410122101 郑庵镇: 2 polygons merged."])


def test_a_requested_level_rejects_the_others(sqlite: Database, tmp_path: Path) -> None:
    path = three(tmp_path / "a.gpkg")
    loaded = load_areas(sqlite, path, level="township", now=NOW)
    assert [a.code for a in all_areas(sqlite)] == ["410122101"]
    assert [b.reason for b in loaded.invalid] == [
        "its code 410122 is that of a county, not of a township",
        "its code 410122101203 is that of a village, not of a township",
    ]
    with pytest.raises(SettingsError, match="'city' is not a level; expected county, township, village"):
        load_areas(sqlite, path, level="city", now=NOW)


def test_a_file_without_usable_features_changes_nothing(sqlite: Database, tmp_path: Path) -> None:
    load_areas(sqlite, three(tmp_path / "a.gpkg"), now=NOW)
    bad = geojson(tmp_path / "a.geojson", (COUNTY, {"XZQDM": "x"}), (None, {"XZQDM": "410122"}))
    with pytest.raises(
        PolygonFileError, match=r"No feature of .*a.geojson can be used \(2 features; feature 1: its code"
    ):
        load_areas(sqlite, bad, now=LATER)
    with pytest.raises(PolygonFileError, match="the file has no fields"):
        load_areas(sqlite, geojson(tmp_path / "b.geojson"), now=LATER)
    assert {a.loaded_at for a in all_areas(sqlite)} == {NOW}


def test_areas_are_found_by_position(database: Database, tmp_path: Path) -> None:
    load_areas(database, three(tmp_path / "areas.gpkg"), now=NOW)
    with database.read() as session:

        def codes(outline: BaseGeometry) -> list[str]:
            return [area.code for area in areas_touching(session, outline)]

        assert codes(Point(114.03, 34.63)) == CODES
        assert codes(Point(114.05, 34.65)) == CODES[:2]
        assert codes(box(113, 34, 115, 35)) == CODES
        assert codes(Point(113, 34)) == []


def test_intersecting_bounds_alone_are_not_a_match(database: Database, tmp_path: Path) -> None:
    corner = Polygon([(114, 34), (115, 34), (115, 35)])
    load_areas(database, write(tmp_path / "a.gpkg", [corner], {"XZQDM": ["410122"]}), now=NOW)
    with database.read() as session:
        assert areas_touching(session, box(114.0, 34.8, 114.1, 34.9)) == []


def test_areas_are_listed_by_level_and_code(sqlite: Database, tmp_path: Path) -> None:
    load_areas(sqlite, three(tmp_path / "areas.gpkg"), now=NOW)
    with sqlite.read() as session:
        assert [a.code for a in list_areas(session)] == CODES
        assert [a.code for a in list_areas(session, level="village")] == CODES[2:]
        assert [a.code for a in list_areas(session, under="410122101")] == CODES[1:]
        assert list_areas(session, under="41012_") == []
