"""The visibility classifier finds white smooth cover where the other date shows ground, and nothing on clear ground."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from errors import WeightsError
from model.visibility import classifier
from model.visibility.classifier import CLASSES, SHA256, WEIGHTS, visibility_classifier
from model.visibility.local_statistics import COUNT, REACH, local_statistics
from tests.inference.scenes import textured

SIDE = 128
VALID = np.ones((SIDE, SIDE), bool)


def _cloud(image: np.ndarray, centre: tuple[int, int], radius: float) -> np.ndarray:
    """Paint a round cloud whose edge fades over half of its radius."""
    y, x = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(y - centre[0], x - centre[1]) / radius
    opacity = np.clip((1.25 - distance) * 2, 0, 1)[..., None]
    return np.asarray(image * (1 - opacity) + np.array((240, 242, 246)) * opacity, dtype=np.uint8)


def test_the_weights_are_those_that_were_published() -> None:
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == SHA256
    assert visibility_classifier().layers[0][0].shape[0] == COUNT
    assert WEIGHTS.with_suffix(".md").exists()


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "visibility.safetensors"
    damaged.write_bytes(WEIGHTS.read_bytes()[:-1] + b"\x00")
    monkeypatch.setattr(classifier, "WEIGHTS", damaged)
    with pytest.raises(WeightsError, match="expected"):
        classifier.visibility_classifier.__wrapped__()


@pytest.mark.parametrize("later", [False, True])
def test_cloud_is_found_on_its_own_date_only(later: bool) -> None:
    ground = textured(SIDE, SIDE)
    images = (_cloud(ground, (60, 70), 30), ground) if not later else (ground, _cloud(ground, (60, 70), 30))
    probabilities = visibility_classifier().predict(images, (VALID, VALID))
    clear = [p[..., CLASSES.index("clear")] for p in probabilities]
    core = np.zeros((SIDE, SIDE), bool)
    cv2.circle(mask := core.astype(np.uint8), (70, 60), 24, 1, -1)
    assert (clear[later][mask > 0] < 0.5).mean() > 0.97
    assert (clear[not later] > 0.5).mean() > 0.97
    beyond = cv2.dilate(mask, np.ones((51, 51), np.uint8)) == 0
    assert (clear[later][beyond] > 0.5).mean() > 0.97


def test_statistics_depend_on_their_surroundings_only() -> None:
    first, second = textured(SIDE, SIDE, seed=1), textured(SIDE, SIDE, seed=2)
    whole = local_statistics((first, second), (VALID, VALID))
    part = np.s_[20 : 20 + 90, 30 : 30 + 90]
    cut = local_statistics((first[part], second[part]), (VALID[part], VALID[part]))
    inner = np.s_[REACH:-REACH, REACH:-REACH]
    for of_whole, of_part in zip(whole, cut, strict=True):
        assert of_whole.shape[-1] == COUNT
        np.testing.assert_allclose(of_part[inner], of_whole[part][inner], atol=2e-3)


def test_pixels_without_data_do_not_change_the_statistics_around() -> None:
    image = textured(SIDE, SIDE)
    holed, valid = image.copy(), VALID.copy()
    valid[40:60, 40:60] = False
    holed[~valid] = 0
    other = holed.copy()
    other[~valid] = 255
    dark, bright = (local_statistics((x, image), (valid, VALID))[0][valid] for x in (holed, other))
    np.testing.assert_allclose(dark, bright, atol=2e-3)
