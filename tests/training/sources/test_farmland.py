"""Painted fields are no change, painted construction sites are one, and only open ground is painted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.inference.scenes import textured
from tests.training.labelled import write_picture
from training.sources.farmland.farmland_pairs import FarmlandPairs
from training.sources.farmland.field_states import FIELD_STATES, cover_with_greenhouses, plough, spread_film
from training.sources.farmland.open_ground import OpenGroundFolder, estimate_open_ground
from training.sources.samples import UNKNOWN, Sample
from training.sources.source_recipes import FarmlandRecipe


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Sixty samples of two places whose left quarter is no open ground."""
    root = tmp_path_factory.mktemp("farmland")
    for number in range(2):
        mask = np.full((160, 160), 4, np.uint8)
        mask[:, :40] = 1
        write_picture(root / "places" / "images" / f"p{number}.png", textured(160, 160, seed=number))
        write_picture(root / "places" / "masks" / f"p{number}.png", mask)
    source = FarmlandPairs([OpenGroundFolder(root / "places", (4,))], size=160)
    return [source.draw(np.random.default_rng(seed)) for seed in range(60)]


def _differs(sample: Sample) -> np.ndarray:
    return np.abs(sample.before.astype(int) - sample.after).max(axis=2) > 12


def test_most_painted_ground_is_unchanged(samples: list[Sample]) -> None:
    painted = sum(int((_differs(s) & (s.ground == 0)).sum()) for s in samples)
    sites = sum(int((_differs(s) & (s.ground == 1)).sum()) for s in samples)
    assert painted > 2 * sites > 0


def test_sites_are_ground_works_and_appear_on_the_later_date(samples: list[Sample]) -> None:
    with_site = [s for s in samples if (s.ground == 1).any()]
    assert len(with_site) > 15
    for sample in with_site:
        assert np.array_equal(sample.direction == 1, sample.ground == 1)
        assert set(np.unique(sample.building)) <= {0, UNKNOWN}
        assert (sample.ground[sample.building == UNKNOWN] == 1).all(), "huts stand on sites only"
    assert np.mean([_differs(s)[s.ground == 1].mean() for s in with_site]) > 0.7


def test_greenhouses_are_no_buildings_and_unknown_works(samples: list[Sample]) -> None:
    with_greenhouses = [s for s in samples if (s.ground == UNKNOWN).any()]
    assert with_greenhouses
    for sample in with_greenhouses:
        assert not sample.building[sample.ground == UNKNOWN].any()


def test_nothing_is_painted_on_what_is_no_open_ground(samples: list[Sample]) -> None:
    # but snow, which lies on everything; edges of plots are soft
    beside = [_differs(s)[:, :30].mean() for s in samples]
    assert np.mean([share == 0 for share in beside]) > 0.8


@pytest.mark.parametrize("paint", [state for _, state in FIELD_STATES] + [cover_with_greenhouses])
def test_each_state_of_a_field_changes_it(paint: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> None:
    ground = textured(64, 80).astype(np.float32)
    painted = [paint(ground, np.random.default_rng(seed)) for seed in range(12)]
    assert all(image.shape == ground.shape and np.isfinite(image).all() for image in painted)
    assert np.median([np.abs(image - ground).mean() for image in painted]) > 8


def _direction(image: np.ndarray) -> float:
    """Return the direction of the strongest wave of an image in degrees."""
    grey = image.mean(axis=2) - image.mean()
    power = np.abs(np.fft.fft2(grey * np.outer(np.hanning(len(grey)), np.hanning(len(grey)))))
    fy, fx = (np.fft.fftfreq(len(grey))[i] for i in np.unravel_index(int(power.argmax()), power.shape))
    return float(np.degrees(np.arctan2(fy, fx)) % 180)


@pytest.mark.parametrize("paint", [plough, spread_film])
def test_rows_run_in_every_direction(paint: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> None:
    flat = np.full((96, 96, 3), 110, np.float32)
    directions = [_direction(paint(flat, np.random.default_rng(seed))) for seed in range(60)]
    counts, _ = np.histogram(directions, bins=4, range=(0, 180))
    assert counts.min() >= 6


def test_open_ground_of_an_image_without_mask_is_green_and_smooth() -> None:
    image = np.full((128, 128, 3), (96, 118, 70), np.uint8)
    image[:, 64:] = (130, 130, 130)  # paved
    image[:48, :48] = np.where(np.indices((48, 48)).sum(0)[..., None] // 3 % 2, 220, 30)  # roofs and shadows
    mask = estimate_open_ground(cv2.blur(image, (2, 2)))
    assert mask[60:120, 10:50].mean() > 0.9
    assert not mask[:, 74:].any()
    assert not mask[:36, :36].any()


def test_a_recipe_opens_folders_with_and_without_masks(tmp_path: Path) -> None:
    green = np.full((96, 96, 3), (96, 118, 70), np.uint8)
    write_picture(tmp_path / "plain" / "a.png", green)
    write_picture(tmp_path / "masked" / "images" / "a.png", green)
    write_picture(tmp_path / "masked" / "masks" / "a.png", np.full((96, 96), 5, np.uint8))
    recipe = FarmlandRecipe.model_validate(
        {
            "kind": "farmland",
            "weight": 1,
            "folders": [{"folder": "plain"}, {"folder": "masked", "open_values": [4, 5], "bare_values": [6]}],
        }
    )
    assert recipe.all_folders == (Path("plain"), Path("masked"))
    source = recipe.open(tmp_path)
    assert any(_differs(source.draw(np.random.default_rng(seed))).any() for seed in range(5))
