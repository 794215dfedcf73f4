"""Areas and layers are loaded from files of any supported format, coordinate system and text encoding."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer
from shapely import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from errors import SettingsError
from store.areas.areas import LoadedAreas, areas_touching, list_areas, load_areas, parse_area_code
from store.areas.layers import features_touching, list_layers, load_layer
from store.areas.polygon_file import PolygonFileError, read_polygons
from store.schema.database import Database
from store.schema.tables import Area, Feature, Layer

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=30)
COUNTY = box(113.9, 34.5, 114.3, 34.9)
TOWNSHIP = box(114.0, 34.6, 114.1, 34.7)
VILLAGE = box(114.02, 34.62, 114.04, 34.64)
CODES = ["410122", "410122101", "410122101203"]
NAMES = ["中牟县", "郑庵镇", "台前村"]
DRIVERS = {".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".geojson": "GeoJSON"}


def write(
    path: Path,
    outlines: list[BaseGeometry | None],
    fields: dict[str, list[Any]],
    crs: str | None = "EPSG:4490",
    encoding: str | None = None,
    layer: str | None = None,
) -> Path:
    """Write outlines, given in longitude and latitude, to a file in another coordinate system."""
    if crs is not None:
        transformer = Transformer.from_crs(4490, crs, always_xy=True)
        outlines = [
            o and shapely.transform(o, lambda p: np.column_stack(transformer.transform(p[:, 0], p[:, 1])))
            for o in outlines
        ]
    shapes = np.empty(len(outlines), object)
    shapes[:] = [None if o is None else shapely.to_wkb(o) for o in outlines]
    columns = [np.array(v, object if isinstance(v[0], str | None) else None) for v in fields.values()]
    pyogrio.raw.write(
        path,
        geometry=shapes,
        field_data=columns,
        fields=np.array(list(fields), object),
        geometry_type="Unknown" if path.suffix == ".gpkg" else "Polygon",
        crs=crs,
        driver=DRIVERS[path.suffix],
        encoding=encoding,
        layer=layer,
        append=path.exists(),
    )
    return path


def three(path: Path, crs: str = "EPSG:4490", encoding: str | None = None) -> Path:
    return write(path, [COUNTY, TOWNSHIP, VILLAGE], {"XZQDM": CODES, "XZQMC": NAMES}, crs, encoding)


def geojson(path: Path, *features: tuple[BaseGeometry | dict[str, Any] | None, dict[str, Any]], **more: Any) -> Path:
    content = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(o) if isinstance(o, BaseGeometry) else o,
            "properties": p,
        }
        for o, p in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": content} | more), encoding="utf-8")
    return path


def all_areas(database: Database) -> list[Area]:
    with database.read() as session:
        return list(session.scalars(select(Area).order_by(Area.code)))


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


@pytest.mark.parametrize("suffix", DRIVERS)
@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4326", "EPSG:4547", "EPSG:4526"])
def test_outlines_are_transformed_to_longitude_and_latitude(
    sqlite: Database, tmp_path: Path, suffix: str, crs: str
) -> None:
    load_areas(sqlite, three(tmp_path / f"areas{suffix}", crs), now=NOW)
    for area, expected in zip(all_areas(sqlite), (COUNTY, TOWNSHIP, VILLAGE), strict=True):
        assert (area.west, area.south, area.east, area.north) == pytest.approx(expected.bounds, abs=1e-7)
        assert area.outline.symmetric_difference(expected).area < 1e-9


@pytest.mark.parametrize(
    ("encoding", "cpg"),
    [
        ("GBK", "GBK"),
        ("GBK", "936"),
        ("GBK", "ANSI 936"),
        ("GBK", None),
        ("GBK", "UTF-8"),  # a wrong declaration
        ("GBK", "ISO-8859-1"),
        ("UTF-8", "UTF-8"),
        ("UTF-8", None),
        ("UTF-8", "nonsense"),
    ],
)
def test_chinese_names_of_a_shapefile_are_decoded_for_any_cpg(
    sqlite: Database, tmp_path: Path, encoding: str, cpg: str | None
) -> None:
    path = write(tmp_path / "areas.shp", [COUNTY, TOWNSHIP, VILLAGE], {"代码": CODES, "名称": NAMES}, encoding=encoding)
    path.with_suffix(".cpg").unlink()
    if cpg:
        path.with_suffix(".cpg").write_text(cpg)
    load_areas(sqlite, path, code_field="代码", name_field="名称", now=NOW)
    assert [a.name for a in all_areas(sqlite)] == NAMES


def test_the_language_driver_id_of_a_dbf_is_ignored(sqlite: Database, tmp_path: Path) -> None:
    path = three(tmp_path / "areas.shp", encoding="GBK")
    path.with_suffix(".cpg").unlink()
    dbf = path.with_suffix(".dbf")
    dbf.write_bytes(dbf.read_bytes()[:29] + b"\x4d" + dbf.read_bytes()[30:])  # 936, as ArcGIS writes it
    load_areas(sqlite, path, now=NOW)
    assert [a.name for a in all_areas(sqlite)] == NAMES


@pytest.mark.parametrize("encoding", ["GBK", "UTF-8"])
def test_a_name_truncated_within_a_character_loses_only_that_character(
    sqlite: Database, tmp_path: Path, encoding: str
) -> None:
    path = write(tmp_path / "areas.shp", [COUNTY], {"XZQDM": ["410122"], "XZQMC": ["中牟县"]}, encoding=encoding)
    dbf = path.with_suffix(".dbf")
    dbf.write_bytes(dbf.read_bytes().replace("县".encode(encoding), "县".encode(encoding)[:-1] + b" "))
    load_areas(sqlite, path, now=NOW)
    assert all_areas(sqlite)[0].name == "中牟"


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


@pytest.mark.parametrize("suffix", DRIVERS)
def test_a_self_intersecting_polygon_is_repaired_and_reported(sqlite: Database, tmp_path: Path, suffix: str) -> None:
    bow = Polygon([(114, 34), (115, 35), (115, 34), (114, 35)])
    path = write(tmp_path / f"a{suffix}", [bow, COUNTY], {"XZQDM": ["410122", "410123"]})
    loaded = load_areas(sqlite, path, now=NOW)
    repaired = all_areas(sqlite)[0].outline
    assert repaired.is_valid
    assert repaired.area == pytest.approx(0.5)
    assert loaded.invalid == []
    (remark,) = loaded.remarks
    assert remark.startswith("feature 1: outline repaired (Self-intersection")


def test_heights_and_stray_lines_are_dropped(sqlite: Database, tmp_path: Path) -> None:
    mixed = shapely.GeometryCollection([shapely.force_3d(COUNTY, 80), LineString([(114, 34), (115, 35)])])
    load_areas(sqlite, write(tmp_path / "a.gpkg", [mixed], {"XZQDM": ["410122"]}), now=NOW)
    (area,) = all_areas(sqlite)
    assert area.outline.equals(COUNTY)
    assert not area.outline.has_z


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


def test_one_of_several_layers_must_be_specified(sqlite: Database, tmp_path: Path) -> None:
    path = tmp_path / "survey.gpkg"
    write(path, [COUNTY], {"XZQDM": ["410122"]}, layer="XZQ")
    write(path, [VILLAGE], {"ZLDWDM": ["4101221012030000000"]}, layer="CJDCQ")
    with pytest.raises(PolygonFileError, match="has the layers XZQ, CJDCQ; specify one of them"):
        load_areas(sqlite, path, now=NOW)
    load_areas(sqlite, path, table="CJDCQ", now=NOW)
    assert [a.code for a in all_areas(sqlite)] == ["410122101203"]


def test_a_shapefile_without_prj_is_rejected(sqlite: Database, tmp_path: Path) -> None:
    path = three(tmp_path / "areas.shp")
    path.with_suffix(".prj").unlink()
    with pytest.raises(PolygonFileError, match=r"does not declare its coordinate system .*areas\.prj missing"):
        load_areas(sqlite, path, now=NOW)


def test_geojson_is_in_wgs84_unless_it_declares_a_crs(sqlite: Database, tmp_path: Path) -> None:
    east, north = Transformer.from_crs(4490, 4547, always_xy=True).transform(114.1, 34.6)
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}
    square = box(east, north, east + 1000, north + 1000)
    load_areas(sqlite, geojson(tmp_path / "a.json", (square, {"code": 410122}), crs=named), now=NOW)
    (area,) = all_areas(sqlite)
    assert (area.west, area.south) == pytest.approx((114.1, 34.6), abs=1e-3)


def test_an_old_datum_is_reported(sqlite: Database, tmp_path: Path) -> None:
    old = write(tmp_path / "xian.gpkg", [COUNTY], {"XZQDM": ["410122"]}, crs="EPSG:2383")
    (remark,) = load_areas(sqlite, old, now=NOW).remarks
    assert "Xian 1980" in remark
    assert "up to 200 m" in remark


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.kml", b"<kml/>", "has none of the supported formats .gpkg, .shp"),
        ("a.gpkg", b"<OGRVRTDataSource></OGRVRTDataSource>", "is not a GeoPackage file despite its name"),
        ("a.shp", b"<OGRVRTDataSource></OGRVRTDataSource>", "is not a Shapefile"),
        ("a.geojson", b"<OGRVRTDataSource></OGRVRTDataSource>", "is not a GeoJSON"),
        (
            "a.geojson",
            b'{"type": "gdal_streamed_alg", "command_line": "gdal vector read /etc"}',
            "not a FeatureCollection",
        ),
        ("a.geojson", b'{"type": "FeatureCollection", "features": [', "cannot be read as GeoJSON"),
        ("a.geojson", b'{"type": "FeatureCollection", "x": ' + b"[" * 100_000, "cannot be read as GeoJSON"),
        ("a.geojson", b'{"a": "\xff"}', "cannot be read as GeoJSON"),
        ("a.gpkg", b"SQLite format 3\0" + bytes(100), "cannot be read as GeoPackage"),
        ("a.shp", b"\0\0\x27\x0a" + bytes(96), "cannot be read as Shapefile"),
    ],
)
def test_a_file_of_another_format_is_rejected(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PolygonFileError, match=message) as caught:
        read_polygons(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["/vsicurl/http://127.0.0.1/a.geojson", "http://127.0.0.1/a.gpkg", "nothing.shp"])
def test_only_local_files_are_read(name: str) -> None:
    with pytest.raises(PolygonFileError, match="No such file"):
        read_polygons(Path(name))


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


def approvals(path: Path) -> Path:
    return write(
        path,
        [TOWNSHIP, VILLAGE],
        {
            "PWH": ["豫政土〔2025〕12号", "豫政土〔2026〕3号"],
            "FROM": ["2025-03-01", "20260110"],
            "TO": ["2027/2/28", "长期"],
            "MJ": [12.5, np.nan],
        },
    )


def test_a_layer_is_loaded_with_numbers_and_dates(database: Database, tmp_path: Path) -> None:
    loaded = load_layer(
        database,
        approvals(tmp_path / "approvals.gpkg"),
        name="批文",
        kind="approval",
        dated=dt.date(2026, 11, 1),
        number_field="PWH",
        from_field="FROM",
        to_field="TO",
        now=NOW,
    )
    assert (loaded.features, loaded.replaced, loaded.invalid) == (2, 0, [])
    with database.read() as session:
        ((layer, count),) = list_layers(session)
        assert (layer.name, layer.kind, layer.dated, layer.loaded_at, count) == (
            "批文", "approval", dt.date(2026, 11, 1), NOW, 2,
        )  # fmt: skip
        first, second = session.scalars(select(Feature).order_by(Feature.id))
    assert (first.number, first.valid_from, first.valid_to) == (
        "豫政土〔2025〕12号", dt.date(2025, 3, 1), dt.date(2027, 2, 28),
    )  # fmt: skip
    assert (second.valid_from, second.valid_to) == (dt.date(2026, 1, 10), None)
    assert first.attributes["MJ"] == 12.5
    assert second.attributes["MJ"] is None
    assert first.outline.equals(TOWNSHIP)


def test_loading_a_layer_again_replaces_all_its_polygons(database: Database, tmp_path: Path) -> None:
    load_layer(database, approvals(tmp_path / "a.gpkg"), name="批文", kind="approval", now=NOW)
    other = write(tmp_path / "b.gpkg", [COUNTY], {"PWH": ["1"]})
    loaded = load_layer(database, other, name="批文", kind="farm_facility", now=LATER)
    assert (loaded.features, loaded.replaced) == (1, 2)
    with database.read() as session:
        (feature,) = session.scalars(select(Feature))
        (layer,) = session.scalars(select(Layer))
    assert feature.outline.equals(COUNTY)
    assert (layer.kind, layer.loaded_at) == ("farm_facility", LATER)


def test_an_unreadable_validity_invalidates_the_feature_and_not_the_layer(sqlite: Database, tmp_path: Path) -> None:
    """Otherwise an expired approval would be valid for ever."""
    path = geojson(
        tmp_path / "a.geojson",
        (TOWNSHIP, {"from": "2026-01-01", "to": "next year"}),
        (TOWNSHIP, {"from": "2026-13-01", "to": None}),
        (TOWNSHIP, {"from": "2026年3月1日", "to": "2026.2.1"}),
        (VILLAGE, {"from": "2026-01-01T00:00:00", "to": 20261231}),
    )
    loaded = load_layer(sqlite, path, name="a", kind="approval", from_field="from", to_field="to", now=NOW)
    assert [b.reason for b in loaded.invalid] == [
        "'next year' is not a date; expected the form 2026-11-20",
        "'2026-13-01' is not a date; expected the form 2026-11-20",
        "its validity ends on 2026-02-01, before it begins on 2026-03-01",
    ]
    with sqlite.read() as session:
        (feature,) = session.scalars(select(Feature))
    assert (feature.valid_from, feature.valid_to) == (dt.date(2026, 1, 1), dt.date(2026, 12, 31))


def test_date_fields_are_read(sqlite: Database, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.gpkg",
        [TOWNSHIP, VILLAGE],
        {"from": list(np.array(["2026-01-01", "NaT"], "datetime64[D]")), "note": ["a\0b", None]},
    )
    load_layer(sqlite, path, name="a", kind="plan", from_field="from", now=NOW)
    with sqlite.read() as session:
        first, second = session.scalars(select(Feature).order_by(Feature.id))
    assert (first.valid_from, second.valid_from) == (dt.date(2026, 1, 1), None)
    assert first.attributes["from"] == "2026-01-01"


def test_an_unknown_kind_and_an_empty_name_are_rejected(sqlite: Database, tmp_path: Path) -> None:
    for name, kind, message in (("a", "swamp", "'swamp' is not a kind"), (" ", "plan", "1 to 200 characters")):
        with pytest.raises(SettingsError, match=message):
            load_layer(sqlite, tmp_path / "a.gpkg", name=name, kind=kind, now=NOW)


def test_features_are_found_by_position_and_kind(database: Database, tmp_path: Path) -> None:
    load_layer(database, approvals(tmp_path / "a.gpkg"), name="批文", kind="approval", number_field="PWH", now=NOW)
    plan = write(tmp_path / "b.gpkg", [COUNTY, box(115, 35, 116, 36)], {"A": ["1", "2"]})
    load_layer(database, plan, name="规划", kind="plan", now=NOW)
    with database.read() as session:

        def found(outline: BaseGeometry, kinds: tuple[str, ...] | None = None) -> list[tuple[str, str]]:
            return [(layer.name, f.number) for layer, f in features_touching(session, outline, kinds)]

        village = Point(114.03, 34.63)
        assert found(village) == [("批文", "豫政土〔2025〕12号"), ("批文", "豫政土〔2026〕3号"), ("规划", "")]
        assert found(village, ("plan", "cultivated")) == [("规划", "")]
        assert found(village, ()) == []
        assert found(Point(113, 34)) == []
