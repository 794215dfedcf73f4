"""Appearance augmentation is repeatable and in range, adds no structure, and reports opaque clouds."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.radiometric_normalization import apply_table, normalization_table
from training.augmentation.appearance import AppearanceSettings, normalize_radiometry, restyle, restyle_image
from training.augmentation.random_numbers import ParameterSampler
from training.augmentation.sensor import compress, hue_and_saturation
from training.augmentation.weather import change_season, change_sun

EFFECTS = ("season", "sun", "cloud", "haze", "colour", "sharpness", "noise", "compression")
NOTHING = replace(AppearanceSettings(), **dict.fromkeys(EFFECTS, 0.0))


def only(*effects: str) -> AppearanceSettings:
    return replace(NOTHING, **dict.fromkeys(effects, 1.0))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def place(seed: int, height: int = 96, width: int = 96) -> NDArray[np.uint8]:
    """Draw green and brown fields with texture and some bright roofs with shadows; H×W×3."""
    rng = np.random.default_rng(seed)
    fields = cv2.resize(rng.integers(0, 2, (4, 4)).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    image = np.where(fields[..., None] > 0, (80, 110, 70), (150, 125, 100)).astype(np.float32)
    for y, x in rng.integers(8, min(height, width) - 24, (6, 2)):
        image[y + 5 : y + 19, x + 5 : x + 19] = (35, 38, 48)
        image[y : y + 14, x : x + 14] = rng.integers(150, 230)
    image += rng.normal(0, 6, (height, width, 1))
    return np.clip(image, 1, 255).astype(np.uint8)


def batch(*images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()


def max_gradient(images: Tensor) -> float:
    """Return the largest difference between neighbouring pixels."""
    return float(max(images.diff(dim=2).abs().max(), images.diff(dim=3).abs().max()))


@pytest.mark.parametrize("effect", EFFECTS)
def test_the_same_generator_gives_the_same_images_and_another_gives_others(effect: str) -> None:
    images = batch(place(1), place(2))
    original = images.clone()
    first, again, other = (restyle(images, seeded(seed), only(effect))[0] for seed in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(images, original), "the caller's images were modified"


@pytest.mark.parametrize(("height", "width"), [(96, 96), (37, 70), (8, 9), (1, 1)])
def test_any_size_keeps_its_shape_and_whole_levels(height: int, width: int) -> None:
    images = torch.rand((3, 3, height, width), generator=seeded(0)) * 254 + 1
    out, hidden = restyle(images, seeded(1), only(*EFFECTS))
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert hidden.shape == (3, height, width)
    assert hidden.dtype == torch.bool
    assert torch.equal(out, out.round())
    assert out.min() >= 1
    assert out.max() <= 255


def test_without_effects_images_do_not_change() -> None:
    images = batch(place(1))
    out, hidden = restyle(images, seeded(1), NOTHING)
    assert torch.equal(out, images)
    assert not hidden.any()


@pytest.mark.parametrize("seed", range(3))
def test_nodata_pixels_stay_exactly_the_same(seed: int) -> None:
    images = batch(place(1), place(2))
    images[:, :, 20:50, :30] = 0
    out, hidden = restyle(images, seeded(seed), only(*EFFECTS))
    assert torch.equal(out.amax(dim=1) == 0, images.amax(dim=1) == 0)
    assert not hidden[:, 20:50, :30].any()


def test_images_of_a_batch_do_not_affect_each_other() -> None:
    one, other, third = place(1), place(2), place(3)
    first, _ = restyle(batch(one, other), seeded(6), only(*EFFECTS))
    second, _ = restyle(batch(one, third), seeded(6), only(*EFFECTS))
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1], second[1])


def test_images_of_a_batch_are_varied_differently() -> None:
    out, _ = restyle(batch(place(1), place(1)), seeded(6), only("colour"))
    assert (out[0] - out[1]).abs().mean() > 2


def test_only_some_images_are_varied() -> None:
    images = batch(*[place(1)] * 40)
    out, _ = restyle(images, seeded(2), replace(NOTHING, haze=0.5))
    varied = (out != images).flatten(1).any(dim=1).sum()
    assert 8 < varied < 32


@pytest.mark.parametrize("effect", [effect for effect in EFFECTS if effect not in ("cloud", "noise")])
def test_no_structure_appears_on_flat_grey(effect: str) -> None:
    out, _ = restyle(torch.full((6, 3, 80, 80), 100.0), seeded(3), only(effect))
    assert max_gradient(out) <= 2


def test_the_season_changes_vegetation_and_not_grey_ground() -> None:
    images = torch.full((30, 3, 64, 64), 100.0)
    images[:, 0, :, :32], images[:, 2, :, :32] = 75, 65
    changed = change_season(images, ParameterSampler(seeded(1), images.device))
    difference = (changed - images).abs().mean(dim=1)
    assert difference[:, :, 44:].max() < 0.5
    # the median, as effects on soil and on bright ground do not apply here
    assert difference[:, :, :20].mean(dim=(1, 2)).median() > 3


def test_the_sun_moves_a_shadow_and_not_the_sunlit_ground() -> None:
    images = torch.full((30, 3, 96, 96), 130.0)
    images[:, :, 40:52, 40:52] = 30
    lit = change_sun(images, ParameterSampler(seeded(1), images.device), shadow_shift_px=8)
    around = (lit - images)[:, :, 30:62, 30:62].abs().amax(dim=(1, 2, 3))
    assert around.median() > 20
    assert (lit - images)[:, :, :24].abs().max() < 2


def test_exactly_the_pixels_hidden_by_clouds_are_reported() -> None:
    dark, light = torch.full((12, 3, 96, 96), 20.0), torch.full((12, 3, 96, 96), 220.0)
    (over_dark, hidden), (over_light, _) = (restyle(images, seeded(8), only("cloud")) for images in (dark, light))
    visible = (over_light - over_dark).mean(dim=1) / 200
    assert 0.02 < hidden.float().mean() < 0.6
    assert visible[hidden].max() < 0.31
    # in the shadow of a cloud at least 0.4 of the light remains
    assert visible[~hidden].min() > 0.29 * 0.4


def test_clouds_are_smooth() -> None:
    out, _ = restyle(torch.full((8, 3, 128, 128), 100.0), seeded(8), only("cloud"))
    assert max_gradient(out) < 40


@pytest.mark.parametrize("shape", [(96, 96), (61, 43)])
def test_normalisation_equals_that_of_a_scan(shape: tuple[int, int]) -> None:
    image = (place(1, *shape) * 0.6 + (40, 20, 0)).astype(np.uint8)
    image[:10, :20] = 0
    valid = image.max(axis=2) > 0
    expected = apply_table(image, normalization_table(image, valid))
    normalised = normalize_radiometry(batch(image, image), torch.from_numpy(np.stack([valid, valid])))
    actual = normalised[1].permute(1, 2, 0).numpy()
    assert np.abs(actual[valid] - expected[valid].astype(np.float32)).max() <= 1
    assert (actual[~valid] == 0).all()


def test_normalisation_without_a_mask_uses_all_pixels() -> None:
    image = place(2)
    expected = apply_table(image, normalization_table(image)).astype(np.float32)
    assert np.abs(normalize_radiometry(batch(image))[0].permute(1, 2, 0).numpy() - expected).max() <= 1


def test_normalisation_without_valid_pixels_gives_nodata() -> None:
    images = torch.full((1, 3, 8, 8), 9.0)
    assert (normalize_radiometry(images, torch.zeros((1, 8, 8), dtype=torch.bool)) == 0).all()


@pytest.mark.parametrize("halve_colour", [True, False])
def test_higher_quality_changes_less(halve_colour: bool) -> None:
    images = batch(place(1), place(1))
    out = compress(images, torch.tensor([25.0, 90.0]), halve_colour)
    low, high = (out - images).abs().mean(dim=(1, 2, 3)).tolist()
    assert 0 < high < 0.6 * low


def test_compressing_again_changes_little() -> None:
    images, quality = batch(place(1)), torch.tensor([50.0])
    once = compress(images, quality, halve_colour=False)
    twice = compress(once, quality, halve_colour=False)
    assert (twice - once).abs().mean() < 0.15 * (once - images).abs().mean()


@pytest.mark.parametrize(("halve_colour", "sampling"), [(False, 0x111111), (True, 0x221111)])
@pytest.mark.parametrize("quality", [30, 75])
def test_compression_matches_a_jpeg_encoder(quality: int, halve_colour: bool, sampling: int) -> None:
    image = place(3)
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    coded = cv2.imencode(".jpg", image[..., ::-1], settings)[1]
    expected = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))[..., ::-1].astype(np.float32)
    actual = compress(batch(image), torch.tensor([float(quality)]), halve_colour)[0].permute(1, 2, 0).numpy()
    assert np.abs(actual - expected).mean() < 0.2 * np.abs(image - expected).mean()


def test_hue_rotation_keeps_grey_and_brightness() -> None:
    matrix = hue_and_saturation(torch.tensor([0.7]), torch.tensor([1.4]))[0]
    colours = torch.tensor([[90.0, 90, 90], [200, 40, 70]]).T
    rotated = matrix @ colours
    assert torch.allclose(rotated[:, 0], colours[:, 0])
    assert torch.allclose(rotated.mean(dim=0), colours.mean(dim=0))
    assert (rotated[:, 1] - colours[:, 1]).abs().max() > 20


def test_the_ground_stays_recognisable() -> None:
    images = normalize_radiometry(batch(*[place(5)] * 20))
    out, _ = restyle(images, seeded(1), AppearanceSettings())
    pairs = zip(images.mean(dim=1).flatten(1), out.mean(dim=1).flatten(1), strict=True)
    assert torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs]).median() > 0.5


def test_restyling_one_image_depends_on_its_seed_only() -> None:
    image = place(1, 70, 93)
    first, again, other = (restyle_image(image, seed) for seed in (1, 1, 2))
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
