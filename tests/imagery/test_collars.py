"""Uniform margins are found by their connection to the border; the same values inside the picture are ground."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from imagery import open_scene
from tests.imagery.conftest import Save

SIDE = 600
ROWS, COLUMNS = np.mgrid[0:SIDE, 0:SIDE]
MARGIN = (COLUMNS + 0.6 * ROWS < 150) | (COLUMNS - 0.3 * ROWS > 510) | (ROWS > 525 + 0.1 * COLUMNS)
ROOF = (slice(280, 320), slice(200, 280))  # inside the picture


def picture(dtype: str = "uint8") -> NDArray[Any]:
    """Textured ground, bands×H×W."""
    values = np.random.default_rng(4).integers(60, 200, (3, SIDE, SIDE))
    return values.astype(dtype) * (20 if dtype == "uint16" else 1)


def valid_of(path: Path) -> tuple[NDArray[np.bool_], list[str]]:
    with open_scene(path) as scene:
        return scene.read(scene.geobox).valid, [remark.code for remark in scene.remarks]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("uint8", 0), ("uint8", 255), ("uint8", 1), ("uint8", 254), ("uint8", 128), ("uint16", 0), ("uint16", 65535),
        ("int16", -9999), ("float32", 0.0), ("float32", -9999.0), ("float32", -3.4e38),
    ],
)  # fmt: skip
@pytest.mark.parametrize("overviews", [None, [2, 4]])
def test_a_uniform_margin_is_no_ground(
    save: Save, utm50: dict[str, Any], dtype: str, value: float, overviews: list[int] | None
) -> None:
    data = picture(dtype)
    data[:, MARGIN] = value
    data[(slice(None), *ROOF)] = value
    valid, remarks = valid_of(save("a.tif", data, overviews=overviews, **utm50))
    assert remarks == ["remark.collar"]
    assert (valid == ~MARGIN).mean() > 0.999
    assert valid[ROOF].all()


def test_a_margin_of_another_colour_is_found(save: Save, utm50: dict[str, Any]) -> None:
    data = picture()
    data[:, MARGIN] = np.array([[255], [0], [255]])
    valid, _ = valid_of(save("a.tif", data, **utm50))
    assert (valid == ~MARGIN).mean() > 0.999


@pytest.mark.parametrize(
    ("driver", "options"), [("GTiff", {"compress": "jpeg", "photometric": "ycbcr"}), ("GTiff", {"compress": "webp"})]
)
@pytest.mark.parametrize("value", [0, 255])
def test_a_margin_is_found_under_lossy_compression(
    save: Save, utm50: dict[str, Any], driver: str, options: dict[str, Any], value: int
) -> None:
    data = np.repeat(np.clip(100 + 40 * np.sin(COLUMNS / 9) * np.cos(ROWS / 7), 0, 255)[None], 3, 0).astype(np.uint8)
    data[:, MARGIN] = value
    valid, _ = valid_of(save("a.tif", data, driver=driver, **options, **utm50))
    assert (valid == ~MARGIN).mean() > 0.98


def test_two_margins_of_different_colours_are_found(save: Save, utm50: dict[str, Any]) -> None:
    data = picture()
    data[:, :, :60], data[:, :, -60:] = 0, 255
    valid, _ = valid_of(save("a.tif", data, **utm50))
    assert not valid[:, :60].any()
    assert not valid[:, -60:].any()
    assert valid[:, 60:-60].all()


@pytest.mark.parametrize("largest", [255, 1])
def test_a_last_band_of_unspecified_meaning_that_marks_the_picture_is_a_mask(
    save: Save, utm50: dict[str, Any], largest: int
) -> None:
    mask = np.where(MARGIN, 0, largest).astype(np.uint8)
    data = np.concatenate([picture(), mask[None]])
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined]
    path = save("a.tif", data, colours=colours, photometric="rgb", alpha="no", **utm50)
    with open_scene(path) as scene:
        assert (scene.mask_source, scene.bands) == ("alpha", (1, 2, 3))
        assert np.array_equal(scene.read(scene.geobox).valid, ~MARGIN)


def test_a_constant_last_band_is_no_near_infrared(save: Save, utm50: dict[str, Any]) -> None:
    data = np.concatenate([picture("uint16"), np.full((1, SIDE, SIDE), 65535, np.uint16)])
    with open_scene(save("a.tif", data, **utm50)) as scene:
        assert scene.bands == (1, 2, 3)
        assert scene.read(scene.geobox).valid.all()


def test_a_near_infrared_band_is_no_mask(save: Save, utm50: dict[str, Any]) -> None:
    data = np.concatenate([picture("uint16"), picture("uint16")[:1]])
    with open_scene(save("a.tif", data, **utm50)) as scene:
        assert (scene.mask_source, scene.bands) == ("none", (3, 2, 1))


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("margin", [True, False])
def test_a_saturated_nodata_value_does_not_make_holes_of_white_roofs(
    save: Save, utm50: dict[str, Any], dtype: str, nodata: int, margin: bool
) -> None:
    data = picture(dtype)
    if margin:
        data[:, MARGIN] = nodata
    data[(slice(None), *ROOF)] = nodata
    valid, remarks = valid_of(save("a.tif", data, nodata=nodata, **utm50))
    assert valid[ROOF].all()
    assert "remark.nodata_inside" in remarks
    assert (valid == (~MARGIN if margin else np.ones_like(MARGIN))).mean() > 0.999


def test_a_large_hole_of_a_saturated_nodata_value_is_no_roof(save: Save, utm50: dict[str, Any]) -> None:
    data = picture()
    data[:, 100:450, 100:450] = 255  # 3 ha
    valid, _ = valid_of(save("a.tif", data, nodata=255, **utm50))
    assert not valid[102:448, 102:448].any()


@pytest.mark.parametrize(
    ("declared", "written"),
    [(-9999.0, -9999.0005), (-3.4028234663852886e38, -3.4e38), (1e20, 1.0000001e20), (-32767.0, -32767.01), (0.1, 0.1)],
)
def test_floating_point_nodata_is_compared_with_a_tolerance(
    save: Save, utm50: dict[str, Any], declared: float, written: float
) -> None:
    data = picture("float32")
    data[(slice(None), *ROOF)] = written
    valid, _ = valid_of(save("a.tif", data, nodata=declared, **utm50))
    assert not valid[ROOF].any()
    assert valid.mean() == pytest.approx(1 - valid[ROOF].size / valid.size)


@pytest.mark.parametrize("value", [0, 255])
def test_dark_water_and_clouds_with_texture_at_the_border_are_ground(
    save: Save, utm50: dict[str, Any], value: int
) -> None:
    data = picture()
    texture = np.random.default_rng(2).integers(0, 12, (3, SIDE, 200))
    data[:, :, :200] = texture if value == 0 else 255 - texture
    valid, remarks = valid_of(save("a.tif", data, **utm50))
    assert valid.all()
    assert remarks == []


def test_an_image_of_one_colour_has_no_margin(save: Save, utm50: dict[str, Any]) -> None:
    valid, remarks = valid_of(save("a.tif", np.zeros((3, 64, 64), np.uint8), **utm50))
    assert valid.all()
    assert remarks == []


@pytest.mark.parametrize("level", [255, 247, 200])
def test_flat_cloud_at_the_border_is_no_margin(save: Save, utm50: dict[str, Any], level: int) -> None:
    """A margin ends at once, a cloud fades: hidden ground is told as such, and its fringe is judged with it."""
    opacity = np.clip((260 - np.hypot(ROWS, COLUMNS)) / 60, 0, 1)
    data = picture() * (1 - opacity) + level * opacity
    valid, remarks = valid_of(save("a.tif", data.astype(np.uint8), **utm50))
    assert valid.all()
    assert not remarks
    valid, remarks = valid_of(save("b.tif", np.where(opacity == 1, level, picture()).astype(np.uint8), **utm50))
    assert remarks == ["remark.collar"]
