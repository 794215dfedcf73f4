"""The roles of files in a delivery follow from their names."""

from __future__ import annotations

import datetime as dt

import pytest

from configs.texts import translate
from imagery.files.file_roles import assign_file_roles, is_hidden
from imagery.files.odm import flight_day


@pytest.mark.parametrize("name", ["__MACOSX/._a.tif", ".DS_Store", "a/.hidden/b.tif", "Thumbs.db", "x/desktop.ini"])
def test_files_that_a_file_manager_hides_are_hidden(name: str) -> None:
    assert is_hidden(name)
    assert assign_file_roles([name]) == []


@pytest.mark.parametrize("name", ["a.tif", "a/b.c/d.tif", "../a.tif", "./a.tif"])
def test_other_names_are_not_hidden(name: str) -> None:
    assert not is_hidden(name)


def test_sidecars_belong_to_the_image_of_their_name_in_the_same_folder() -> None:
    names = [
        "x/a.jpg",
        "x/A.JGW",
        "x/a.prj",
        "y/a.prj",
        "x/b.tif",
        "x/b.jgw",
        "x/b.wld",
        "x/c.tif.aux.xml",
        "d.ovr",
        "e.zip",
    ]
    by_name = {entry.name: entry for entry in assign_file_roles(names)}
    assert list(by_name) == names
    assert (by_name["x/a.jpg"].role, by_name["x/a.jpg"].world, by_name["x/a.jpg"].prj) == (
        "image",
        "x/A.JGW",
        "x/a.prj",
    )
    assert by_name["x/A.JGW"].reason == "read with a.jpg"
    assert (by_name["x/b.tif"].world, by_name["x/b.tif"].prj) == ("x/b.wld", None)
    assert {name: by_name[name].role for name in names if by_name[name].role != "image"} == {
        "x/A.JGW": "sidecar", "x/a.prj": "sidecar", "x/b.wld": "sidecar", "e.zip": "zip",
        "y/a.prj": "ignored", "x/b.jgw": "ignored", "x/c.tif.aux.xml": "ignored", "d.ovr": "ignored",
    }  # fmt: skip
    assert by_name["x/c.tif.aux.xml"].reason.code == "beside.unread"
    assert "no image of this name" in by_name["y/a.prj"].reason


def test_the_orthophoto_is_the_only_image_of_an_opendronemap_output() -> None:
    names = [
        "task/odm_orthophoto/odm_orthophoto.tif",
        "task/odm_orthophoto/odm_orthophoto.png",
        "task/images.json",
        "task/cameras.json",
        "task/odm_dem/dsm.tif",
        "task/opensfm/undistorted/images/a.tif",
        "task/images/DJI_0001.JPG",
        "task/another_20240501.tif",
        "images.json",
    ]
    by_name = {entry.name: entry for entry in assign_file_roles(names)}
    assert [by_name[name].role for name in names] == [
        "image", "ignored", "sidecar", "ignored", "ignored", "ignored", "ignored", "image", "ignored",
    ]  # fmt: skip
    assert by_name[names[0]].sidecars == {"odm": "task/images.json"}
    assert by_name["task/odm_dem/dsm.tif"].reason == "part of an OpenDroneMap output, not an image of the ground"
    assert "source photo" in by_name["task/images/DJI_0001.JPG"].reason
    assert by_name["task/another_20240501.tif"].sidecars == {}


@pytest.mark.parametrize(
    ("shots", "day"),
    [
        (b'[{"filename": "a.jpg", "utc_time": 1714521600000.0, "x": 1}]', dt.date(2024, 5, 1)),
        (b'[{"utc_time": 1714521600}]', dt.date(2024, 5, 1)),
        (b'[{"utc_time": null}, {"utc_time": 1714521600000', None),  # truncated: the last number may be incomplete
        (b'[{"utc_time": 946684800}]', None),
        (b"", None),
    ],
)
def test_the_day_of_an_orthophoto_is_that_of_its_photos(shots: bytes, day: dt.date | None) -> None:
    assert flight_day(shots, dt.UTC) == day


