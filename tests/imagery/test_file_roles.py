"""The roles of files in a delivery follow from their names."""

from __future__ import annotations

import datetime as dt

import pytest

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
        "image", "ignored", "sidecar", "ignored", "ignored", "ignored", "ignored", "image", "image",
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
