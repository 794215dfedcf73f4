"""Exported runs: weight interpolation, thresholds, checksum and card; pixel scores they are based on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from errors import SettingsError
from model.detector import Detector
from model.network import ChangeNetwork
from model.registry import find_layout
from model.weights import find_weights, load_network, save_weights
from tests.inference.scenes import textured
from training.card.facts import ValidationFolder
from training.export import export_run, load_run
from training.pixel_scores import BINS, PixelScores, measure_pairs, predict_image
from training.recipe import Recipe
from training.sources.samples import LabelledPairs
from training.synthetic import SceneSpec
from training.train import train


def test_exported_weights_are_interpolated_with_the_initial_ones(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    interpolating = recipe.model_copy(
        update={"initial_weights": "fast", "weight_interpolation": 0.75, "steps": 2, "learning_rate": 0.01}
    )
    trained = train(interpolating, data, tmp_path, workers=0).state_dict()
    initial = load_network(find_weights("fast")).state_dict()
    exported, step = load_run(tmp_path, interpolating.weight_interpolation)
    assert step == 2
    assert any(not torch.equal(trained[name], initial[name]) for name in initial)
    for name, tensor in exported.state_dict().items():
        expected = 0.75 * initial[name].float() + 0.25 * trained[name].float()
        assert torch.allclose(tensor.float(), expected, atol=1e-5) or not tensor.is_floating_point()


def test_interpolation_needs_the_initial_weights_in_the_checkpoint(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    train(recipe.model_copy(update={"steps": 1}), data, tmp_path, workers=0)
    with pytest.raises(SettingsError, match="trained without weight_interpolation"):
        load_run(tmp_path, 0.5)


def test_an_exported_run_has_checksum_thresholds_and_a_card(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, data, tmp_path / "run", workers=0)
    folder = tmp_path / "weights"
    validation = [ValidationFolder("grounds", "ground")]
    scene = SceneSpec(seed=102, width=128, height=128, gsd_m=2.0)
    weights, facts = export_run(
        recipe, tmp_path / "run", data, "mine", validation, folder=folder, robustness=False, scenes=[scene]
    )
    assert json.loads((folder / "checksums.json").read_text())["mine"]["sha256"] == weights.sha256
    assert set(weights.threshold) == {"building", "ground"}
    card = (folder / "mine.md").read_text()
    assert weights.sha256 in card
    assert "| `grounds`, ground | 2 |" in card
    assert "Robustness" not in card, "not requested"
    [one] = facts.folders
    again = measure_pairs(
        Detector("mine", runtime="torch-cpu", folder=folder), LabelledPairs(data / "grounds", "ground")
    )
    assert one.evaluation.pixel["f1"] == pytest.approx(again.at(weights.threshold["ground"])["f1"], abs=0.05)


def test_scores_follow_from_counted_pixels() -> None:
    changed, unchanged = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    changed[[20, 180]] = 30, 70  # probabilities 0.1 and 0.9
    unchanged[[10, 160]] = 880, 60
    scores = PixelScores(1, changed, unchanged).at(0.5)
    assert scores["precision"] == pytest.approx(70 / 130)
    assert scores["recall"] == pytest.approx(0.7)
    assert scores["f1"] == pytest.approx(2 * 70 / (2 * 70 + 60 + 30))
    assert scores["iou"] == pytest.approx(70 / 160)
    assert 0.8 < PixelScores(1, changed, unchanged).best_threshold() <= 0.9


def test_complete_images_of_any_size_are_compared(tmp_path: Path) -> None:
    save_weights(ChangeNetwork(find_layout("fast")), "new", {"building": 0.5, "ground": 0.5}, tmp_path)
    detector = Detector("new", runtime="torch-cpu", folder=tmp_path)
    image = textured(70, 90)
    assert predict_image(detector, image, image).shape == (3, 70, 90)


@pytest.mark.slow
def test_an_export_overwrites_nothing_and_refuses_weights_that_became_worse(
    data: Path, recipe: Recipe, tmp_path: Path
) -> None:
    ruined = recipe.model_copy(update={"network": "fast", "initial_weights": "fast", "steps": 2, "learning_rate": 0.5})
    train(ruined, data, tmp_path / "run", workers=0)
    folder, scene = tmp_path / "weights", SceneSpec(seed=102, width=128, height=128, gsd_m=2.0)

    def export(**options: bool) -> float:
        weights, facts = export_run(
            ruined, tmp_path / "run", data, "mine", [], folder=folder, robustness=False, scenes=[scene], **options
        )
        assert find_weights("mine", folder) == weights
        assert {one.question for one in facts.initial} == {"building", "ground"}
        return facts.rendered[0].evaluation.pixel["f1"]

    with pytest.raises(SettingsError, match=r"made 'fast', from which it started, worse: F1 .*--force"):
        export()
    assert not folder.exists()
    export(allow_worse=True)
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {"mine.safetensors", "mine.md", "checksums.json"} <= set(written)
    with pytest.raises(SettingsError, match=r"'mine' exist already .*--overwrite"):
        export(allow_worse=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == written