DELIVERIES = {
    "DJI RTK": (
        ["DJI_202510261120_001_0001.JPG"],
        {"DJI_202510261120_001_Timestamp.MRK": "rtk", "DJI_202510261120_001_PPKNAV.nav": "rtk",
         "DJI_202510261120_001_PPKOBS.obs": "rtk", "DJI_202510261120_001_PPKRAW.bin": "rtk",
         "DJI_202510261120_001_Rinex.RTK": "rtk", "EVENTLOG.bin": "rtk", "DJI_0002.MP4": "video",
         "DJI_0002.SRT": "video"},
    ),
    "thermal and multispectral drones": (
        ["DJI_20251026112000_0001_V.JPG", "DJI_20251026112000_0002_D.JPG"],
        {"DJI_20251026112000_0001_T.JPG": "thermal", "DJI_20251026112000_0002_MS_NIR.TIF": "spectral",
         "DJI_0014.TIF": "spectral", "IMG_0001_4.tif": "spectral", "DJI_20251026112000_0002_D.DNG": "raw"},
    ),
    "other drones": (
        ["IMG_0001.jpg", "IMG_0002.JPEG"],
        {"20251026.24o": "rtk", "20251026.24n": "rtk", "reach_raw.ubx": "rtk", "base.rnx": "rtk", "flight.tlog": "log",
         "log.csv": "log", "IMG_0003.LRV": "video", "IMG_0002.arw": "raw"},
    ),
    "Gaofen": (
        ["GF2_PMS1_E120.1_N30.2_20240503_L1A0001-MSS1.tiff"],
        {"GF2_PMS1_E120.1_N30.2_20240503_L1A0001-MSS1.jpg": "preview",
         "GF2_PMS1_E120.1_N30.2_20240503_L1A0001-MSS1_thumb.jpg": "preview",
         "GF2_PMS1_E120.1_N30.2_20240503_L1A0001-MSS1.xml": "metadata",
         "GF2_PMS1_E120.1_N30.2_20240503_L1A0001-MSS1.rpb": "metadata"},
    ),
    "Pléiades and WorldView": (
        ["IMG_PHR1A_PMS_202404030230.TIF"],
        {"DIM_PHR1A_PMS_202404030230.XML": "metadata", "PREVIEW_PHR1A.JPG": "preview", "ICON_PHR1A.JPG": "preview",
         "24APR03-S2AS.IMD": "metadata", "24APR03-S2AS-BROWSE.JPG": "preview", "24APR03-S2AS.TIL": "metadata",
         "GIS_FILES/ORDER_SHAPE.shp": "vector", "GIS_FILES/ORDER_SHAPE.dbf": "vector", "README.HTM": "document"},
    ),
    "Planet": (
        ["20240503_021530_12_24a1_3B_AnalyticMS_SR.tif"],
        {"20240503_021530_12_24a1_metadata.json": "metadata", "manifest.json": "metadata",
         "20240503_021530_12_24a1_3B_AnalyticMS_metadata.xml": "metadata"},
    ),
    "orthophoto programs": (
        ["village_dom.tif"],
        {"village_report.pdf": "document", "village.p4d": "project", "village.psx": "project", "mesh.obj": "model",
         "cloud.laz": "model", "Tile_0.osgb": "model", "village_dom.tif.ovr": "unread",
         "village_dom.tif.vat.dbf": "vector",
         "village_dom.kml": "vector", "village_dom.tif.md5": "checksum", "report.docx": "document",
         "log.txt": "document"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("images", "beside"), DELIVERIES.values(), ids=DELIVERIES)
def test_companions_of_deliveries_are_listed_and_do_not_fail(images: list[str], beside: dict[str, str]) -> None:
    roles = {entry.name: entry for entry in assign_file_roles([*images, *beside])}
    assert [roles[name].role for name in images] == ["image"] * len(images)
    ignored = {name: entry for name, entry in roles.items() if entry.role == "ignored"}
    expected = {name: f"beside.{what}" for name, what in beside.items()}
    assert {name: entry.reason.code for name, entry in ignored.items()} == expected
    assert all(translate(entry.reason, "zh") != entry.reason for entry in ignored.values())


@pytest.mark.parametrize("name", ["a.pdf", "a.mp4", "a.xml", "a.txt", "a.dng", "a.json", "a_thumb.jpg", "DJI_0014.TIF"])
def test_without_an_image_beside_it_the_content_of_a_file_decides(name: str) -> None:
    assert [entry.role for entry in assign_file_roles([name])] == ["image"]


def test_a_jpeg_with_a_world_file_or_of_another_name_is_no_preview() -> None:
    roles = {entry.name: entry.role for entry in assign_file_roles(["a.tif", "a.jpg", "a.jgw", "b.jpg", "x/a.jpg"])}
    assert roles == {"a.tif": "image", "a.jpg": "image", "a.jgw": "sidecar", "b.jpg": "image", "x/a.jpg": "image"}


@pytest.mark.parametrize(
    "names",
    [
        ["a.zip.001", "a.zip.002"], ["a.z01", "a.z02", "a.zip"], ["a.7z.001"], ["a.part1.rar", "a.part02.rar"],
        ["a.rar.001"], ["a.r00", "a.r01"], ["A.Z01", "a.ZIP"], ["ortho.tif.001"], ["a.tar.gz.001"],
    ],
)  # fmt: skip
def test_parts_of_divided_archives_are_refused_with_a_way_out(names: list[str]) -> None:
    roles = assign_file_roles([*names, "b.zip", "c.tif"])
    assert [entry.role for entry in roles] == ["refused"] * len(names) + ["zip", "image"]
    assert all("unpack the first one" in entry.reason for entry in roles[: len(names)])


def test_an_auxiliary_file_is_read_with_its_image() -> None:
    names = ["a.tif", "a.tif.aux.xml", "b.tif", "b.aux.xml", "c.tif.aux.xml"]
    roles = {entry.name: entry for entry in assign_file_roles(names)}
    assert roles["a.tif"].sidecars == {"aux.xml": "a.tif.aux.xml"}
    assert roles["b.tif"].sidecars == {"aux.xml": "b.aux.xml"}
    assert [roles[name].role for name in names] == ["image", "sidecar", "image", "sidecar", "ignored"]
