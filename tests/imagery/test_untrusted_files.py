"""Malicious files are rejected with one clear message, without opening another file or a connection."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from errors import ImageError
from imagery import open_scene
from tests.imagery.conftest import message_of

Save = Callable[..., Path]
ROOT = Path(__file__).parents[2]


class Listener:
    """A local server that must not receive a connection."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.close()
    assert server.connections == 0, "a connection was made"


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """Another raster that must not be opened, watched with inotify."""
    path = tmp_path / "elsewhere" / "secret.tif"
    path.parent.mkdir()
    with rasterio.open(
        path, "w", driver="GTiff", width=64, height=64, count=1, dtype="uint8",
        crs="EPSG:4326", transform=rasterio.Affine(1e-5, 0, 117, 0, -1e-5, 30),
    ) as file:  # fmt: skip
        file.write(np.full((64, 64), 222, np.uint8), 1)
    if not sys.platform.startswith("linux"):
        yield path
        return
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(watch, os.fsencode(path), 0x20) >= 0  # IN_OPEN
    yield path
    try:
        opened = bool(os.read(watch, 4096))
    except BlockingIOError:
        opened = False
    os.close(watch)
    assert not opened, "the other file was opened"


def vrt_of(path: str) -> bytes:
    return (
        f'<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:4326</SRS>'
        f"<GeoTransform>117,1e-5,0,30,0,-1e-5</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="0">{path}'
        f"</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    ).encode()


def test_a_vrt_named_tif_is_rejected(tmp_path: Path, secret: Path) -> None:
    bait = tmp_path / "ortho.tif"
    bait.write_bytes(vrt_of(str(secret)))
    assert "XML" in message_of(bait, gsd=0.5)


def test_a_vrt_that_refers_to_a_server_is_rejected(tmp_path: Path, listener: Listener) -> None:
    bait = tmp_path / "ortho.tif"
    bait.write_bytes(b"\n  " + vrt_of(f"/vsicurl/{listener.address}/inner.tif"))
    assert "XML" in message_of(bait, gsd=0.5)


def test_a_wms_description_is_rejected(tmp_path: Path, listener: Listener) -> None:
    bait = tmp_path / "ortho.tif"
    bait.write_text(
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{listener.address}/${{z}}/${{x}}/${{y}}</ServerUrl></Service>'
        "<DataWindow><SizeX>64</SizeX><SizeY>64</SizeY></DataWindow><BandsCount>3</BandsCount></GDAL_WMS>"
    )
    assert "XML" in message_of(bait, gsd=0.5)


@pytest.mark.parametrize(
    "form", ["/vsicurl/{}/a.tif", "{}/a.tif", "//vsicurl/{}/a.tif", "/VSICURL/{}/a.tif", "s3:/{}/a"]
)
def test_a_path_that_is_an_address_is_rejected(listener: Listener, form: str) -> None:
    assert "address" in message_of(form.format(listener.address))


@pytest.mark.parametrize(
    "form", ["GTIFF_DIR:1:{}", "GTIFF_RAW:{}", "vrt://{}", "/vsizip/{}", "DERIVED_SUBDATASET:AMPLITUDE:{}"]
)
def test_a_path_that_gdal_would_interpret_is_rejected(secret: Path, form: str) -> None:
    message_of(form.format(secret))


def test_a_vrt_in_place_of_overviews_is_ignored(
    tmp_path: Path, secret: Path, save: Save, utm50: dict[str, Any], noise: NDArray[np.uint8]
) -> None:
    path = save("ortho.tif", noise, **utm50)
    (tmp_path / "ortho.tif.ovr").write_bytes(vrt_of(str(secret)))
    (tmp_path / "ortho.tif.msk").write_bytes(vrt_of(str(secret)))
    (tmp_path / "ortho.tif.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1"><Overview>{secret}</Overview></PAMRasterBand></PAMDataset>'
    )
    with open_scene(path) as scene:
        coarse = scene.read(scene.geobox.zoom_out(2))
    assert coarse.valid.all()
    assert (coarse.rgb != 222).any()


_OPEN_EACH = """
import sys, imagery, rasterio
for path in sys.argv[1:]:
    try:
        rasterio.open(path).close()
        print("opened", path)
    except rasterio.errors.RasterioIOError:
        pass
"""


def test_the_gdal_environment_alone_prevents_access(tmp_path: Path, secret: Path, listener: Listener) -> None:
    """Once imagery is imported, even a direct library call reaches neither the file nor the server."""
    remote = f"/vsicurl/{listener.address}/inner.tif"
    baits = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for bait, target in zip(baits, (str(secret), remote), strict=True):
        bait.write_bytes(vrt_of(target))
    # in a new process: warping map tiles registers the VRT driver again
    done = subprocess.run(
        [sys.executable, "-c", _OPEN_EACH, *baits, remote], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == ""


def test_no_room_loads_gdal_before_its_environment_is_set() -> None:
    """GDAL registers its drivers once, when it is first imported."""
    loads_gdal = re.compile(r"^(?:import|from) (?:rasterio|pyogrio|rio_tiler)", re.MULTILINE)
    files = [path for path in ROOT.glob("[a-z]*/**/*.py") if loads_gdal.search(path.read_text())]
    rooms = {path.relative_to(ROOT).parts[0] for path in files}
    assert {"imagery", "inference"} <= rooms
    for room in rooms - {"imagery", "tests"}:
        assert "import imagery" in (ROOT / room / "__init__.py").read_text(), room


def tiff(width: int, height: int, tile: int = 256, *, blocks: int = 1, bits: int = 8, bands: int = 1) -> bytes:
    """Return a little-endian TIFF that is only a header, with ``blocks`` omitted tiles."""
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, bands),
        (322, 4, 1, tile), (323, 4, 1, tile), (324, 4, blocks, 0), (325, 4, blocks, 0),
    ]  # fmt: skip
    after = 8 + 2 + 12 * len(entries) + 4
    if blocks > 1:
        entries[-2] = (324, 4, blocks, after)
        entries[-1] = (325, 4, blocks, after)
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    zeros = bytes(4 * blocks) if blocks > 1 else b""
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + zeros


