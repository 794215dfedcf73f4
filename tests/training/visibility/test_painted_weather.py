"""Painted weather covers the ground to the degree that its classes say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.inference.scenes import textured
from training.sources.samples import Sample
from training.visibility.painted_weather import CLEAR, CLOUD, SNOW, UNSURE, paint_clouds, paint_haze, paint_snow
from training.visibility.samples import draw_statistics
from training.visibility.train import fit, save

Paint = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


@pytest.mark.parametrize(("paint", "hidden"), [(paint_clouds, CLOUD), (paint_haze, CLOUD), (paint_snow, SNOW)])
def test_hidden_pixels_are_white_and_lose_their_texture(paint: Paint, hidden: int) -> None:
    ground = textured(96, 96).astype(np.float32)
    kept: dict[int, list[float]] = {CLEAR: [], hidden: []}
    for seed in range(40):
        painted, classes = paint(ground, np.random.default_rng(seed))
        assert painted.shape == ground.shape
        assert set(np.unique(classes)) <= {CLEAR, hidden, UNSURE}
        for kind, correlations in kept.items():
            chosen = classes == kind
            if chosen.sum() > 200:
                correlations.append(float(np.cov(painted[chosen].ravel(), ground[chosen].ravel())[0, 1]))
    variance = float(ground.var())
    assert np.median(kept[CLEAR]) > 0.6 * variance
    assert np.median(kept[hidden]) < 0.4 * variance
    assert min(len(values) for values in kept.values()) >= 5


class _Ground:
    def draw(self, rng: np.random.Generator) -> Sample:
        image = textured(128, 128, seed=int(rng.integers(100)))
        unchanged = np.zeros((128, 128), np.uint8)
        return Sample(image, image, unchanged, unchanged, unchanged.astype(np.int8))


def test_training_separates_cloud_from_ground_and_is_saved(tmp_path: Path) -> None:
    statistics, classes = draw_statistics([_Ground()], 60, np.random.default_rng(3))
    classifier = fit(statistics, classes, epochs=12)
    guessed = classifier.logits(statistics).argmax(axis=1)
    assert (guessed[classes == CLEAR] == CLEAR).mean() > 0.9
    assert (guessed[classes == CLOUD] != CLEAR).mean() > 0.6
    assert len(save(classifier, tmp_path / "weights.safetensors")) == 64
