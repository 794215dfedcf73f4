"""Images that consist of blocks of one colour are found; ordinary compression and moderate enlargement are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imagery.pixel_blocks import block_side

Image = NDArray[np.uint8]
SIDE = 480


@pytest.fixture(scope="module")
def picture() -> Image:
    """Return roofs on uneven ground with fine texture, as sharp as an aerial image."""
    rng = np.random.default_rng(3)
    ground = sum(
        cv2.resize(rng.normal(0, level, (SIDE // cell, SIDE // cell, 3)).astype(np.float32), (SIDE, SIDE))
        for cell, level in ((40, 20), (8, 12), (2, 8))
    )
    out = np.clip(110 + np.asarray(ground), 0, 255).astype(np.uint8)
    for _ in range(60):
        corners = cv2.boxPoints((tuple(rng.uniform(0, SIDE, 2)), tuple(rng.uniform(12, 40, 2)), rng.uniform(0, 90)))
        cv2.fillPoly(out, [corners.astype(np.int32)], rng.uniform(40, 220, 3).tolist())
    return np.asarray(out, dtype=np.uint8)


def _windows(image: Image) -> list[Image]:
    starts = np.linspace(0, SIDE - 48, 5).astype(int)
    return [image[top : top + 48, left : left + 48] for top in starts for left in starts]


def _jpeg(image: Image, quality: int) -> Image:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)


def _enlarged(image: Image, factor: float, method: int = cv2.INTER_NEAREST) -> Image:
    small = cv2.resize(image, (round(SIDE / factor),) * 2, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=method), dtype=np.uint8)


@pytest.mark.parametrize("factor", [5, 6.5, 8])
def test_an_image_enlarged_by_repeating_pixels_is_found(picture: Image, factor: float) -> None:
    assert block_side(_windows(_enlarged(picture, factor))) == factor
    assert block_side([window.astype(np.uint16) * 8 for window in _windows(_enlarged(picture, factor))]) == factor


@pytest.mark.parametrize("quality", [1, 2, 3])
def test_an_image_of_which_compression_left_blocks_is_found(picture: Image, quality: int) -> None:
    assert block_side(_windows(_jpeg(cv2.GaussianBlur(picture, (0, 0), 1.5), quality))) == 8


def test_an_enlarged_and_compressed_image_is_found(picture: Image) -> None:
    assert block_side(_windows(_jpeg(_enlarged(picture, 8), 60))) == 8


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_ordinary_compression_is_accepted(picture: Image, quality: int) -> None:
    assert block_side(_windows(_jpeg(picture, quality))) == 1


def test_true_pixels_and_moderate_enlargement_are_accepted(picture: Image) -> None:
    for image in (
        picture,
        _enlarged(picture, 2),
        _enlarged(picture, 4),
        _enlarged(picture, 8, cv2.INTER_CUBIC),
        np.full_like(picture, 200),
    ):
        assert block_side(_windows(image)) == 1
    assert block_side([]) == 1
