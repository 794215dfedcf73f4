"""Alpha, mask, nodata and NaN mark invalid pixels at every scale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp

from errors import ImageError
from imagery import open_scene

Save = Callable[..., Path]
HOLE = np.s_[20:52, 32:64]
RGBA = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]


@pytest.fixture
def expected(noise: NDArray[np.uint8]) -> NDArray[np.bool_]:
    valid = np.ones(noise.shape[1:], bool)
    valid[HOLE] = False
    return valid


def save_variant(save: Save, noise: NDArray[np.uint8], valid: NDArray[np.bool_], kind: str, **more: Any) -> Path:
    holes = ~valid
    if kind == "alpha":
        return save("a.tif", np.concatenate([noise, valid[None] * np.uint8(255)]), colours=RGBA, **more)
    if kind == "alpha of 0 and 1":
        return save("a.tif", np.concatenate([noise, valid[None] * np.uint8(1)]), colours=RGBA, **more)
    if kind == "mask":
        return save("a.tif", noise, mask=valid, **more)
    if kind == "nodata":
        return save("a.tif", np.where(holes, 0, noise).astype(np.uint8), nodata=0, **more)
    if kind == "nodata int16":
        return save("a.tif", np.where(holes, -9999, noise.astype(np.int16)), nodata=-9999, **more)
    if kind == "nodata float":
        values = np.where(holes, -3.4028234663852886e38, noise).astype(np.float32)
        return save("a.tif", values, nodata=-3.4028234663852886e38, **more)
    values = np.where(holes, np.nan, noise).astype(np.float32)
    return save("a.tif", values, nodata=np.nan if kind == "nodata NaN" else None, **more)


KINDS = {
    "alpha": "alpha",
    "alpha of 0 and 1": "alpha",
    "mask": "mask",
    "nodata": "nodata",
    "nodata int16": "nodata",
    "nodata float": "nodata",
    "nodata NaN": "nodata",
    "NaN alone": "none",
}


@pytest.mark.parametrize("overviews", [None, [2, 4]])
@pytest.mark.parametrize("kind", list(KINDS))
def test_holes_are_invalid_and_black_at_every_scale(
    save: Save,
    noise: NDArray[np.uint8],
    expected: NDArray[np.bool_],
    utm50: dict[str, Any],
    kind: str,
    overviews: list[int] | None,
) -> None:
    path = save_variant(save, noise, expected, kind, overviews=overviews, **utm50)
    with open_scene(path) as scene:
        assert scene.mask_source == KINDS[kind]
        native = scene.read(scene.geobox)
        coarse = scene.read(scene.geobox.zoom_out(4))
        moved = scene.read(scene.geobox, np.full((*scene.geobox.shape, 2), 0.4, np.float32))
    assert np.array_equal(native.valid, expected)
    assert not native.rgb[~expected].any()
    assert np.array_equal(coarse.valid, expected[::4, ::4])
    # the valid pixels are not mixed with the hole: noise of mean 128 averaged over 16 pixels
    assert coarse.rgb[coarse.valid].min() > 50
    assert not moved.valid[HOLE].any()
    assert moved.valid.sum() >= expected.sum() - 70


def test_the_nodata_value_in_one_band_is_a_colour(save: Save, utm50: dict[str, Any]) -> None:
    values = np.random.default_rng(0).integers(1, 255, (3, 40, 40), dtype=np.uint8)
    values[0, 5:10] = 0
    values[:, 20:25] = 0
    with open_scene(save("a.tif", values, nodata=0, **utm50)) as scene:
        valid = scene.read(scene.geobox).valid
    assert valid[5:10].all()
    assert not valid[20:25].any()


def test_values_of_holes_do_not_leak_into_their_neighbours(save: Save, utm50: dict[str, Any]) -> None:
    values = np.full((3, 60, 60), 1000, np.uint16)
    values[:, :30, :] = 3000
    values[:, :, 40:] = 65535
    values[0, 0, 0] = 999
    with open_scene(save("a.tif", values, nodata=65535, **utm50)) as scene:
        off = GeoBox((60, 60), scene.geobox.affine @ scene.geobox.affine.translation(0.37, 0.0), "EPSG:32650")
        patch = scene.read(off)
    assert patch.valid[:, :39].all()
    assert not patch.valid[:, 40:].any()
    inner = patch.rgb[35:, :39]
    assert inner.max() == inner.min()


@pytest.mark.parametrize("kind", ["alpha", "mask", "nodata", "NaN alone"])
def test_an_image_without_valid_pixels_is_rejected(
    save: Save, noise: NDArray[np.uint8], utm50: dict[str, Any], kind: str
) -> None:
    path = save_variant(save, noise, np.zeros(noise.shape[1:], bool), kind, **utm50)
    with pytest.raises(ImageError, match="all nodata"):
        open_scene(path)


def test_infinite_values_are_invalid(save: Save, utm50: dict[str, Any]) -> None:
    values = np.random.default_rng(0).random((3, 40, 40), np.float32)
    values[1, 3, 3] = np.inf
    with open_scene(save("a.tif", values, **utm50)) as scene:
        valid = scene.read(scene.geobox).valid
    assert not valid[3, 3]
    assert valid.sum() == 1599
