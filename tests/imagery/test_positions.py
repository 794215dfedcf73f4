"""Ground points appear at their exact positions.

The expected values do not come from the code under test: the coordinates of points on a central meridian follow from
the length of the meridian arc alone.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Geod

from imagery import Patch, open_scene

DOT_SIGMA_PX = 5.0
SIDE = 200
MERIDIAN_ARC = Geod(ellps="GRS80").inv(114.0, 0.0, 114.0, 30.5)[2]  # equator to 30°30' north: 3,375,6xx m
MERIDIAN_ARC_WGS84 = Geod(ellps="WGS84").inv(117.0, 0.0, 117.0, 30.5)[2]
MERCATOR_NORTHING = 6378137 * math.log(math.tan(math.pi / 4 + math.radians(30.5) / 2))

KNOWN_POINTS = {
    # name: (CRS, x, y of one ground point, longitude, latitude, degrees or metres per pixel)
    "Gauss-Krüger by central meridian": ("EPSG:4547", 500_000.0, MERIDIAN_ARC, 114.0, 30.5, 0.5),
    "Gauss-Krüger with zone number": ("EPSG:4526", 38_500_000.0, MERIDIAN_ARC, 114.0, 30.5, 0.5),
    "UTM": ("EPSG:32650", 500_000.0, 0.9996 * MERIDIAN_ARC_WGS84, 117.0, 30.5, 0.5),
    "longitude and latitude": ("EPSG:4490", 114.0, 30.5, 114.0, 30.5, 0.5 / 111_000),
    "Web Mercator": ("EPSG:3857", math.radians(114.0) * 6378137, MERCATOR_NORTHING, 114.0, 30.5, 0.5),
}


def with_dot(column: float, row: float, height: int = SIDE, width: int = SIDE) -> NDArray[np.uint8]:
    """Return a grey image with a Gaussian dot at a fractional position; pixel corners have integer coordinates."""
    x, y = np.arange(width) + 0.5 - column, np.arange(height)[:, None] + 0.5 - row
    dot = np.exp(-(x**2 + y**2) / (2 * DOT_SIGMA_PX**2))
    image: NDArray[np.uint8] = np.rint(100 + 150 * dot).astype(np.uint8)
    return image


def find_dot(patch: Patch) -> tuple[float, float]:
    """Return column and row of the dot's centre of mass."""
    weight = np.clip(patch.rgb[..., 1].astype(float) - 103, 0, None) * patch.valid
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]] + 0.5
    return float((columns * weight).sum() / weight.sum()), float((rows * weight).sum() / weight.sum())


def write_image(path: Path, image: NDArray[np.uint8], crs: str, transform: Affine, **more: object) -> Path:
    height, width = image.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="uint8", crs=crs, transform=transform,
        tiled=True, blockxsize=64, blockysize=64, **more,
    ) as file:  # fmt: skip
        file.write(image, 1)
    return path


def around(x: float, y: float, pixel: float, crs: str, side: int = 90) -> GeoBox:
    """Return a north-up grid whose centre is slightly off the point."""
    corner = (x - pixel * (side / 2 + 3.3), y + pixel * (side / 2 - 2.6))
    return GeoBox((side, side), Affine(pixel, 0, corner[0], 0, -pixel, corner[1]), crs)


@pytest.mark.parametrize("coarser", [1.0, 2.0, 3.7, 0.6])
@pytest.mark.parametrize("name", list(KNOWN_POINTS))
def test_a_known_point_appears_in_its_pixel(tmp_path: Path, name: str, coarser: float) -> None:
    crs, x, y, _, _, pixel = KNOWN_POINTS[name]
    column, row = 97.3, 104.6
    transform = Affine(pixel, 0, x - column * pixel, 0, -pixel, y + row * pixel)
    path = write_image(tmp_path / "dot.tif", with_dot(column, row), crs, transform)
    requested = around(x, y, pixel * coarser, crs, side=max(int(90 / coarser), 50))
    with open_scene(path) as scene:
        found = find_dot(scene.read(requested))
    assert found == pytest.approx(~requested.affine @ (x, y), abs=0.1)


@pytest.mark.parametrize("coarser", [1.0, 2.0, 3.7])
@pytest.mark.parametrize("source", ["Gauss-Krüger by central meridian", "longitude and latitude", "Web Mercator"])
@pytest.mark.parametrize(
    "target", ["Gauss-Krüger by central meridian", "Gauss-Krüger with zone number", "longitude and latitude"]
)
def test_a_known_point_appears_in_its_pixel_of_another_system(
    tmp_path: Path, source: str, target: str, coarser: float
) -> None:
    crs, x, y, _, _, pixel = KNOWN_POINTS[source]
    path = write_image(
        tmp_path / "dot.tif",
        with_dot(97.3, 104.6),
        crs,
        Affine(pixel, 0, x - 97.3 * pixel, 0, -pixel, y + 104.6 * pixel),
    )
    other, at_x, at_y, _, _, size = KNOWN_POINTS[target]
    requested = around(at_x, at_y, size * coarser, other, side=max(int(90 / coarser), 50))
    with open_scene(path) as scene:
        found = find_dot(scene.read(requested))
    assert found == pytest.approx(~requested.affine @ (at_x, at_y), abs=0.1)


