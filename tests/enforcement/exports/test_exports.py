"""Exports of alerts: content, coordinate systems and round trips through other software."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyogrio
import pytest
import shapely
from arro3.io import read_parquet
from PIL import Image
from shapely.geometry import MultiPolygon, Polygon, box

from enforcement.alert import STATEMENT, Alert, AlertArea, EvidencePicture, alert_feature
from enforcement.exports.columns import COLUMNS
from enforcement.exports.geoparquet import write_geoparquet
from enforcement.exports.kmz import write_kml, write_kmz
from enforcement.exports.qgis_project import write_qgis_project
from enforcement.exports.spreadsheet import write_spreadsheet
from enforcement.exports.vector_files import (
    ExportResult,
    geojson_lines,
    write_geojson,
    write_geopackage,
    write_shapefile,
)
from errors import OutputError, SettingsError
from tests.enforcement.evidence.test_sheet import ALERT, OUTLINE

TWO_PARTS = MultiPolygon(
    [
        Polygon(OUTLINE.exterior.coords, [box(120.0701, 30.21005, 120.0702, 30.2101).exterior.coords]),
        box(120.071, 30.21, 120.0712, 30.2102),
    ]
)


def alert(**other: Any) -> Alert:
    return dataclasses.replace(ALERT, **other)


def at(longitude: float, number: str = "X") -> Alert:
    return alert(number=number, outline=box(longitude, 30.0, longitude + 0.001, 30.001))


def rows_of(source: Any) -> tuple[list[dict[str, Any]], list[Any], dict[str, Any]]:
    meta, _, shapes, columns = pyogrio.raw.read(source, layer=0)
    names = list(meta["fields"])
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return rows, [shapely.from_wkb(shape) for shape in shapes], meta


def shapefile(
    alerts: list[Alert], tmp_path: Path, **options: Any
) -> tuple[list[dict[str, Any]], list[Any], Any, ExportResult]:
    path = tmp_path / "alerts.zip"
    result = write_shapefile(alerts, path, **options)
    return *rows_of(f"/vsizip/{path}/tuban.shp"), result


def cells_of(alerts: list[Alert], tmp_path: Path, language: Any = "zh") -> Any:
    write_spreadsheet(alerts, tmp_path / "alerts.xlsx", language)
    return openpyxl.load_workbook(tmp_path / "alerts.xlsx")


def column(name: str) -> int:
    return [c.name for c in COLUMNS].index(name) + 1


def test_geojson_contains_the_features_of_the_alerts(tmp_path: Path) -> None:
    alerts = [alert(), alert(number="二", outline=TWO_PARTS)]
    assert write_geojson(alerts, tmp_path / "alerts.geojson") == ExportResult(2)
    result = json.loads((tmp_path / "alerts.geojson").read_text())
    assert result["features"] == json.loads(json.dumps([alert_feature(one) for one in alerts]))
    assert result["type"] == "FeatureCollection"


def test_geojson_without_alerts_is_an_empty_collection() -> None:
    assert json.loads("".join(geojson_lines([])))["features"] == []


def test_geojson_is_streamed() -> None:
    pieces = geojson_lines(alert() for _ in iter(int, 1))  # without an end
    assert [len(next(pieces)) > 0 for _ in range(3)] == [True] * 3


def test_geopackage_round_trip(tmp_path: Path) -> None:
    write_geopackage([alert(), alert(number="X2", outline=TWO_PARTS)], tmp_path / "alerts.gpkg")
    rows, shapes, meta = rows_of(tmp_path / "alerts.gpkg")
    assert (meta["crs"], meta["geometry_type"]) == ("EPSG:4490", "MultiPolygon")
    assert shapes[0].geoms[0].equals(OUTLINE)
    assert shapes[1].equals(TWO_PARTS)
    expected = {
        "number": ALERT.number,
        "area_code": "330106005201",
        "village": "东穆坞村",
        "area_m2": 2000.0,
        "area_mu": 3.0,
    }
    expected |= {"later": np.datetime64("2026-11-20"), "cultivated_m2": 1600.0, "rank": 1, "state": "已上报"}
    assert {name: rows[0][name] for name in expected} == expected


def test_unknown_values_are_null(tmp_path: Path) -> None:
    write_geopackage([alert(rank=None, residual_m=None, overlaps=())], tmp_path / "alerts.gpkg")
    result = rows_of(tmp_path / "alerts.gpkg")[0][0]
    assert all(np.isnan(float(result[name])) for name in ("rank", "residual_m", "cultivated_m2"))


def test_geopackage_replaces_an_existing_file(tmp_path: Path) -> None:
    write_geopackage([alert(), alert(number="X2")], tmp_path / "alerts.gpkg")
    write_geopackage([alert()], tmp_path / "alerts.gpkg")
    assert len(rows_of(tmp_path / "alerts.gpkg")[0]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["alerts.gpkg"]


def test_shapefile_keeps_chinese_texts_dates_and_parts(tmp_path: Path) -> None:
    rows, shapes, meta, result = shapefile([alert(outline=TWO_PARTS)], tmp_path)
    assert meta["crs"] == "EPSG:4490"
    assert shapes[0].equals(TWO_PARTS)
    expected = {
        "TBBH": ALERT.number,
        "XZQDM": "330106005201",
        "CMC": "东穆坞村",
        "TBLX": "新增建筑/建设",
        "JCMJ": 2000.0,
    }
    expected |= {"QSX": np.datetime64("2026-05-01"), "HSX": np.datetime64("2026-11-20"), "JCMJM": 3.0}
    assert {name: rows[0][name] for name in expected} == expected
    assert result.remarks == ()


def test_kmz_has_outlines_values_and_pictures(tmp_path: Path) -> None:
    pictures = (
        EvidencePicture("before", "x", "scans/1/before.jpg"),
        EvidencePicture("after", "y", "scans/1/after.jpg"),
    )
    alerts = [alert(outline=TWO_PARTS, evidence=pictures), alert(number="X2 <&>", evidence=pictures)]
    stored = {"scans/1/before.jpg": b"\xff\xd8 before"}
    assert write_kmz(alerts, tmp_path / "alerts.kmz", "zh", stored.get) == ExportResult(2)
    with zipfile.ZipFile(tmp_path / "alerts.kmz") as archive:
        assert archive.read(f"files/{ALERT.number}-before.jpg") == b"\xff\xd8 before"
        assert f"files/{ALERT.number}-after.jpg" not in archive.namelist()
        document = archive.read("doc.kml").decode()
    assert f"files/{ALERT.number}-before.jpg" in document
    assert STATEMENT[0] in document
    rows, outlines, meta = rows_of(f"/vsizip/{tmp_path / 'alerts.kmz'}/doc.kml")
    assert [row["Name"] for row in rows] == [ALERT.number, "X2 <&>"]
    assert outlines[0].equals_exact(TWO_PARTS, 1e-7) or outlines[0].symmetric_difference(TWO_PARTS).area < 1e-12
    assert meta["crs"] == "EPSG:4326"


def test_shapefile_declares_utf8(tmp_path: Path) -> None:
    write_shapefile([alert()], tmp_path / "alerts.zip")
    with zipfile.ZipFile(tmp_path / "alerts.zip") as archive:
        assert archive.read("tuban.cpg") == b"UTF-8"
        assert sorted(archive.namelist()) == [f"tuban.{end}" for end in ("cpg", "dbf", "prj", "shp", "shx")]


def test_shapefile_field_names_are_unique_with_at_most_ten_characters() -> None:
    shorts = [c.short for c in COLUMNS]
    assert max(map(len, shorts)) <= 10
    assert len(set(shorts)) == len(shorts)


def test_long_text_in_a_shapefile_is_truncated_with_a_remark(tmp_path: Path) -> None:
    overlaps = ({"layer": "永久基本农田" * 40, "kind": "basic_farmland", "dated": None, "share": 0.5, "area_m2": 1.0},)
    rows, _, _, result = shapefile([alert(overlaps=overlaps)], tmp_path)
    assert rows[0]["THQK"] == ("永久基本农田" * 40)[:84]
    assert result.remarks == ("THQK was truncated to 254 bytes in 1 alerts.",)


def test_local_zone_is_in_metres_with_easting_first(tmp_path: Path) -> None:
    _, shapes, meta, result = shapefile([alert()], tmp_path, local_zone=True)
    west, south, _, _ = shapes[0].bounds
    assert meta["crs"] == "EPSG:4528"
    assert (west // 1e6, south // 1e6) == (40, 3)
    assert shapes[0].area == pytest.approx(28.9 * 22.2, rel=0.01)
    assert "EPSG:4528" in result.remarks[0]


def test_alerts_of_several_zones_are_projected_to_the_most_frequent_one(tmp_path: Path) -> None:
    alerts = [at(120.1), at(121.4), at(121.6), at(118.0)]
    _, shapes, meta, result = shapefile(alerts, tmp_path, local_zone=True)
    assert meta["crs"] == "EPSG:4528"
    assert all(shape.bounds[0] // 1e6 == 40 for shape in shapes)
    assert "2 of 4 alerts lie in other zones (39: 1, 41: 1)" in result.remarks[1]


def test_local_zone_outside_all_zones_raises(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="export in degrees"):
        write_shapefile([at(10.0)], tmp_path / "alerts.zip", local_zone=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("local_zone", [True, False])
def test_shapefile_without_alerts_is_empty(tmp_path: Path, local_zone: bool) -> None:
    rows, _, meta, _ = shapefile([], tmp_path, local_zone=local_zone)
    assert rows == []
    assert "TBBH" in meta["fields"]


@pytest.mark.parametrize(("language", "heading"), [("zh", "图斑编号"), ("en", "Alert number")])
def test_spreadsheet_has_frozen_headings(tmp_path: Path, language: Any, heading: str) -> None:
    sheet = cells_of([alert()], tmp_path, language).worksheets[0]
    assert sheet["A1"].value == heading
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref.startswith("A1:")


def test_spreadsheet_has_typed_dates_and_areas_in_both_units(tmp_path: Path) -> None:
    sheet = cells_of([alert()], tmp_path).worksheets[0]
    later = sheet.cell(2, column("later"))
    assert (later.value, later.is_date) == (dt.datetime(2026, 11, 20), True)  # noqa: DTZ001  (as Excel knows them)
    assert [sheet.cell(2, column(name)).value for name in ("area_m2", "area_mu")] == [2000, 3]


def test_codes_are_texts(tmp_path: Path) -> None:
    cell = cells_of([alert()], tmp_path).worksheets[0].cell(2, column("area_code"))
    assert (cell.value, cell.data_type) == ("330106005201", "s")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x","y")', "=cmd|' /C calc'!A0"])
def test_text_that_looks_like_a_formula_is_a_text(tmp_path: Path, text: str) -> None:
    cell = cells_of([alert(village=AlertArea("330106005201", text))], tmp_path).worksheets[0].cell(2, column("village"))
    assert (cell.value, cell.data_type, cell.quotePrefix) == (text, "s", True)


def test_invalid_characters_are_replaced(tmp_path: Path) -> None:
    book = cells_of([alert(village=AlertArea("330106005201", "a\x00\ud800b"))], tmp_path)
    assert book.worksheets[0].cell(2, column("village")).value == "a��b"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_spreadsheet_contains_the_statement(tmp_path: Path, language: Any) -> None:
    book = cells_of([alert()], tmp_path, language)
    words = {"zh": "疑似变化线索，须经实地核查", "en": "Suspected change, to be checked on the ground"}[language]
    assert book.worksheets[0].cell(2, column("statement")).value == words
    assert book.worksheets[1]["A1"].value == words


@pytest.mark.parametrize("write", [write_geojson, write_geopackage, write_shapefile, write_spreadsheet])
def test_missing_folder_raises(tmp_path: Path, write: Any) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write([alert()], tmp_path / "no" / "file")


def test_failed_export_keeps_the_existing_file(tmp_path: Path) -> None:
    (tmp_path / "alerts.geojson").write_text("older")
    with pytest.raises(ValueError, match="JSON"):
        write_geojson([alert(), alert(residual_m=float("nan"))], tmp_path / "alerts.geojson")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]


def test_reused_cells_keep_the_values_of_each_row(tmp_path: Path) -> None:
    alerts = [alert(number="A", rank=1), alert(number="=B", rank=None, earlier=None), alert(number="C", rank=3)]
    rows = list(cells_of(alerts, tmp_path).worksheets[0].iter_rows(min_row=2, values_only=True))
    assert [row[column("number") - 1] for row in rows] == ["A", "=B", "C"]
    assert [row[column("rank") - 1] for row in rows] == [1, None, 3]
    assert [row[column("earlier") - 1] is None for row in rows] == [False, True, False]


def test_a_shapefile_in_gbk_is_read_by_its_code_page_and_by_its_cpg(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_shapefile([at(120.0)], path, encoding="GBK")
    (row,), _, _ = rows_of(path)
    assert row["TBLX"] == "新增建筑/建设"
    with zipfile.ZipFile(path) as archive:
        table = archive.read("tuban.dbf")
        assert archive.read("tuban.cpg") == b"GBK"
    assert table[29] == 0x4D
    assert "新增建筑".encode("gbk") in table


def test_geoparquet_has_typed_columns_and_its_metadata(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    assert write_geoparquet([at(120.0), at(120.01, "Y")], path, "en").alerts == 2
    table = read_parquet(path).read_all()
    assert table.num_rows == 2
    types = [str(table.schema.field(name).type).strip() for name in ("number", "area_m2", "later")]
    assert [name.rpartition(".")[2] for name in types] == ["DataType<Utf8>", "DataType<Float64>", "DataType<Date32>"]
    assert table["later"].to_pylist() == [ALERT.later.date] * 2  # type: ignore[union-attr]
    assert table["basic_m2"].to_pylist() == [None, None]
    outlines = [shapely.from_wkb(outline) for outline in table["geometry"].to_pylist()]
    assert [outline.geom_type for outline in outlines] == ["MultiPolygon"] * 2
    geo = json.loads(table.schema.metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    column = geo["columns"]["geometry"]
    assert (column["encoding"], column["crs"]["id"]) == ("WKB", {"authority": "EPSG", "code": 4490})
    assert column["bbox"] == pytest.approx([120.0, 30.0, 120.011, 30.001])
    write_geoparquet([], path)
    assert read_parquet(path).read_all().num_rows == 0


def test_kml_has_the_placemarks_of_a_kmz(tmp_path: Path) -> None:
    assert write_kml([at(120.0)], tmp_path / "a.kml", "zh").alerts == 1
    write_kmz([at(120.0)], tmp_path / "a.kmz", "zh", lambda key: None)
    assert zipfile.ZipFile(tmp_path / "a.kmz").read("doc.kml") == (tmp_path / "a.kml").read_bytes()


SYSTEM_PYTHON = Path("/usr/bin/python3")
HAS_QGIS = (
    SYSTEM_PYTHON.exists()
    and subprocess.run([SYSTEM_PYTHON, "-c", "import qgis.core"], capture_output=True, check=False).returncode == 0
)


@pytest.mark.skipif(not HAS_QGIS, reason="no QGIS on this machine (Debian package python3-qgis)")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_qgis_opens_a_geopackage_with_its_style_and_aliases(tmp_path: Path, language: Any) -> None:
    path, picture = tmp_path / "alerts.gpkg", tmp_path / "alerts.png"
    write_geopackage(
        [dataclasses.replace(at(120.0), kind="construction"), dataclasses.replace(at(120.002, "Y"), kind="ground")],
        path,
        language,
    )
    script = Path(__file__).with_name("render_with_qgis.py")
    environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [SYSTEM_PYTHON, script, path, picture], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    kind, legend, aliases, crs, count = json.loads(done.stdout.splitlines()[-1])
    assert (kind, crs, count) == ("categorizedSymbol", "EPSG:4490", 2)
    assert legend["construction"] == [{"zh": "新增建筑/建设", "en": "New construction"}[language], "#d62728"]
    assert aliases["number"] == {"zh": "图斑编号", "en": "Alert number"}[language]
    assert aliases["area_mu"] == {"zh": "监测面积/亩", "en": "Area, mu"}[language]
    pixels = {tuple(colour) for _, colour in Image.open(picture).convert("RGB").getcolors(10**6)}
    assert {(214, 39, 40), (227, 136, 20), (255, 255, 255)} <= pixels


@pytest.mark.skipif(not HAS_QGIS, reason="no QGIS on this machine (Debian package python3-qgis)")
def test_qgis_opens_a_project_in_any_folder(tmp_path: Path) -> None:
    alerts = [dataclasses.replace(at(120.0), kind="construction"), dataclasses.replace(at(120.002, "Y"), kind="ground")]
    write_qgis_project(alerts, tmp_path / "a.zip", "zh")
    zipfile.ZipFile(tmp_path / "a.zip").extractall(tmp_path / "moved")
    script = Path(__file__).with_name("open_project_with_qgis.py")
    environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    picture = tmp_path / "project.png"
    command = [SYSTEM_PYTHON, script, tmp_path / "moved" / "alerts.qgz", picture]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [
        "图斑 · 疑似变化线索，须经实地核查", "EPSG:4490", "图斑", 2, "categorizedSymbol", "图斑编号",
    ]  # fmt: skip
    pixels = {tuple(colour) for _, colour in Image.open(picture).convert("RGB").getcolors(10**6)}
    assert {(214, 39, 40), (227, 136, 20)} <= pixels
