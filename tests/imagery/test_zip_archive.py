"""Malicious zip files are rejected, single members where possible."""

from __future__ import annotations

import hashlib
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from errors import ImageError
from imagery.files.zip_archive import Archive

LIMITS: dict[str, Any] = {"max_files": 100, "max_bytes": 50e6, "max_ratio": 200.0}


def open_archive(path: Path, **limits: Any) -> Archive:
    return Archive(path, "delivery.zip", **(LIMITS | limits))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "0007"


def write_zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def faults(path: Path, **limits: Any) -> dict[str, str]:
    with open_archive(path, **limits) as archive:
        return {member.name: member.fault for member in archive.members}


def test_members_are_unpacked_with_their_checksum(path: Path, tmp_path: Path) -> None:
    write_zip(path, ("a/one.tif", b"1" * 3_000_000), ("empty.tif", b""), ("folder/", b""))
    with open_archive(path) as archive:
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
def test_a_path_outside_the_archive_is_rejected_and_the_others_are_not(path: Path, tmp_path: Path, name: str) -> None:
    write_zip(path, (name, b"x"), ("good.tif", b"y"))
    with open_archive(path) as archive:
        bad, good = archive.members
        assert "points outside" in bad.fault
        with pytest.raises(ImageError, match="points outside"):
            archive.extract(bad, tmp_path / "out")
        archive.extract(good, tmp_path / "out")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_rejected(path: Path, kind: int) -> None:
    link = zipfile.ZipInfo("link.tif")
    link.external_attr = (kind | 0o777) << 16
    assert "link or a device" in faults(write_zip(path, (link, b"/etc/passwd")))["link.tif"]


def test_a_member_that_expands_too_much_is_rejected(path: Path) -> None:
    write_zip(path, ("bomb.tif", bytes(20_000_000)), ("black.tif", bytes(1_000_000)))
    assert {name: bool(fault) for name, fault in faults(path).items()} == {"bomb.tif": True, "black.tif": False}


def test_too_large_an_archive_is_rejected_before_anything_is_unpacked(path: Path) -> None:
    write_zip(path, *((f"{number}.tif", bytes(10_000_000)) for number in range(3)))
    with pytest.raises(ImageError, match=r"^delivery\.zip contains 0\.0 GiB, unpacked.*Split it\.$"):
        open_archive(path, max_bytes=29e6)


def test_too_many_files_are_rejected(path: Path) -> None:
    write_zip(path, *((f"{number}.tif", b"") for number in range(101)))
    with pytest.raises(ImageError, match="101 files"):
        open_archive(path)


def test_a_huge_directory_is_not_read(path: Path) -> None:
    write_zip(path, *((f"{number:0200}.tif", b"") for number in range(700)))
    with pytest.raises(ImageError, match="directory of more than 1 files"):
        open_archive(path, max_files=1)


def test_encrypted_members_are_rejected(path: Path) -> None:
    data = bytearray(write_zip(path, ("a.tif", b"secret")).read_bytes())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + flags] |= 1
    path.write_bytes(bytes(data))
    assert "encrypted" in faults(path)["a.tif"]


def test_other_compression_methods_are_rejected(path: Path) -> None:
    assert "method 14" in faults(write_zip(path, ("a.tif", b"x" * 100), method=zipfile.ZIP_LZMA))["a.tif"]


def test_a_zip_in_a_zip_is_rejected(path: Path) -> None:
    assert "zip file in a zip file" in faults(write_zip(path, ("inner.ZIP", b"PK")))["inner.ZIP"]


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_chinese_names_are_decoded_from_either_encoding(path: Path, encoding: str) -> None:
    write_zip(path, ("XXXXXXXXXXXXXXXXXXXXXX"[: len("村/正射影像.tif".encode(encoding))], b"x"))
    raw = "村/正射影像.tif".encode(encoding)
    path.write_bytes(path.read_bytes().replace(b"X" * len(raw), raw))
    assert list(faults(path)) == ["村/正射影像.tif"]


def test_names_marked_as_utf8_are_decoded_as_utf8(path: Path) -> None:
    assert list(faults(write_zip(path, ("正射.tif", b"x")))) == ["正射.tif"]


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04" + bytes(100), b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_not_a_zip_file_is_rejected(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    if data.startswith(b"PK\x05"):
        assert faults(path) == {}  # an empty archive
        return
    with pytest.raises(ImageError, match=r"^delivery\.zip is damaged: it cannot be read as a zip file"):
        open_archive(path)


@pytest.mark.parametrize("share", [0.3, 0.8, 0.99])
def test_a_truncated_zip_file_is_rejected(path: Path, share: float) -> None:
    data = write_zip(path, ("a.tif", bytes(range(256)) * 100)).read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageError, match="damaged"):
        open_archive(path)


def test_a_damaged_member_does_not_affect_the_others(path: Path, tmp_path: Path) -> None:
    write_zip(path, ("bad.tif", b"abcdefgh" * 1000), ("good.tif", b"y"), method=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"abcdefgh", b"abcdefgX", 1))
    with open_archive(path) as archive:
        with pytest.raises(ImageError, match=r"bad\.tif is damaged"):
            archive.extract(archive.members[0], tmp_path / "out")
        assert not (tmp_path / "out").exists()
        archive.extract(archive.members[1], tmp_path / "out")


def test_a_member_larger_than_declared_is_damaged(path: Path, tmp_path: Path) -> None:
    data = bytearray(write_zip(path, ("a.tif", bytes(100_000))).read_bytes())
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(magic) + offset, 10)
    path.write_bytes(bytes(data))
    with open_archive(path) as archive, pytest.raises(ImageError, match="damaged"):
        archive.extract(archive.members[0], tmp_path / "out")
