"""World files and .prj georeference images that have no coordinates of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from errors import ImageError
from imagery import open_scene

Save = Callable[..., Path]
# centre of the first pixel, so its corner is at 500000, 3400000
WORLD = "0.5\n0\n0\n-0.5\n500000.25\n3399999.75\n"
TRANSFORM = Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)
PRJ = CRS.from_epsg(4547).to_wkt("WKT1_ESRI")


@pytest.mark.parametrize(
    ("image", "driver", "world"),
    [
        ("a.tif", "GTiff", "a.tfw"),
        ("a.tif", "GTiff", "a.TFW"),
        ("a.tif", "GTiff", "a.tifw"),
        ("a.jpg", "JPEG", "a.jgw"),
        ("a.JPG", "JPEG", "a.JGW"),
        ("a.png", "PNG", "a.pgw"),
        ("a.jp2", "JP2OpenJPEG", "a.j2w"),
        ("a.png", "PNG", "a.wld"),
    ],
)
def test_a_world_file_and_a_prj_georeference_an_image(
    tmp_path: Path, save: Save, noise: NDArray[np.uint8], image: str, driver: str, world: str
) -> None:
    path = save(image, noise, driver=driver)
    (tmp_path / world).write_text(WORLD)
    (tmp_path / "a.prj").write_text(PRJ)
    with open_scene(path) as scene:
        assert scene.geobox.affine.almost_equals(TRANSFORM)
        assert scene.geobox.crs.to_epsg() == 4547
        assert scene.gsd_m == pytest.approx(0.5, rel=1e-3)


def test_the_georeference_in_the_image_overrides_them(tmp_path: Path, save: Save, noise: NDArray[np.uint8]) -> None:
    path = save("a.tif", noise, crs="EPSG:32650", transform=TRANSFORM @ Affine.translation(100, 100))
    (tmp_path / "a.tfw").write_text(WORLD)
    with open_scene(path) as scene:
        assert scene.geobox.affine.almost_equals(TRANSFORM @ Affine.translation(100, 100))


def test_a_world_file_alone_needs_a_coordinate_system(tmp_path: Path, save: Save, noise: NDArray[np.uint8]) -> None:
    path = save("a.png", noise, driver="PNG")
    (tmp_path / "a.pgw").write_text(WORLD)
    with pytest.raises(ImageError, match="no coordinate system"):
        open_scene(path)
    with open_scene(path, crs="EPSG:4547") as scene:
        assert scene.georeferenced
    with open_scene(path, gsd=0.5) as scene:
        assert not scene.georeferenced


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5\n0\n0\n-0.5\n500000\n", "six numbers"),
        ("hello", "six numbers"),
        ("", "six numbers"),
        ("nan\n0\n0\n-0.5\n5\n5\n", "six numbers"),
        ("0.5\n0\n0\n1e999\n5\n5\n", "six numbers"),
        ("0\n0\n0\n0\n500000\n3400000\n", "degenerate"),
        ("1\n1\n1\n1\n500000\n3400000\n", "degenerate"),
        ("1 " * 5000, "longer than"),
    ],
)
def test_an_invalid_world_file_is_rejected(
    tmp_path: Path, save: Save, noise: NDArray[np.uint8], text: str, expected: str
) -> None:
    path = save("a.png", noise, driver="PNG")
    (tmp_path / "a.pgw").write_text(text)
    (tmp_path / "a.prj").write_text(PRJ)
    with pytest.raises(ImageError, match=expected):
        open_scene(path)


@pytest.mark.parametrize("text", ["EPSG:4547", "http://127.0.0.1/crs", "", "PROJCS[", "+init=/etc/passwd"])
def test_a_prj_is_read_as_wkt_only(tmp_path: Path, save: Save, noise: NDArray[np.uint8], text: str) -> None:
    path = save("a.png", noise, driver="PNG")
    (tmp_path / "a.pgw").write_text(WORLD)
    (tmp_path / "a.prj").write_text(text)
    with pytest.raises(ImageError, match="WKT"):
        open_scene(path)


def test_a_pipe_in_place_of_a_world_file_does_not_hang(tmp_path: Path, save: Save, noise: NDArray[np.uint8]) -> None:
    path = save("a.png", noise, driver="PNG")
    os.mkfifo(tmp_path / "a.pgw")
    with open_scene(path, gsd=0.5) as scene:
        assert not scene.georeferenced