def test_overviews_of_odd_size_do_not_shift_the_image(tmp_path: Path) -> None:
    height, width, column, row = 1533, 1747, 1600.4, 1400.7
    path = write_image(
        tmp_path / "dot.tif", with_dot(column, row, height, width), "EPSG:32650", Affine(0.5, 0, 5e5, 0, -0.5, 3.4e6)
    )
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4, 8], rasterio.enums.Resampling.average)
    x, y = 5e5 + column * 0.5, 3.4e6 - row * 0.5
    for coarser in (2.0, 3.7, 4.0, 6.0):
        requested = around(x, y, 0.5 * coarser, "EPSG:32650", side=50)
        with open_scene(path) as scene:
            assert find_dot(scene.read(requested)) == pytest.approx(~requested.affine @ (x, y), abs=0.1), coarser


@pytest.mark.parametrize("degrees", [30, 90, 200])
def test_a_rotated_image_is_read_upright(tmp_path: Path, degrees: float) -> None:
    column, row = 97.3, 104.6
    rotated = Affine.translation(500_000, 3_400_000) @ Affine.rotation(degrees) @ Affine.scale(0.5, -0.5)
    x, y = rotated @ (column, row)
    path = write_image(tmp_path / "dot.tif", with_dot(column, row), "EPSG:32650", rotated)
    for coarser in (1.0, 3.7):
        requested = around(x, y, 0.5 * coarser, "EPSG:32650", side=30)
        with open_scene(path) as scene:
            assert scene.gsd_m == pytest.approx(0.5, rel=1e-3)
            assert find_dot(scene.read(requested)) == pytest.approx(~requested.affine @ (x, y), abs=0.1)


def test_a_rotated_grid_is_filled(tmp_path: Path) -> None:
    path = write_image(tmp_path / "dot.tif", with_dot(100, 100), "EPSG:32650", Affine(0.5, 0, 5e5, 0, -0.5, 3.4e6))
    x, y = 5e5 + 50, 3.4e6 - 50
    affine = Affine.translation(x, y) @ Affine.rotation(25) @ Affine.scale(0.7, -0.7) @ Affine.translation(-30, -22)
    with open_scene(path) as scene:
        patch = scene.read(GeoBox((50, 60), affine, "EPSG:32650"))
    assert find_dot(patch) == pytest.approx((30, 22), abs=0.1)
    assert patch.valid.all()


def test_a_point_pixel_tiff_is_read_half_a_pixel_off_its_tie_point(tmp_path: Path) -> None:
    # with PixelIsPoint the tie point is the centre of the first pixel: GDAL writes it so, and reading must undo it
    transform = Affine(0.5, 0, 5e5, 0, -0.5, 3.4e6)
    path = tmp_path / "dot.tif"
    write_image(path, with_dot(100, 100), "EPSG:32650", transform)
    with rasterio.open(path, "r+") as file:
        file.update_tags(AREA_OR_POINT="Point")
    with open_scene(path) as scene:
        assert scene.geobox.affine.almost_equals(transform)


def test_the_native_grid_returns_the_exact_pixels(tmp_path: Path) -> None:
    image = np.random.default_rng(3).integers(0, 255, (120, 140), dtype=np.uint8)
    path = write_image(tmp_path / "a.tif", image, "EPSG:4547", Affine(0.5, 0, 5e5, 0, -0.5, 3.4e6))
    with open_scene(path) as scene:
        part = scene.read(scene.geobox[13:90, 40:121])
    assert np.array_equal(part.rgb[..., 0], image[13:90, 40:121])
    assert part.valid.all()


def test_the_shift_moves_the_ground_that_is_shown(tmp_path: Path) -> None:
    path = write_image(tmp_path / "dot.tif", with_dot(100, 100), "EPSG:32650", Affine(0.5, 0, 5e5, 0, -0.5, 3.4e6))
    with open_scene(path) as scene:
        for grid in (scene.geobox, GeoBox((120, 120), Affine(0.8, 0, 5e5, 0, -0.8, 3.4e6), "EPSG:32650")):
            still = find_dot(scene.read(grid))
            shift = np.zeros((*grid.shape, 2), np.float32)
            shift[..., 0], shift[..., 1] = 4.25, -2.5  # shows ground to the right and above
            moved = find_dot(scene.read(grid, shift))
            assert moved == pytest.approx((still[0] - 4.25, still[1] + 2.5), abs=0.05)


