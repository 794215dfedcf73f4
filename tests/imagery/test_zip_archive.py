"""Malicious zip files are rejected, single members where possible."""

from __future__ import annotations

import hashlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import inflate64
import numpy as np
import pytest

from errors import ImageError
from imagery.files.zip_archive import Archive
from imagery.sandbox import SandboxError

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


def test_other_compression_methods_are_rejected_with_a_way_out(path: Path) -> None:
    fault = faults(write_zip(path, ("a.tif", b"x" * 100), method=zipfile.ZIP_LZMA))["a.tif"]
    assert "compressed by LZMA" in fault
    assert "7-Zip with the method Deflate, or submit them unpacked" in fault


def write_deflate64(path: Path, name: str, data: bytes, packed: bytes, **changed: int) -> Path:
    """Write a zip file as Windows Explorer writes it: one member, compressed by method 9."""
    declared = {"crc": zlib.crc32(data), "size": len(data), "packed": len(packed)} | changed
    sizes = struct.pack("<III", declared["crc"], declared["packed"], declared["size"])
    encoded = name.encode()
    local = b"PK\3\4" + struct.pack("<HHHHH", 21, 0, 9, 0, 0x58A3) + sizes + struct.pack("<HH", len(encoded), 0)
    head = struct.pack("<HHHHHH", 21, 21, 0, 9, 0, 0x58A3) + sizes
    directory = b"PK\1\2" + head + struct.pack("<HHHHHII", len(encoded), 0, 0, 0, 0, 32, 0) + encoded
    start = len(local) + len(encoded) + len(packed)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), start, 0)
    path.write_bytes(local + encoded + packed + directory + end)
    return path


def deflate64(data: bytes) -> bytes:
    packer = inflate64.Deflater()
    return packer.deflate(data) + packer.flush()


def huffman_only(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    return packer.compress(data) + packer.flush()


def stored_blocks(data: bytes) -> bytes:
    packer = zlib.compressobj(0, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


NOISE = np.random.default_rng(1).integers(0, 256, 50_000, np.uint8).tobytes()


@pytest.mark.parametrize("pack", [deflate64, huffman_only, stored_blocks])
def test_deflate64_of_windows_explorer_is_unpacked(path: Path, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    data = NOISE + NOISE + b"a" * 300_000  # repeated beyond the 32 KiB and the 258 bytes of Deflate
    write_deflate64(path, "a/ortho.tif", data, pack(data))
    with open_archive(path) as archive:
        (member,) = archive.members
        assert (member.name, member.size, member.fault) == ("a/ortho.tif", len(data), "")
        assert archive.extract(member, tmp_path / "out") == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "out").read_bytes() == data


@pytest.mark.parametrize(
    ("changed", "packed", "message"),
    [
        ({"crc": 1}, deflate64(NOISE), "checksum"),
        ({"size": 49_999}, deflate64(NOISE), "another size"),
        ({"size": 50_001}, deflate64(NOISE), "another size"),
        ({}, deflate64(NOISE)[:-1000], "another size"),
        ({}, b"\xff" * 500, "cannot be unpacked"),
        ({"size": 1000}, deflate64(bytes(30_000_000)), "another size"),
    ],
    ids=["checksum", "too long", "too short", "truncated", "no data", "bomb"],
)
def test_a_damaged_deflate64_member_is_rejected(
    path: Path, tmp_path: Path, changed: dict[str, int], packed: bytes, message: str
) -> None:
    write_deflate64(path, "a.tif", NOISE, packed, **changed)
    with open_archive(path) as archive, pytest.raises(ImageError, match=f"a.tif is damaged: .*{message}"):
        archive.extract(archive.members[0], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_deflate64_member_is_unpacked_in_a_sandboxed_process(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashed(*_: Any, **__: Any) -> None:
        raise SandboxError("ended", "crash", "SIGSEGV")

    monkeypatch.setattr("imagery.files.deflate64.run_sandboxed", crashed)
    write_deflate64(path, "a.tif", NOISE, deflate64(NOISE))
    with open_archive(path) as archive, pytest.raises(ImageError, match="SIGSEGV"):
        archive.extract(archive.members[0], tmp_path / "out")


def test_the_last_part_of_a_divided_zip_is_refused_with_a_way_out(path: Path) -> None:
    write_zip(path, ("a.tif", b"x"))
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\5\6")
    data[end + 4 : end + 8] = struct.pack("<HH", 1, 1)  # this is the second disk
    locator = b"PK\6\7" + struct.pack("<IQI", 1, 0, 2)
    path.write_bytes(bytes(data[:end]) + locator + bytes(data[end:]))
    with pytest.raises(ImageError, match=r"part of a divided archive.*7-Zip"):
        open_archive(path)


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
