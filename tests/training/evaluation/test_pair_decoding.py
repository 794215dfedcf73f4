"""Formats of images, encodings of labels, and errors for pairs that cannot be used."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from errors import ImageError
from tests.inference.scenes import textured
from tests.training.labelled import box_mask, write_pair, write_picture
from training.evaluation.pair_decoding import read_image, read_label, read_pair
from training.evaluation.pair_listing import list_pairs

SHAPE = (61, 47)
CHANGED = box_mask(SHAPE, (8, 40, 16, 32))


def write_raster(path: Path, bands: NDArray, **profile: object) -> Path:
    count, height, width = bands.shape
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=bands.dtype, **profile
    ) as raster:
        raster.write(bands)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.bmp", "a.webp", "a.jpg", "a.JPEG", "a.tif", "a.TIFF"])
def test_every_format_gives_the_same_picture(name: str, tmp_path: Path) -> None:
    image = textured(*SHAPE)
    Image.fromarray(image).save(tmp_path / name, **({"quality": 97} if name.endswith(("jpg", "JPEG", "webp")) else {}))
    patch = read_image(tmp_path / name)
    assert patch.rgb.shape == image.shape
    assert patch.valid.all()
    assert np.abs(patch.rgb.astype(int) - image).mean() < 4
    if name.lower().endswith(("png", "bmp", "tif", "tiff")):
        assert np.array_equal(patch.rgb, image)


@pytest.mark.parametrize("georeferenced", [True, False])
def test_sixteen_bits_and_four_bands_are_stretched_to_rgb(georeferenced: bool, tmp_path: Path) -> None:
    rgb = textured(128, 128).astype(np.uint16)
    bands = np.stack([rgb[..., 2], rgb[..., 1], rgb[..., 0], rgb[..., 0] * 0 + 9]) * 12 + 300
    bands[:, :10] = 0
    georeference = {"crs": "EPSG:32650", "transform": Affine(0.7, 0, 5e5, 0, -0.7, 3e6)} if georeferenced else {}
    patch = read_image(write_raster(tmp_path / "a.tif", bands.astype(np.uint16), nodata=0, **georeference))
    assert patch.rgb.dtype == np.uint8
    assert not patch.valid[:10].any()
    assert patch.valid[10:].all()
    for channel in range(3):
        like = np.corrcoef(patch.rgb[10:, :, channel].ravel(), rgb[10:, :, channel].ravel())[0, 1]
        assert like > 0.98, "red, green and blue are found among blue, green, red and near infrared"
    assert np.ptp(patch.rgb[10:]) > 200


def test_a_png_of_sixteen_bits_is_not_nearly_black(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), textured(128, 128)[..., ::-1].astype(np.uint16) * 15)
    assert read_image(tmp_path / "a.png").rgb.mean() > 80


def test_transparent_pixels_are_not_valid(tmp_path: Path) -> None:
    alpha = np.where(CHANGED, 0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([textured(*SHAPE), alpha])).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png").valid, ~CHANGED)


def _palette(colours: list[int], indices: NDArray) -> Image.Image:
    picture = Image.fromarray(indices.astype(np.uint8), "P")
    picture.putpalette(colours)
    return picture


LABELS = {
    "0 and 255": lambda: Image.fromarray(CHANGED.astype(np.uint8) * 255),
    "0 and 1": lambda: Image.fromarray(CHANGED.astype(np.uint8)),
    "one bit": lambda: Image.fromarray(CHANGED),
    "colours": lambda: Image.fromarray(CHANGED[..., None].repeat(3, 2).astype(np.uint8) * 255),
    "red on black": lambda: Image.fromarray((CHANGED[..., None] * np.array([255, 0, 0])).astype(np.uint8)),
    "with alpha": lambda: Image.fromarray(CHANGED.astype(np.uint8) * 255).convert("RGBA"),
    "grey with alpha": lambda: Image.fromarray(CHANGED.astype(np.uint8) * 255).convert("LA"),
    "palette with white first": lambda: _palette([255, 255, 255, 0, 0, 0], ~CHANGED),
    "palette of dark red": lambda: _palette([0, 0, 0, 128, 0, 0], CHANGED),
    "sixteen bits": lambda: Image.fromarray(CHANGED.astype(np.uint16) * 65535),
}


@pytest.mark.parametrize("encoding", LABELS)
def test_every_encoding_gives_the_same_label(encoding: str, tmp_path: Path) -> None:
    LABELS[encoding]().save(tmp_path / "label.png")
    label = read_label(tmp_path / "label.png")
    assert np.array_equal(label.changed, CHANGED)
    assert label.known is None
    assert not label.in_doubt


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
@pytest.mark.parametrize("high", [1, 255])
def test_a_tiff_label_of_any_type(dtype: str, high: int, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "label.tif", (CHANGED * high)[None].astype(dtype), compress="deflate")
    assert np.array_equal(read_label(path).changed, CHANGED)


def test_a_tiff_label_with_a_palette(tmp_path: Path) -> None:
    path = tmp_path / "label.tif"
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    with rasterio.open(path, "w", driver="GTiff", count=1, height=61, width=47, dtype="uint8") as raster:
        raster.write((~CHANGED).astype(np.uint8), 1)
        raster.write_colormap(1, {0: (255, 255, 255, 255), 1: (0, 0, 0, 255)})
    assert np.array_equal(read_label(path).changed, CHANGED)


def test_the_noise_of_a_jpeg_label_is_no_change(tmp_path: Path) -> None:
    truth = box_mask(SHAPE, (9, 42, 19, 30))
    Image.fromarray(truth.astype(np.uint8) * 255).save(tmp_path / "label.jpg", quality=60)
    values = np.asarray(Image.open(tmp_path / "label.jpg"))
    assert ((values > 0) & (values < 255)).any(), "the file is noisy"
    assert np.array_equal(read_label(tmp_path / "label.jpg").changed, truth)


def test_a_label_of_classes_is_flagged(tmp_path: Path) -> None:
    write_picture(tmp_path / "label.png", CHANGED.astype(np.uint8) * 3)
    label = read_label(tmp_path / "label.png")
    assert not label.changed.any()
    assert label.in_doubt


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
def test_a_truncated_file_is_refused_and_not_padded(suffix: str, tmp_path: Path) -> None:
    path = write_picture(tmp_path / f"a{suffix}", textured(128, 128))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ImageError, match=r"a\."):
        read_image(path)


def test_sizes_that_differ_are_an_error(tmp_path: Path) -> None:
    write_pair(tmp_path, "p")
    write_picture(tmp_path / "B" / "p.png", textured(100, 120))
    with pytest.raises(ImageError, match=r"A 128 × 128, B 120 × 100, label 128 × 128"):
        read_pair(list_pairs(tmp_path).pairs[0])
