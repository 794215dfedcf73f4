"""Change detection on synthetic scenes: positions, areas, kinds, independence of blocks, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from affine import Affine
from pyproj import Geod, Transformer
from shapely.geometry import box

from errors import NotComparable, SettingsError
from imagery import open_scene
from inference.block_scan import scan_blocks
from inference.detect_changes import detect_changes
from inference.merge import merge_changes
from inference.pair import resolution_for
from inference.scan_plan import plan_scan
from inference.scan_result import ScanResult
from inference.settings import ScanSettings, read_config, settings_for
from tests.inference.scenes import ORIGIN, DifferenceDetector, Image, textured, write_image

WHITE = (235, 235, 235)
RED = (235, 110, 20)


def _settings(**changed: object) -> ScanSettings:
    return settings_for(read_config(), "aerial", 0.5, **changed)


def _scan(before: Path, after: Path, gsd: float | None = None, **changed: object) -> ScanResult:
    with open_scene(before, gsd=gsd) as earlier, open_scene(after, gsd=gsd) as later:
        return detect_changes(earlier, later, DifferenceDetector(), _settings(**changed))  # type: ignore[arg-type]


def _changed(image: Image) -> Image:
    """Add a house of 40 × 60 px, a pit of 80 × 80 px, and a spot below the minimum mapping unit."""
    after = image.copy()
    after[200:240, 300:360] = WHITE
    after[500:580, 100:180] = RED
    after[50:60, 50:60] = WHITE
    return after


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    image = textured(700, 900)
    return write_image(tmp_path / "before.tif", image), write_image(tmp_path / "after.tif", _changed(image))


def test_changes_are_detected_at_their_position(pair: tuple[Path, Path]) -> None:
    result = _scan(*pair)
    assert [change.kind for change in result.changes] == ["construction", "ground"]
    house = box(ORIGIN[0] + 150, ORIGIN[1] - 120, ORIGIN[0] + 180, ORIGIN[1] - 100)
    found = result.changes[0].polygon
    assert found.intersection(house).area / found.union(house).area > 0.9
    assert result.changes[0].area_m2 == pytest.approx(600, rel=0.1)
    assert result.changes[0].area_mu == pytest.approx(result.changes[0].area_m2 * 15 / 10_000, abs=1e-4)


def test_areas_are_ellipsoidal_and_lonlat_is_the_same_outline(pair: tuple[Path, Path]) -> None:
    change = _scan(*pair).changes[0]
    assert change.lonlat is not None
    area = abs(Geod(ellps="WGS84").geometry_area_perimeter(change.lonlat)[0])
    assert change.area_m2 == pytest.approx(area, abs=0.01)
    x, y = Transformer.from_crs(4326, 32650, always_xy=True).transform(*change.lonlat.exterior.coords[0])
    assert min(np.hypot(x - px, y - py) for px, py in change.polygon.exterior.coords) < 0.01


@pytest.mark.parametrize("block", [64, 208, 352])
def test_polygons_do_not_depend_on_the_division_into_blocks(pair: tuple[Path, Path], block: int) -> None:
    single, divided = _scan(*pair), _scan(*pair, block_px=block)
    assert len(single.changes) == 2
    for expected, change in zip(single.changes, divided.changes, strict=True):
        assert expected.polygon.equals(change.polygon)
        assert (expected.kind, expected.area_m2) == (change.kind, change.area_m2)
        assert expected.score == pytest.approx(change.score, abs=1e-4)
    assert single.compared_area_m2 == pytest.approx(divided.compared_area_m2)


def test_separate_jobs_give_the_same_polygons(pair: tuple[Path, Path]) -> None:
    settings, detector = _settings(block_px=256), DifferenceDetector()
    with open_scene(pair[0]) as before, open_scene(pair[1]) as after:
        plan = plan_scan(before, after, detector, settings)  # type: ignore[arg-type]
        blocks = plan.blocks(detector, settings.block_px)
        results = [
            result
            for block in reversed(blocks)
            for result in scan_blocks(plan, [block], detector)  # type: ignore[arg-type]
        ]
    parts = [fragment for result in results for fragment in result.fragments]
    changes = merge_changes(parts, plan.pair.grid, plan.pair.pixel_area_m2, settings.profile.min_area_m2)
    assert [c.polygon.wkt for c in changes] == [c.polygon.wkt for c in _scan(*pair).changes]


def test_a_building_that_disappeared_is_a_demolition(pair: tuple[Path, Path]) -> None:
    assert {change.kind for change in _scan(pair[1], pair[0]).changes} == {"demolition"}


def test_changes_are_numbered_from_north_to_south(pair: tuple[Path, Path]) -> None:
    changes = _scan(*pair).changes
    assert [change.number for change in changes] == [1, 2]
    assert changes[0].polygon.centroid.y > changes[1].polygon.centroid.y


def test_a_copy_of_the_image_gives_no_change(pair: tuple[Path, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.tif"
    copy.write_bytes(pair[0].read_bytes())
    result = _scan(pair[0], copy)
    assert result.changes == ()
    assert result.compared_area_m2 == pytest.approx(700 * 900 * 0.25, rel=0.01)


def test_ground_without_data_is_reported_as_not_compared(tmp_path: Path) -> None:
    image = textured(600, 600)
    after = image.copy()
    after[:, :150] = 0
    result = _scan(write_image(tmp_path / "before.tif", image), write_image(tmp_path / "after.tif", after, nodata=0))
    assert result.changes == ()
    missing = result.not_compared_area_m2["no data on the later date"]
    assert missing == pytest.approx(600 * 150 * 0.25, rel=0.02)
    assert result.compared_area_m2 + sum(result.not_compared_area_m2.values()) == pytest.approx(
        600 * 600 * 0.25, rel=0.01
    )


def test_ground_under_cloud_is_reported_as_not_compared_and_blocks_do_not_show(tmp_path: Path) -> None:
    image = textured(700, 700)
    opacity = cv2.resize(np.random.default_rng(8).random((3, 3)).astype(np.float32), (700, 700))
    opacity = np.clip((opacity - np.quantile(opacity, 0.6)) / 0.12, 0, 1)  # one cloud of 4 hectares
    cloud = 244 + np.random.default_rng(9).normal(0, 2, (700, 700))  # one single tone would be a collar without data
    cloudy = (image * (1 - opacity[..., None]) + (cloud * opacity)[..., None]).clip(0, 255).astype(np.uint8)
    files = write_image(tmp_path / "before.tif", image), write_image(tmp_path / "after.tif", cloudy)
    result = _scan(*files)
    assert "cloud on the earlier date" not in result.not_compared_area_m2
    area = result.not_compared_area_m2["cloud on the later date"]
    assert (opacity > 0.6).sum() * 0.25 < area < 1.2 * (opacity > 0).sum() * 0.25
    assert result.compared_area_m2 + sum(result.not_compared_area_m2.values()) == pytest.approx(
        700 * 700 * 0.25, rel=0.001
    )
    divided = _scan(*files, block_px=256)
    assert divided.not_compared_area_m2 == pytest.approx(result.not_compared_area_m2)


def test_ground_that_cannot_be_seen_at_all_is_not_comparable(tmp_path: Path) -> None:
    image = textured(500, 500)
    overcast = (textured(500, 500, seed=51) * 0.4 + 170).astype(np.uint8)
    with pytest.raises(NotComparable, match=r"cloud, snow, overexposure or blur leave [01]% "):
        _scan(write_image(tmp_path / "before.tif", image), write_image(tmp_path / "after.tif", overcast))


def test_an_image_enlarged_from_coarser_pixels_is_refused(tmp_path: Path) -> None:
    ground = textured(256, 256)
    enlarged = cv2.resize(ground[::8, ::8], (256, 256), interpolation=cv2.INTER_NEAREST)
    before, after = write_image(tmp_path / "a.tif", ground), write_image(tmp_path / "b.tif", enlarged)
    with pytest.raises(NotComparable, match=r"b\.tif consists of blocks.* shows 4 m per pixel, not 0\.5 m"):
        _scan(before, after)


def test_a_small_hole_is_filled_and_a_large_one_is_kept(tmp_path: Path) -> None:
    image = textured(1000, 1000)
    after = image.copy()
    after[100:300, 100:300] = WHITE
    after[110:120, 110:120] = image[110:120, 110:120]  # 25 m²
    after[150:230, 150:230] = image[150:230, 150:230]  # 1,600 m²
    result = _scan(write_image(tmp_path / "a.tif", image), write_image(tmp_path / "b.tif", after))
    assert len(result.changes) == 1
    assert len(result.changes[0].polygon.interiors) == 1
    assert result.changes[0].area_m2 == pytest.approx((200**2 - 80**2) * 0.25, rel=0.05)


def test_a_sliver_is_not_a_change(tmp_path: Path) -> None:
    image = textured(700, 700)
    after = image.copy()
    after[300:302, 50:650] = WHITE  # 1 m × 300 m = 300 m²: a misregistered edge
    assert _scan(write_image(tmp_path / "a.tif", image), write_image(tmp_path / "b.tif", after)).changes == ()


def test_images_on_different_grids_are_compared(tmp_path: Path) -> None:
    """An offset of half a metre and another pixel size, as in the real pair."""
    image = textured(700, 900)
    shifted = Affine(0.5005, 0, ORIGIN[0] - 0.5, 0, -0.5005, ORIGIN[1] + 0.5)
    before = write_image(tmp_path / "before.tif", textured(700, 900), transform=shifted)
    result = _scan(before, write_image(tmp_path / "after.tif", _changed(image)))
    assert len(result.changes) == 2


def test_images_without_coordinates_are_compared_in_pixels(tmp_path: Path) -> None:
    import cv2

    image = textured(700, 900)
    for name, content in (("a.png", image), ("b.png", _changed(image))):
        cv2.imwrite(str(tmp_path / name), content[..., ::-1])
    result = _scan(tmp_path / "a.png", tmp_path / "b.png", gsd=0.5)
    assert not result.georeferenced
    change = result.changes[0]
    assert change.lonlat is None
    assert change.polygon.bounds == pytest.approx((300, 200, 360, 240), abs=2)
    assert change.area_m2 == pytest.approx(600, rel=0.1)


def test_dates_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    image = textured(128, 128)
    paths = [write_image(tmp_path / f"{day}.tif", image) for day in ("2024-05-01", "2023-05-01")]
    with pytest.raises(NotComparable, match=r"wrong order.*2024-05-01.*2023-05-01"):
        _scan(*paths)


def test_the_same_file_twice_is_refused(pair: tuple[Path, Path]) -> None:
    with pytest.raises(NotComparable, match="same file"):
        _scan(pair[0], pair[0])


def test_images_without_overlap_are_refused_with_both_positions(tmp_path: Path) -> None:
    image = textured(128, 128)
    far = Affine(0.5, 0, ORIGIN[0] + 5000, 0, -0.5, ORIGIN[1])
    paths = write_image(tmp_path / "a.tif", image), write_image(tmp_path / "b.tif", image, transform=far)
    with pytest.raises(NotComparable, match=r"5\.0 km away"):
        _scan(*paths)


def test_scales_that_differ_too_much_are_refused(tmp_path: Path) -> None:
    paths = (
        write_image(tmp_path / "a.tif", textured(400, 400), resolution=0.5),
        write_image(tmp_path / "b.tif", textured(40, 40), resolution=5.0),
    )
    with pytest.raises(NotComparable, match=r"ratio of 10\.0"):
        _scan(*paths)


def test_a_ratio_of_exactly_eight_is_compared(tmp_path: Path) -> None:
    image = textured(1024, 1024)
    small = cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA)
    paths = (
        write_image(tmp_path / "before.tif", image, resolution=0.5),
        write_image(tmp_path / "after.tif", small, resolution=4.0),
    )
    with open_scene(paths[0]) as before, open_scene(paths[1]) as after:
        assert resolution_for(before, after, _settings()) == pytest.approx(1.0, rel=0.01)


def test_a_pair_with_only_one_georeferenced_image_is_refused(tmp_path: Path) -> None:
    image = textured(128, 128)
    paths = write_image(tmp_path / "a.tif", image), write_image(tmp_path / "b.tif", image, crs=None)
    with pytest.raises(SettingsError, match=r"b\.tif has no coordinates"):
        _scan(*paths, gsd=0.5)


def test_images_of_different_places_are_refused(tmp_path: Path) -> None:
    paths = (
        write_image(tmp_path / "a.tif", textured(500, 500, seed=1)),
        write_image(tmp_path / "b.tif", textured(500, 500, seed=2)),
    )
    with pytest.raises(NotComparable, match="cannot be registered"):
        _scan(*paths)


def test_gauss_kruger_coordinates_are_converted_to_degrees(tmp_path: Path) -> None:
    """The centre of a house in Gauss-Krüger, with longitude and latitude computed independently of pyproj."""
    image = textured(700, 900)
    after = image.copy()
    after[200:300, 300:400] = WHITE
    place = Affine(0.5, 0, 489_600.0, 0, -0.5, 3_424_200.0)
    options = {"crs": "EPSG:4547", "transform": place}
    result = _scan(
        write_image(tmp_path / "a.tif", image, **options),
        write_image(tmp_path / "b.tif", after, **options),  # type: ignore[arg-type]
    )
    change = result.changes[0]
    assert change.polygon.bounds == pytest.approx((489_750, 3_424_050, 489_800, 3_424_100), abs=1.0)
    assert change.lonlat is not None
    centre = change.lonlat.centroid
    latitude, longitude = _inverse_gauss_kruger(easting=489_775 - 500_000, northing=3_424_075)
    assert centre.x == pytest.approx(114 + longitude, abs=5e-6)
    assert centre.y == pytest.approx(latitude, abs=5e-6)


def _inverse_gauss_kruger(easting: float, northing: float) -> tuple[float, float]:
    """Return latitude, and longitude from the central meridian: numerical meridian arc plus first-order terms."""
    a, e2 = 6_378_137.0, 0.006694380022901
    step = 1e-7
    steps = np.arange(0, np.radians(35), step)
    arcs = np.cumsum(a * (1 - e2) / (1 - e2 * np.sin(steps + step / 2) ** 2) ** 1.5 * step)
    index = int(np.searchsorted(arcs, northing))
    arc, latitude = arcs[index], steps[index] + step
    m = a * (1 - e2) / (1 - e2 * np.sin(latitude) ** 2) ** 1.5
    n = a / np.sqrt(1 - e2 * np.sin(latitude) ** 2)
    latitude += (northing - arc) / m
    curvature = np.tan(latitude) * easting**2 / (2 * m * n)
    return float(np.degrees(latitude - curvature)), float(np.degrees(easting / (n * np.cos(latitude))))


def test_settings_are_part_of_the_result(pair: tuple[Path, Path]) -> None:
    result = _scan(*pair)
    assert result.settings == _settings()
    assert replace(result, changes=()).settings.sha256 == _settings().sha256 != _settings(block_px=256).sha256
