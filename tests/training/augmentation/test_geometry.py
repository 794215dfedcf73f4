"""Geometric augmentation keeps images and labels aligned."""

from __future__ import annotations

import numpy as np

from training.augmentation.geometry import AugmentSettings, augment
from training.sources.samples import Sample


def test_augmentation_moves_image_and_label_together() -> None:
    image = np.full((96, 96, 3), 60, np.uint8)
    after, label = image.copy(), np.zeros((96, 96), np.uint8)
    after[30:60, 30:60] = 230
    label[30:60, 30:60] = 1
    sample = Sample(image, after, label, None, label.astype(np.int8))
    settings = AugmentSettings(size=96, shift_px=0.0, distort=0.0, vehicles=0.0, nodata=0.0)
    shares, signs = [], set()
    for seed in range(20):
        varied = augment(sample, np.random.default_rng(seed), settings)
        assert varied.building is not None
        assert varied.ground is None
        changed = varied.building > 0
        difference = np.abs(varied.after.astype(int) - varied.before.astype(int)).mean(axis=2)
        if changed.any() and not changed.all():
            shares.append(difference[changed].mean() > 2 * difference[~changed].mean())
        signs |= set(np.unique(varied.direction[changed]))
    assert np.mean(shares) > 0.9
    assert signs == {-1, 1}, "swapped dates change the sign of the direction"


def test_watermarks_change_the_image_and_no_label() -> None:
    image = np.full((96, 96, 3), 90, np.uint8)
    unchanged = np.zeros((96, 96), np.uint8)
    sample = Sample(image, image.copy(), unchanged, unchanged, unchanged.astype(np.int8))
    settings = AugmentSettings(size=96, shift_px=0.0, distort=0.0, vehicles=0.0, nodata=0.0, watermark=1.0)
    varied = [augment(sample, np.random.default_rng(seed), settings) for seed in range(12)]
    marked = [max((v.before != 90).mean(), (v.after != 90).mean()) for v in varied]
    assert np.median(marked) > 0.01
    assert max(marked) < 0.7, "most of the ground stays visible"
    assert not any(v.building.any() or v.ground.any() for v in varied)