def test_a_sparse_bomb_is_rejected_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    path.write_bytes(tiff(250_000, 125_000, 8192, blocks=31 * 16, bands=8))
    assert len(path.read_bytes()) < 8000
    assert "malicious" in message_of(path)


def test_a_bomb_that_lists_no_tiles_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    path.write_bytes(tiff(20_000, 20_000))
    assert "lists 1 of its" in message_of(path)


def test_a_sparse_bomb_written_by_gdal_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=200_000, height=150_000, count=4, dtype="uint8", sparse_ok=True, tiled=True,
        blockxsize=4096, blockysize=4096, compress="deflate", bigtiff=True,
    ):  # fmt: skip
        pass
    assert path.stat().st_size < 100_000
    assert "malicious" in message_of(path, gsd=0.1)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tiff(4_000_000, 10), "limit"),
        (tiff(399_999, 399_999), "limit"),
        (tiff(2**32 - 1, 2**32 - 1), "limit"),
        (tiff(100_000, 100_000, 65_536, blocks=4), "blocks of"),
        (tiff(300, 300, blocks=4, bands=200), "200 bands"),
        (tiff(0, 10), "0 × 10"),
        (tiff(1, 1), "1 × 1"),
        (tiff(300, 300, blocks=4, bits=64), "64 bits"),
        (tiff(300, 300, blocks=4, bits=1), "1 bits"),
        (tiff(300, 300, 0, blocks=4), "blocks of 0"),
        (b"II*\0" + struct.pack("<I", 10_000), "damaged"),
        (b"II*\0", "incomplete"),
        (b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63), "damaged"),
        (
            b"II*\0" + struct.pack("<IHHHIII", 8, 1, 256, 4, 1, 64, 8),
            "damaged",
        ),  # a directory whose successor is itself
    ],
)
def test_a_huge_or_impossible_header_is_rejected(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "header.tif"
    path.write_bytes(data)
    assert expected in message_of(path, gsd=0.5)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 2**31, 2**31 - 1, 8, 2, 0, 0, 0)),
        ("a.jpg", b"\xff\xd8\xff\xe0\0\x04ab" + b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 65_535, 65_535, 3)),
        ("a.jp2", b"\xff\x4f\xff\x51" + struct.pack(">HH8IH", 47, 0, 2**31, 2**31, 0, 0, 512, 512, 0, 0, 3) + b"\7"),
    ],
)  # fmt: skip
def test_a_huge_header_of_another_format_is_rejected(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data + bytes(64) + b"\0\0\0\0IEND\xaeB`\x82")
    message = message_of(tmp_path / name, gsd=0.5)
    assert "limit" in message or "malicious" in message


@pytest.mark.parametrize(
    "data", [b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\xff", b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\x0cjP  \r\n\x87\n"]
)
def test_an_incomplete_header_is_rejected(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    assert "damaged" in message_of(tmp_path / "a.jpg", gsd=0.5)


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_truncated_tiff_is_rejected_before_any_pixel_is_read(
    tmp_path: Path, save: Save, utm50: dict[str, Any], noise: NDArray[np.uint8], share: float, tiled: bool
) -> None:
    complete = save("whole.tif", noise, tiled=tiled, **utm50, **({"blockysize": 16} if not tiled else {})).read_bytes()
    path = tmp_path / "cut.tif"
    path.write_bytes(complete[: int(len(complete) * share)])
    message = message_of(path)
    assert "truncated" in message or "damaged" in message


@pytest.mark.parametrize(("name", "driver"), [("a.png", "PNG"), ("a.jp2", "JP2OpenJPEG"), ("a.jpg", "JPEG")])
def test_other_truncated_images_are_rejected(
    tmp_path: Path, save: Save, noise: NDArray[np.uint8], name: str, driver: str
) -> None:
    complete = save(f"whole{Path(name).suffix}", noise, driver=driver).read_bytes()
    (tmp_path / name).write_bytes(complete[: len(complete) // 2])
    assert "damaged" in message_of(tmp_path / name, gsd=0.5)


def test_damaged_pixels_are_an_error_when_read(
    tmp_path: Path, save: Save, utm50: dict[str, Any], noise: NDArray[np.uint8]
) -> None:
    path = save("ortho.tif", noise, compress="deflate", **utm50)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) * 2 // 3] = bytes(len(data) * 2 // 3 - len(data) // 3)
    path.write_bytes(bytes(data))
    with pytest.raises(ImageError, match="damaged"), open_scene(path) as scene:
        scene.read(scene.geobox)
