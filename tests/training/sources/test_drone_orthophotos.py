"""Roofs of simulated drone orthophotos lean differently on the two dates; only houses on one date are changes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.inference.scenes import textured
from tests.training.labelled import write_picture
from training.sources.drone_orthophotos import DroneOrthophotoPairs, fill_ground
from training.sources.masked_images import MaskedFolder
from training.sources.samples import Sample


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Forty samples of one place with nine white houses."""
    root = tmp_path_factory.mktemp("houses")
    image, mask = textured(192, 192), np.zeros((192, 192), np.uint8)
    for row in range(3):
        for column in range(3):
            mask[20 + 60 * row : 44 + 60 * row, 20 + 60 * column : 44 + 60 * column] = 255
    image[mask > 0] = 240
    write_picture(root / "images" / "one.png", image)
    write_picture(root / "masks" / "one.png", mask)
    source = DroneOrthophotoPairs([MaskedFolder(root, 0.15)], size=192, target_m=(0.15, 0.15))
    return [source.draw(np.random.default_rng(seed)) for seed in range(40)]


def test_roofs_lie_where_the_masks_of_each_date_say(samples: list[Sample]) -> None:
    for sample in samples:
        for image, houses in ((sample.before, sample.buildings_before), (sample.after, sample.buildings_after)):
            assert houses is not None
            assert image[houses == 1].mean() > 205
            assert image[houses == 0].mean() < 190


def test_leaning_houses_move_and_are_no_change(samples: list[Sample]) -> None:
    unchanged = [s for s in samples if not (s.building == 1).any()]
    assert len(unchanged) > 10
    assert np.mean([((s.buildings_before == 1) ^ (s.buildings_after == 1)).mean() for s in unchanged]) > 0.03
    assert not any(s.direction.any() for s in unchanged)


def test_houses_on_one_date_are_changes_with_their_direction(samples: list[Sample]) -> None:
    changed = [s for s in samples if (s.building == 1).any()]
    assert len(changed) > 10
    for sample in changed:
        assert (sample.buildings_after[sample.direction == 1] == 1).all()
        assert (sample.buildings_before[sample.direction == -1] == 1).all()
        assert ((sample.direction != 0) <= (sample.building == 1)).all()
    signs = {int(v) for s in changed for v in np.unique(s.direction)}
    assert signs == {-1, 0, 1}


def test_filled_ground_looks_like_the_ground_around() -> None:
    place, mask = textured(128, 128), np.zeros((128, 128), np.uint8)
    mask[40:80, 40:80] = 1
    with_house = np.where(mask[..., None] > 0, 255, place).astype(np.uint8)
    filled = fill_ground(with_house, mask)
    assert np.array_equal(filled[:25], place[:25])
    inside, outside = filled[45:75, 45:75], place[:30]
    assert abs(inside.mean() - outside.mean()) < 25
    assert inside.std() > 0.3 * outside.std()
