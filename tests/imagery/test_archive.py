"""Zip files made to harm are refused, member by member where that is possible; names are those that people see."""

from __future__ import annotations

import datetime as dt
import hashlib
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from errors import ImageError
from imagery.files.file_roles import assign_file_roles, is_hidden
from imagery.files.odm import flight_day
from imagery.files.zip_archive import Archive

LIMITS: dict[str, Any] = {"max_files": 100, "max_bytes": 50e6, "max_ratio": 200.0}


def opened(path: Path, **limits: Any) -> Archive:
    return Archive(path, "delivery.zip", **(LIMITS | limits))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "0007"


def packed(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def faults(path: Path, **limits: Any) -> dict[str, str]:
    with opened(path, **limits) as archive:
        return {member.name: member.fault for member in archive.members}


def test_members_are_unpacked_with_their_checksum(path: Path, tmp_path: Path) -> None:
    packed(path, ("a/one.tif", b"1" * 3_000_000), ("empty.tif", b""), ("folder/", b""))
    with opened(path) as archive:
        assert [(m.name, m.size, m.fault) for m in archive.members] == [
            ("a/one.tif", 3_000_000, ""),
            ("empty.tif", 0, ""),
        ]
        out = tmp_path / "out"
        assert archive.extract(archive.members[0], out) == hashlib.sha256(b"1" * 3_000_000).hexdigest()
        assert out.read_bytes() == b"1" * 3_000_000


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up.tif", "a/../../up.tif", "C:\\up.tif", "..\\up.tif", "\\\\server\\up.tif"]
)
def test_a_path_that_alerts_out_is_refused_and_the_others_are_not(path: Path, tmp_path: Path, name: str) -> None:
    packed(path, (name, b"x"), ("good.tif", b"y"))
    with opened(path) as archive:
        bad, good = archive.members
        assert "points outside" in bad.fault
        with pytest.raises(ImageError, match="points outside"):
            archive.extract(bad, tmp_path / "out")
        archive.extract(good, tmp_path / "out")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(path: Path, kind: int) -> None:
    link = zipfile.ZipInfo("link.tif")
    link.external_attr = (kind | 0o777) << 16
    assert "link or a device" in faults(packed(path, (link, b"/etc/passwd")))["link.tif"]


def test_what_unpacks_to_very_much_more_is_refused(path: Path) -> None:
    packed(path, ("bomb.tif", bytes(20_000_000)), ("black.tif", bytes(1_000_000)))
    assert {name: bool(fault) for name, fault in faults(path).items()} == {"bomb.tif": True, "black.tif": False}


def test_too_much_in_all_is_refused_before_anything_is_unpacked(path: Path) -> None:
    packed(path, *((f"{number}.tif", bytes(10_000_000)) for number in range(3)))
    with pytest.raises(ImageError, match=r"^delivery\.zip holds 0\.0 GiB, unpacked.*Divide it\.$"):
        opened(path, max_bytes=29e6)


def test_too_many_files_are_refused(path: Path) -> None:
    packed(path, *((f"{number}.tif", b"") for number in range(101)))
    with pytest.raises(ImageError, match="101 files"):
        opened(path)


def test_a_huge_directory_is_not_read(path: Path) -> None:
    packed(path, *((f"{number:0200}.tif", b"") for number in range(700)))
    with pytest.raises(ImageError, match="directory of more than 1 files"):
        opened(path, max_files=1)


def test_encrypted_members_are_refused(path: Path) -> None:
    data = bytearray(packed(path, ("a.tif", b"secret")).read_bytes())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + flags] |= 1
    path.write_bytes(bytes(data))
    assert "encrypted" in faults(path)["a.tif"]


def test_other_methods_are_refused(path: Path) -> None:
    assert "method 14" in faults(packed(path, ("a.tif", b"x" * 100), method=zipfile.ZIP_LZMA))["a.tif"]


