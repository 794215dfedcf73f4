"""Fixtures of the training tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import inference.pair
from tests.inference.scenes import textured
from tests.training.labelled import identity_table, write_picture
from training.recipe import Recipe


@pytest.fixture(scope="module")
def plain_exposure() -> Iterator[None]:
    """Disable radiometric normalisation: a bright box would otherwise darken its surroundings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference.pair, "normalization_table", identity_table)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pairs with one white house each, two per question, and four single-date images with masks."""
    root = tmp_path_factory.mktemp("data")
    for number in range(4):
        image = textured(96, 96, seed=number)
        after, label = image.copy(), np.zeros((96, 96), np.uint8)
        after[20:50, 10 + 10 * number : 50 + 10 * number] = 240
        label[20:50, 10 + 10 * number : 50 + 10 * number] = 255
        folder = root / ("buildings" if number < 2 else "grounds")
        for name, content in (("A", image), ("B", after), ("label", label)):
            write_picture(folder / name / f"p{number}.png", content)
        write_picture(root / "single" / "images" / f"s{number}.png", after)
        write_picture(root / "single" / "masks" / f"s{number}.png", label)
    return root


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return Recipe.model_validate(
        {
            "network": "fast",
            "steps": 4,
            "batch": 2,
            "learning_rate": 0.001,
            "warmup_steps": 1,
            "ema": 0.9,
            "save_every": 2,
            "augment": {"size": 64},
            "sources": [
                {"kind": "pairs", "folder": "buildings", "question": "building", "weight": 1},
                {"kind": "pairs", "folder": "grounds", "question": "ground", "weight": 1},
            ],
        }
    )
