"""The contrast stretch maps raw values of any sensor to comparable 8-bit images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imagery import Stretch, open_scene
from imagery.radiometry import measure_stretch

Save = Callable[..., Path]


def samples(low: float, high: float, dtype: str = "uint16") -> NDArray[Any]:
    return np.random.default_rng(2).uniform(low, high, (20_000, 3)).astype(dtype)


def test_an_8_bit_image_of_normal_exposure_stays_unchanged() -> None:
    assert measure_stretch(samples(5, 250, "uint8"), "a").identity
    assert measure_stretch(samples(60, 140, "uint8"), "a").identity


@pytest.mark.parametrize(("low", "high"), [(110, 130), (200, 225), (225, 252)])
def test_an_8_bit_image_without_dark_pixels_stays_unchanged(low: float, high: float) -> None:
    """Fog and cloud are recognized by their levels."""
    assert measure_stretch(samples(low, high, "uint8"), "a").identity


@pytest.mark.parametrize(("low", "high"), [(3, 40), (60, 90)])
def test_a_dark_or_flat_8_bit_image_is_stretched(low: float, high: float) -> None:
    values = samples(low, high, "uint8")
    seen = measure_stretch(values, "a").apply(values[None])
    assert np.percentile(seen, 2) < 20
    assert np.percentile(seen, 98) > 235


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_raw_values_of_any_scale_fill_the_range(dtype: str) -> None:
    for low, high in ((0.02, 0.4), (300, 900), (8000, 20_000)):
        if high < 1 and dtype != "float32":
            continue
        values = samples(low, high, dtype)
        seen = measure_stretch(values, "a").apply(values[None])[0].astype(float)
        truth = (values.astype(float) - low) / (high - low) * 255
        assert np.abs(seen - truth).max() < 6


def test_outliers_hardly_change_the_stretch() -> None:
    values = samples(300, 900)
    spoiled = values.copy()
    spoiled[:60] = 65_535
    spoiled[60:120] = 0
    plain, robust = measure_stretch(values, "a"), measure_stretch(spoiled, "a")
    assert np.allclose(plain.hi, robust.hi, rtol=0.02)
    assert np.allclose(plain.lo, robust.lo, rtol=0.02)


def test_the_same_ground_looks_the_same_at_another_brightness_and_haze() -> None:
    values = samples(300, 900)
    brighter = (values * 2.5 + np.array([100, 300, 800])).astype(np.uint16)
    one = measure_stretch(values, "a").apply(values[None]).astype(int)
    two = measure_stretch(brighter, "b").apply(brighter[None]).astype(int)
    assert np.abs(one - two).max() <= 2


def test_a_scene_of_one_colour_keeps_it() -> None:
    values = samples(300, 900)
    values[:, 2] = 500 + (values[:, 2] % 3)  # blue hardly varies: its noise must not be amplified
    assert measure_stretch(values, "a").apply(values[None])[..., 2].std() < 4


def test_a_scene_of_one_value_is_not_an_error() -> None:
    for dtype in ("uint8", "uint16", "float32"):
        values = np.full((500, 3), 7, dtype)
        assert measure_stretch(values, "a").apply(values[None]).shape == (1, 500, 3)


def test_values_below_the_low_end_are_black() -> None:
    stretch = Stretch((100, 100, 100), (200, 200, 200))
    for dtype in ("uint16", "int16", "float32"):
        seen = stretch.apply(np.array([[[0, 151, 300], [100, 199, 200]]], dtype))
        assert seen.tolist() == [[[0, 130, 255], [0, 252, 255]]]
    assert stretch.apply(np.array([[[-30_000, -1, 32_767]]], np.int16)).tolist() == [[[0, 0, 255]]]


def test_nodata_is_ignored(save: Save, utm50: dict[str, Any]) -> None:
    values = np.random.default_rng(4).integers(300, 900, (3, 90, 90), dtype=np.uint16)
    values[:, :60] = 0
    with open_scene(save("a.tif", values, nodata=0, **utm50)) as scene:
        assert min(scene.stretch.lo) > 290
        assert max(scene.stretch.hi) < 910


def test_overviews_and_sample_windows_give_the_same_stretch(
    save: Save, utm50: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagery.scene._SAMPLE_SIDE", 64)  # so that a small image is sampled like a large one
    monkeypatch.setattr("imagery.scene._SAMPLE_WINDOW", 32)
    rng = np.random.default_rng(4)
    ground = rng.integers(300, 900, (3, 18, 20), dtype=np.uint16).repeat(30, axis=1).repeat(30, axis=2)
    plain_path, levels_path = save("a.tif", ground, **utm50), save("b.tif", ground, overviews=[2, 4, 8], **utm50)
    with open_scene(plain_path) as plain, open_scene(levels_path) as levels:
        assert np.allclose(plain.stretch.lo, levels.stretch.lo, atol=30)
        assert np.allclose(plain.stretch.hi, levels.stretch.hi, atol=30)