def test_a_zip_in_a_zip_is_refused(path: Path) -> None:
    assert "zip file in a zip file" in faults(packed(path, ("inner.ZIP", b"PK")))["inner.ZIP"]


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_chinese_names_are_read_whoever_wrote_them(path: Path, encoding: str) -> None:
    packed(path, ("XXXXXXXXXXXXXXXXXXXXXX"[: len("村/正射影像.tif".encode(encoding))], b"x"))
    raw = "村/正射影像.tif".encode(encoding)
    path.write_bytes(path.read_bytes().replace(b"X" * len(raw), raw))
    assert list(faults(path)) == ["村/正射影像.tif"]


def test_names_marked_as_utf8_are_taken_so(path: Path) -> None:
    assert list(faults(packed(path, ("正射.tif", b"x")))) == ["正射.tif"]


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04" + bytes(100), b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip_file_is_told(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    if data.startswith(b"PK\x05"):
        assert faults(path) == {}  # an empty archive
        return
    with pytest.raises(ImageError, match=r"^delivery\.zip is damaged: it cannot be read as a zip file"):
        opened(path)


@pytest.mark.parametrize("kept", [0.3, 0.8, 0.99])
def test_a_truncated_zip_file_is_refused(path: Path, kept: float) -> None:
    data = packed(path, ("a.tif", bytes(range(256)) * 100)).read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ImageError, match="damaged"):
        opened(path)


def test_a_damaged_member_is_its_own_fault(path: Path, tmp_path: Path) -> None:
    packed(path, ("bad.tif", b"abcdefgh" * 1000), ("good.tif", b"y"), method=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"abcdefgh", b"abcdefgX", 1))
    with opened(path) as archive:
        with pytest.raises(ImageError, match=r"bad\.tif is damaged"):
            archive.extract(archive.members[0], tmp_path / "out")
        assert not (tmp_path / "out").exists()
        archive.extract(archive.members[1], tmp_path / "out")


def test_a_member_larger_than_it_says_is_damaged(path: Path, tmp_path: Path) -> None:
    data = bytearray(packed(path, ("a.tif", bytes(100_000))).read_bytes())
    for magic, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(magic) + at, 10)
    path.write_bytes(bytes(data))
    with opened(path) as archive, pytest.raises(ImageError, match="damaged"):
        archive.extract(archive.members[0], tmp_path / "out")


@pytest.mark.parametrize("name", ["__MACOSX/._a.tif", ".DS_Store", "a/.hidden/b.tif", "Thumbs.db", "x/desktop.ini"])
def test_what_a_file_manager_does_not_show_is_hidden(name: str) -> None:
    assert is_hidden(name)
    assert assign_file_roles([name]) == []


@pytest.mark.parametrize("name", ["a.tif", "a/b.c/d.tif", "../a.tif", "./a.tif"])
def test_other_names_are_not_hidden(name: str) -> None:
    assert not is_hidden(name)


def test_sidecars_go_with_the_image_of_their_name_in_their_folder() -> None:
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


def test_of_an_output_of_opendronemap_the_orthophoto_is_taken() -> None:
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
    assert "was made of it" in by_name["task/images/DJI_0001.JPG"].reason
    assert by_name["task/another_20240501.tif"].sidecars == {}


@pytest.mark.parametrize(
    ("told", "day"),
    [
        (b'[{"filename": "a.jpg", "utc_time": 1714521600000.0, "x": 1}]', dt.date(2024, 5, 1)),
        (b'[{"utc_time": 1714521600}]', dt.date(2024, 5, 1)),
        (b'[{"utc_time": null}, {"utc_time": 1714521600000', None),  # cut: what it ends with is not believed
        (b'[{"utc_time": 946684800}]', None),
        (b"", None),
    ],
)
def test_the_day_of_an_orthophoto_is_that_of_its_photos(told: bytes, day: dt.date | None) -> None:
    assert flight_day(told, dt.UTC) == day
