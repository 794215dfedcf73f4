"""Unusable files are rejected with their name and advice, and no temporary file is left."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from errors import ImageError
from imagery import Limits, open_scene
from tests.imagery.conftest import message_of

Save = Callable[..., Path]


def exif_with_zero_denominators() -> bytes:
    """Return EXIF with an exposure time of 1/0, a position of 0/0 degrees, and a valid date."""
    date = b"2023:04:17 10:11:12\0"
    exif = struct.pack("<H", 2)
    exif += struct.pack("<HHII", 0x829A, 5, 1, 200) + struct.pack("<HHII", 0x9003, 2, 20, 216) + bytes(4)
    gps = struct.pack("<H", 1) + struct.pack("<HHII", 2, 5, 3, 240) + bytes(4)
    first = struct.pack("<H", 2)
    first += struct.pack("<HHII", 0x8769, 4, 1, 60) + struct.pack("<HHII", 0x8825, 4, 1, 120) + bytes(4)
    data = bytearray(b"II*\0\x08\0\0\0" + first)
    data += bytes(60 - len(data)) + exif
    data += bytes(120 - len(data)) + gps
    data += bytes(200 - len(data)) + struct.pack("<II", 1, 0) + bytes(8) + date
    data += bytes(240 - len(data)) + struct.pack("<IIIIII", 1, 0, 0, 0, 5, 0)
    block = b"Exif\0\0" + bytes(data)
    return b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block


def test_exif_with_zero_denominators_is_harmless(tmp_path: Path, save: Save, noise: NDArray[np.uint8]) -> None:
    plain = save("plain.jpg", noise, driver="JPEG").read_bytes()
    path = tmp_path / "photo.jpg"
    path.write_bytes(plain[:2] + exif_with_zero_denominators() + plain[2:])
    with open_scene(path, gsd=0.1) as scene:
        assert scene.read(scene.geobox).valid.all()
        assert (str(scene.date), scene.date_source) == ("2023-04-17", "tag EXIF_DateTimeOriginal")


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"These are the coordinates of my plot\n1 2 3\n", "text"),
        (b"", "empty"),
        (b"%PDF-1.7\n\0", "PDF"),
        (b"CDF\x01\0\0", "NetCDF"),
        (b"\x89HDF\r\n\x1a\n\0", "HDF5"),
        (b"msid\x01\0", "MrSID"),
        (b"e\x02\0\0\0\x01", "ECW"),
        (b"\0\0\0\x18ftypheic\0\0", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0", "video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"\x1f\x8b\x08\0\0", "gzip"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (b"\xef\xbb\xbf<html>", "HTML"),
        (b"\0\x01\x02\x03nothing known", "unknown"),
    ],
)
def test_other_files_are_rejected_by_name_with_advice(tmp_path: Path, head: bytes, word: str) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(head)
    message = message_of(path, gsd=0.5)
    assert word in message
    assert message.startswith("image.tif is ")


def test_a_zip_is_rejected(tmp_path: Path, save: Save, noise: NDArray[np.uint8]) -> None:
    with zipfile.ZipFile(tmp_path / "image.tif", "w") as archive:
        archive.write(save("inside.tif", noise), "inside.tif")
    assert "zip" in message_of(tmp_path / "image.tif")


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    assert "device or pipe" in message_of(tmp_path / "pipe.tif")
    assert "device or pipe" in message_of("/dev/zero")
    assert "folder" in message_of(tmp_path)
    assert "no file" in message_of(tmp_path / "missing.tif")
    assert "empty" in message_of("")
    (tmp_path / "circle.tif").symlink_to(tmp_path / "circle.tif")
    message_of(tmp_path / "circle.tif")


@pytest.mark.parametrize(
    "transform",
    [
        (0, 0, 5e5, 0, 0, 3e6),
        (0.5, 0, 5e5, 0.5, 0, 3e6),
        (0.5, 0.5, 5e5, 0.5, 0.5, 3e6),
        (float("nan"), 0, 5e5, 0, -1, 3e6),
    ],
)
def test_a_degenerate_geotransform_is_rejected(
    save: Save, noise: NDArray[np.uint8], transform: tuple[float, ...]
) -> None:
    path = save("flat.tif", noise, crs="EPSG:32650", transform=rasterio.Affine(*transform))
    assert "degenerate" in message_of(path)


def test_a_position_outside_the_world_is_rejected(save: Save, noise: NDArray[np.uint8]) -> None:
    path = save("far.tif", noise, crs="EPSG:4326", transform=rasterio.Affine(1, 0, 3e6, 0, -1, 5e6))
    assert "not a valid position" in message_of(path)


def test_a_decoder_that_exceeds_its_limits_is_stopped(save: Save, noise: NDArray[np.uint8]) -> None:
    path = save("a.jp2", noise, driver="JP2OpenJPEG")
    message = message_of(path, gsd=0.5, limits=Limits(rewrite_file_bytes=1000))
    assert "decoded" in message


def test_no_temporary_file_is_left(tmp_path: Path, save: Save, noise: NDArray[np.uint8], utm50: dict[str, Any]) -> None:
    work = tmp_path / "work"
    work.mkdir()
    good, bad = save("good.jp2", noise, driver="JP2OpenJPEG"), save("bad.tif", noise[0] * 0, nodata=0, **utm50)
    with open_scene(good, gsd=0.5, workdir=work) as scene:
        assert len(list(work.iterdir())) == 1
        scene.read(scene.geobox)
    message_of(bad, workdir=work)
    assert list(work.iterdir()) == []
    assert good.exists()


def test_a_file_that_changes_while_it_is_open_is_detected(
    save: Save, noise: NDArray[np.uint8], utm50: dict[str, Any]
) -> None:
    path = save("ortho.tif", noise, **utm50)
    with open_scene(path) as scene:
        path.write_bytes(path.read_bytes() + b"more")
        with pytest.raises(ImageError, match="changed"):
            _ = scene.sha256


@pytest.mark.parametrize("kind", ["lossy", "lossless", "extended"])
def test_webp_is_read_and_a_truncated_one_is_rejected(tmp_path: Path, noise: NDArray[np.uint8], kind: str) -> None:
    image = Image.fromarray(np.moveaxis(noise, 0, 2) if noise.shape[0] <= 4 else noise)
    if kind == "extended":
        image.putalpha(255)
    path = tmp_path / "a.webp"
    image.save(path, lossless=kind != "lossy", quality=95)
    with open_scene(path, gsd=0.5) as scene:
        assert (scene.width, scene.height) == image.size
        assert scene.read(scene.geobox).valid.all()
    path.write_bytes(path.read_bytes()[:-50])
    assert "truncated" in message_of(path, gsd=0.5)
