"""Supported formats, data types and numbers of bands, and how they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from errors import ImageError
from imagery import Limits, open_scene

Save = Callable[..., Path]


@pytest.mark.parametrize(
    ("driver", "name", "options"),
    [
        ("GTiff", "a.tif", {}),
        ("GTiff", "a.tif", {"tiled": False, "blockysize": 8}),
        ("GTiff", "a.tif", {"bigtiff": "YES"}),
        ("GTiff", "a.tif", {"endianness": "BIG"}),
        ("GTiff", "a.tif", {"interleave": "band", "compress": "lzw", "predictor": 2}),
        ("COG", "a.tif", {"compress": "deflate", "blocksize": 128}),
        ("PNG", "a.png", {}),
        ("JP2OpenJPEG", "a.jp2", {"reversible": "YES", "quality": "100"}),
        ("GTiff", "named.jpg", {}),  # the first bytes decide, not the name
    ],
)
def test_lossless_formats_return_their_exact_pixels(
    save: Save, noise: NDArray[np.uint8], driver: str, name: str, options: dict[str, Any]
) -> None:
    path = save(name, noise, driver=driver, **options)
    with open_scene(path, gsd=0.5) as scene:
        patch = scene.read(scene.geobox)
        assert (scene.width, scene.height, scene.count, scene.dtype) == (128, 96, 3, "uint8")
    assert np.array_equal(patch.rgb, np.moveaxis(noise, 0, -1))
    assert patch.valid.all()


def test_jpeg_returns_nearly_its_pixels(save: Save) -> None:
    ramp = np.broadcast_to(np.arange(0, 256, 2, dtype=np.uint8), (3, 96, 128)).copy()
    with open_scene(save("a.jpg", ramp, driver="JPEG", quality=95), gsd=0.5) as scene:
        assert scene.driver == "JPEG"
        difference = scene.read(scene.geobox).rgb.astype(int) - np.moveaxis(ramp, 0, -1)
    assert np.abs(difference).max() <= 4


def test_jpeg_2000_keeps_its_georeference(save: Save, noise: NDArray[np.uint8], utm50: dict[str, Any]) -> None:
    path = save("a.jp2", noise, driver="JP2OpenJPEG", **utm50)
    with open_scene(path) as scene:
        assert scene.georeferenced
        assert scene.geobox.crs.to_epsg() == 32650
        assert scene.geobox.affine.almost_equals(utm50["transform"])


@pytest.mark.parametrize("count", range(1, 14))
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_one_to_thirteen_bands_of_every_type_are_read(
    save: Save, utm50: dict[str, Any], dtype: str, count: int
) -> None:
    values = np.random.default_rng(1).integers(1, 250, (count, 40, 48)).astype(dtype)
    with open_scene(save("a.tif", values, **utm50)) as scene:
        patch = scene.read(scene.geobox)
        assert len(set(scene.bands)) == (1 if count < 3 else 3)
    assert patch.rgb.shape == (40, 48, 3)
    assert patch.rgb.dtype == np.uint8
    assert patch.valid.all()
    assert patch.rgb.std() > 40


@pytest.mark.parametrize("dtype", ["int32", "uint32", "float64", "complex64", "int8"])
def test_other_data_types_are_rejected_with_advice(save: Save, utm50: dict[str, Any], dtype: str) -> None:
    path = save("a.tif", np.ones((1, 40, 48)).astype(dtype), **utm50)
    with pytest.raises(ImageError, match="gdal_translate"):
        open_scene(path)


@pytest.mark.parametrize("colours", ["CMYK", "MINISWHITE", "CIELAB"])
def test_colour_models_other_than_rgb_and_grey_are_rejected(save: Save, utm50: dict[str, Any], colours: str) -> None:
    count = {"CMYK": 4, "MINISWHITE": 1, "CIELAB": 3}[colours]
    path = save("a.tif", np.ones((count, 40, 48), np.uint8), photometric=colours, **utm50)
    with pytest.raises(ImageError, match="RGB"):
        open_scene(path)


@pytest.mark.parametrize("driver", ["GTiff", "PNG"])
def test_a_palette_becomes_colours(save: Save, driver: str) -> None:
    index = np.random.default_rng(5).integers(0, 3, (40, 48), dtype=np.uint8)
    table = {0: (200, 10, 20, 255), 1: (30, 180, 40, 255), 2: (50, 60, 250, 255)}
    with open_scene(save("a.img", index, driver=driver, colormap=table), gsd=1) as scene:
        patch = scene.read(scene.geobox)
        coarse = scene.read(scene.geobox.zoom_out(4))
    assert np.array_equal(patch.rgb, np.array([table[i][:3] for i in range(3)], np.uint8)[index])
    assert patch.valid.all()
    mean = patch.rgb.reshape(10, 4, 12, 4, 3).mean(axis=(1, 3))
    assert np.abs(coarse.rgb - mean).max() <= 1  # colours are averaged, not indices


def test_grey_is_tripled(save: Save, noise: NDArray[np.uint8], utm50: dict[str, Any]) -> None:
    with open_scene(save("a.tif", noise[0], **utm50)) as scene:
        rgb = scene.read(scene.geobox).rgb
    assert np.array_equal(rgb, np.repeat(noise[0][..., None], 3, axis=2))


def test_a_large_image_is_rewritten_once_in_a_sandboxed_process(save: Save, noise: NDArray[np.uint8]) -> None:
    mask = np.ones(noise.shape[1:], bool)
    mask[:, :30] = False
    path = save("a.tif", noise, mask=mask, tiled=False, blockysize=96)
    with open_scene(path, gsd=1, limits=Limits(in_process_pixels=1000)) as scene:
        assert scene.rewritten
        assert scene.mask_source == "mask"
        patch = scene.read(scene.geobox)
    assert np.array_equal(patch.valid, mask)
    assert np.array_equal(patch.rgb, np.moveaxis(noise, 0, -1) * mask[..., None])


def test_a_tiled_tiff_is_read_in_place(save: Save, noise: NDArray[np.uint8], utm50: dict[str, Any]) -> None:
    limits = Limits(in_process_pixels=1000)
    path = save("a.tif", noise, **utm50)
    with open_scene(path, limits=limits) as scene:
        assert not scene.rewritten
    with open_scene(path, limits=limits, resolution=5.0) as scene:  # far below native resolution, without overviews
        assert scene.rewritten
    with open_scene(save("b.tif", noise, overviews=[2], **utm50), limits=limits, resolution=5.0) as scene:
        assert not scene.rewritten


def test_the_checksum_is_that_of_the_bytes(save: Save, noise: NDArray[np.uint8]) -> None:
    path = save("a.png", noise, driver="PNG")
    with open_scene(path, gsd=1) as scene:
        assert scene.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_relative_paths_and_links_are_supported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Save, noise: NDArray[np.uint8]
) -> None:
    save("影像 2023.png", noise, driver="PNG")
    (tmp_path / "link.png").symlink_to("影像 2023.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for typed in ("影像 2023.png", "./link.png", "~/link.png"):
        with open_scene(typed, gsd=1) as scene:
            assert scene.read(scene.geobox).valid.all()


def test_an_image_without_a_georeference_needs_a_ground_sample_distance(
    save: Save, noise: NDArray[np.uint8], utm50: dict[str, Any]
) -> None:
    with pytest.raises(ImageError, match="--gsd"):
        open_scene(save("a.png", noise, driver="PNG"))
    path = save("b.tif", noise, transform=utm50["transform"])
    with pytest.raises(ImageError, match=r"geotransform but no coordinate system.*--gsd"):
        open_scene(path)
    with open_scene(path, gsd=0.3) as scene:
        assert (scene.georeferenced, scene.gsd_m) == (False, 0.3)
        assert scene.geobox.affine.is_identity
    with open_scene(path, crs="EPSG:32650") as scene:
        assert scene.geobox.crs.to_epsg() == 32650
    for wrong in ("EPSG:abc", "/etc/passwd", "http://localhost/"):
        with pytest.raises(ImageError, match="EPSG:4547"):
            open_scene(path, crs=wrong)
    for gsd in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ImageError, match="not usable"):
            open_scene(path, gsd=gsd)


def test_a_georeferenced_image_keeps_its_ground_sample_distance(
    save: Save, noise: NDArray[np.uint8], utm50: dict[str, Any]
) -> None:
    with open_scene(save("a.tif", noise, **utm50), gsd=7.0) as scene:
        assert scene.georeferenced
        assert scene.gsd_m == pytest.approx(0.5, rel=1e-3)


def test_an_image_with_control_points_is_reported_as_not_rectified(save: Save, noise: NDArray[np.uint8]) -> None:
    points = [rasterio.control.GroundControlPoint(r, c, 5e5 + c, 3e6 - r) for r, c in ((0, 0), (0, 90), (90, 0))]
    path = save("a.tif", noise, gcps=points, crs="EPSG:32650")
    with pytest.raises(ImageError, match="not rectified"):
        open_scene(path)


def test_colours_are_found_in_any_order(save: Save, noise: NDArray[np.uint8], utm50: dict[str, Any]) -> None:
    colours = [ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    with open_scene(save("a.tif", noise, colours=colours, photometric="MINISBLACK", **utm50)) as scene:
        assert scene.bands == (3, 2, 1)
        assert np.array_equal(scene.read(scene.geobox).rgb, np.moveaxis(noise[::-1], 0, -1))
