"""Polygons are read from files of any supported format, coordinate system and text encoding."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import shapely
from pyproj import Transformer
from shapely import LineString, Polygon, box

from store.areas.areas import load_areas
from store.areas.polygon_errors import PolygonFileError
from store.areas.polygon_file import read_polygons
from store.schema.database import Database
from tests.store.areas.polygon_files import (
    CODES,
    COUNTY,
    DRIVERS,
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


def test_one_of_several_layers_must_be_specified(sqlite: Database, tmp_path: Path) -> None:
    path = tmp_path / "survey.gpkg"
    write(path, [COUNTY], {"XZQDM": ["410122"]}, layer="XZQ")
    write(path, [VILLAGE], {"ZLDWDM": ["4101221012030000000"]}, layer="CJDCQ")
    with pytest.raises(PolygonFileError, match="has the layers XZQ, CJDCQ; specify one of them"):
        load_areas(sqlite, path, now=NOW)
    load_areas(sqlite, path, table="CJDCQ", now=NOW)
    assert [a.code for a in all_areas(sqlite)] == ["410122101203"]


@pytest.mark.parametrize("missing", [[".prj"], [".shx"], [".dbf"], [".shx", ".dbf"]])
def test_missing_files_of_a_shapefile_are_named_with_what_can_be_done(
    sqlite: Database, tmp_path: Path, missing: list[str]
) -> None:
    path = three(tmp_path / "areas.shp")
    for suffix in missing:
        path.with_suffix(suffix).unlink()
    with pytest.raises(PolygonFileError, match="Copy all files named areas into one folder") as raised:
        load_areas(sqlite, path, now=NOW)
    named = str(raised.value).partition("missing: ")[2]
    assert {suffix for suffix in (".shx", ".dbf", ".prj") if f"areas{suffix} (" in named} == set(missing)
    assert "SHAPE_RESTORE_SHX" not in str(raised.value), "a setting of a library is no advice for a bureau"
    assert {other.name for other in tmp_path.iterdir()}.isdisjoint(f"areas{suffix}" for suffix in missing)


def test_the_names_of_a_shapefiles_files_may_differ_in_case(sqlite: Database, tmp_path: Path) -> None:
    path = three(tmp_path / "areas.shp")
    for suffix in (".shx", ".dbf", ".prj", ".cpg"):
        path.with_suffix(suffix).rename(path.with_suffix(suffix.upper()))
    load_areas(sqlite, path, now=NOW)
    assert len(all_areas(sqlite)) == 3


def test_a_layer_without_a_coordinate_system_says_how_to_add_one(sqlite: Database, tmp_path: Path) -> None:
    path = three(tmp_path / "areas.gpkg", crs=None)
    with pytest.raises(PolygonFileError, match=r"does not declare its coordinate system\. Save the layer with it"):
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
        ("a.shp", b"\0\0\x27\x0a" + bytes(96), "cannot be read as Shapefile"),  # with empty .shx, .dbf and .prj
    ],
)
def test_a_file_of_another_format_is_rejected(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    for suffix in (".shx", ".dbf", ".prj"):
        (tmp_path / f"a{suffix}").touch()
    with pytest.raises(PolygonFileError, match=message) as caught:
        read_polygons(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["/vsicurl/http://127.0.0.1/a.geojson", "http://127.0.0.1/a.gpkg", "nothing.shp"])
def test_only_local_files_are_read(name: str) -> None:
    with pytest.raises(PolygonFileError, match="No such file"):
        read_polygons(Path(name))