def test_the_shift_applies_in_another_coordinate_system(tmp_path: Path) -> None:
    crs, x, y, _, _, pixel = KNOWN_POINTS["longitude and latitude"]
    path = write_image(
        tmp_path / "dot.tif", with_dot(100, 100), crs, Affine(pixel, 0, x - 100 * pixel, 0, -pixel, y + 100 * pixel)
    )
    requested = around(500_000, MERIDIAN_ARC, 0.5, "EPSG:4547", side=100)
    shift = np.zeros((100, 100, 2), np.float32)
    shift[..., 0], shift[..., 1] = 6.0, 3.0
    with open_scene(path) as scene:
        still, moved = find_dot(scene.read(requested)), find_dot(scene.read(requested, shift))
    assert moved == pytest.approx((still[0] - 6, still[1] - 3), abs=0.1)


def test_pixels_outside_the_scene_are_invalid(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.tif", with_dot(100, 100), "EPSG:32650", Affine(0.5, 0, 5e5, 0, -0.5, 3.4e6))
    with open_scene(path) as scene:
        half = scene.read(GeoBox((100, 100), Affine(0.5, 0, 5e5 - 25, 0, -0.5, 3.4e6), "EPSG:32650"))
        far = scene.read(GeoBox((10, 10), Affine(0.5, 0, 9e5, 0, -0.5, 1e6), "EPSG:32650"))
        nowhere = scene.read(GeoBox((10, 10), Affine(1, 0, -1e8, 0, -1, 1e9), "EPSG:4547"))
    assert not half.valid[:, :50].any()
    assert half.valid[:, 50:].all()
    assert not half.rgb[:, :50].any()
    assert not far.valid.any()
    assert not nowhere.valid.any()


def test_a_large_request_equals_its_parts(tmp_path: Path) -> None:
    image = np.random.default_rng(3).integers(0, 255, (300, 300), dtype=np.uint8)
    path = write_image(tmp_path / "a.tif", image, "EPSG:4547", Affine(0.5, 0, 5e5, 0, -0.5, 3.4e6))
    requested = GeoBox((2100, 2300), Affine(0.0701, 0, 5e5, 0, -0.0701, 3.4e6), "EPSG:4547")
    with open_scene(path) as scene:
        complete = scene.read(requested)
        part = scene.read(requested[1900:2100, 2000:2200])
    difference = np.abs(complete.rgb[1900:2100, 2000:2200].astype(int) - part.rgb)[part.valid]
    assert difference.max() <= 2
    assert np.array_equal(complete.valid[1900:2100, 2000:2200], part.valid)


def test_without_a_georeference_the_grid_is_in_pixels(tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    with rasterio.open(path, "w", driver="PNG", height=SIDE, width=SIDE, count=1, dtype="uint8") as file:
        file.write(with_dot(80.5, 60.25), 1)
    with open_scene(path, gsd=0.25) as scene:
        assert not scene.georeferenced
        assert scene.gsd_m == 0.25
        assert scene.geobox.crs is None
        assert find_dot(scene.read(scene.geobox)) == pytest.approx((80.5, 60.25), abs=0.05)
        half = GeoBox((100, 100), Affine.scale(2), None)
        assert find_dot(scene.read(half)) == pytest.approx((40.25, 30.125), abs=0.05)
        with pytest.raises(ValueError, match="in pixels"):
            scene.read(GeoBox((10, 10), Affine.scale(2), "EPSG:4490"))


@pytest.mark.parametrize(
    ("crs", "pixel", "x", "y", "true"),
    [
        ("EPSG:32650", 0.5, 500_000, 3_400_000, 0.5 / 0.9996),
        ("EPSG:4547", 0.5, 500_000, 3_400_000, 0.5),
        ("EPSG:3857", 0.5, 12_690_000, 4_865_942, 0.5 * math.cos(math.radians(40.0))),  # 40° north
        ("EPSG:2263", 1.0, 980_000, 200_000, 0.3048),  # US survey feet
    ],
)
def test_the_ground_sample_distance_is_in_true_metres(
    tmp_path: Path, crs: str, pixel: float, x: float, y: float, true: float
) -> None:
    path = write_image(tmp_path / "a.tif", with_dot(9, 9), crs, Affine(pixel, 0, x, 0, -pixel, y))
    with open_scene(path) as scene:
        assert scene.gsd_m == pytest.approx(true, rel=4e-3)
