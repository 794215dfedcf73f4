"""Reviewed alerts as training sources: shares, balanced drawing, manifests, missing sources."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from errors import SettingsError
from training.recipe import Mixture, Recipe, add_reviews, drop_missing_sources, read_recipe, write_recipe
from training.reviews.labelled_pairs import review_folders
from training.sources.samples import UNKNOWN, LabelledPairs
from training.sources.source_recipes import PairsRecipe


def _pairs(folder: Path, labels: dict[str, int], manifest: str | None) -> Path:
    """Write pairs of one colour each; labels have the stem's value (255, 0 or 128) in a corner and 128 elsewhere."""
    for name in ("A", "B", "label"):
        (folder / name).mkdir(parents=True)
    for number, (stem, value) in enumerate(labels.items(), 1):
        colour, label = np.full((64, 64, 3), number, np.uint8), np.full((64, 64), 128, np.uint8)
        label[:20, :20] = value
        for name, image in (("A", colour), ("B", colour), ("label", label)):
            assert cv2.imwrite(str(folder / name / f"{stem}.png"), image)
    if manifest is not None:
        (folder / "manifest.yaml").write_text(manifest)
    return folder


MANIFEST = "{{question: {}, gsd_m: 0.5, unknown: 128, appears: false}}"


def _recipe(root: Path, **changed: object) -> Recipe:
    _pairs(root / "base", {"b": 255}, None)
    source = {"kind": "pairs", "folder": "base", "question": "building", "weight": 3.0}
    values = {"network": "fast", "steps": 1, "batch": 1, "learning_rate": 0.1, "sources": [source]}
    return Recipe.model_validate(values | changed)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Eight building windows, one of them a false alarm, and four ground windows, all confirmed."""
    labels = {f"c{i}": 255 for i in range(7)} | {"f": 0}
    _pairs(tmp_path / "reviews" / "building", labels, MANIFEST.format("building"))
    _pairs(tmp_path / "reviews" / "ground", {f"g{i}": 255 for i in range(4)}, MANIFEST.format("ground"))
    return tmp_path / "reviews"


def test_the_share_of_reviews_is_divided_by_window_count(reviews: Path, tmp_path: Path) -> None:
    mixed = add_reviews(_recipe(tmp_path), [reviews], 0.4)
    weights = np.array([source.weight for source in mixed.sources])
    assert (weights / weights.sum()).tolist() == pytest.approx([0.6, 0.4 * 8 / 12, 0.4 * 4 / 12])
    _, building, ground = mixed.sources
    assert isinstance(building, PairsRecipe)
    assert isinstance(ground, PairsRecipe)
    assert (building.question, ground.question) == ("building", "ground")
    assert building.folder.is_absolute()
    assert (building.unknown, building.appears, building.gsd_m) == (128, False, 0.5)
    rng, mixture = np.random.default_rng(1), Mixture(mixed, tmp_path)
    drawn = [mixture.draw(rng) for _ in range(600)]
    ground_share = np.mean([sample.ground is not None for sample in drawn])
    assert ground_share == pytest.approx(0.4 / 3, abs=0.05)
    reviewed = np.mean([(s.building if s.ground is None else s.ground).max() == UNKNOWN for s in drawn])
    assert reviewed == pytest.approx(0.4, abs=0.07)


def test_false_alarms_are_drawn_as_often_as_confirmed_ones(reviews: Path) -> None:
    def share_of_false_alarms(balanced: bool) -> float:
        source = LabelledPairs(reviews / "building", "building", unknown=128, balanced=balanced)
        rng = np.random.default_rng(0)
        return float(np.mean([not (source.draw(rng).building == 1).any() for _ in range(300)]))

    assert share_of_false_alarms(balanced=True) == pytest.approx(0.5, abs=0.08)
    assert share_of_false_alarms(balanced=False) == pytest.approx(1 / 8, abs=0.06)


def test_balanced_drawing_works_without_false_alarms(reviews: Path) -> None:
    source = LabelledPairs(reviews / "ground", "ground", unknown=128, balanced=True)
    rng = np.random.default_rng(0)
    assert {int(source.draw(rng).before[0, 0, 0]) for _ in range(60)} == {1, 2, 3, 4}


def test_any_folder_with_a_manifest_can_be_added(tmp_path: Path) -> None:
    own = _pairs(tmp_path / "own", {"p": 255}, "question: ground\nweight: 2.0\nterms: ours\n")
    [(folder, question, manifest)] = review_folders(own)
    assert (folder, question, manifest.weight, manifest.unknown, manifest.appears) == (own, "ground", 2.0, None, True)
    source = add_reviews(_recipe(tmp_path), [own], 0.5).sources[1]
    assert (source.weight, source.terms) == (pytest.approx(3.0), "ours")


@pytest.mark.parametrize(
    ("labels", "manifest", "message"),
    [
        ({}, "", "holds no reviews"),
        ({"p": 0}, None, "has no manifest.yaml"),
        ({"p": 0}, "question: any\n", "can be evaluated but not trained"),
        ({"p": 0}, "question: colour\n", "question"),
        ({"p": 0}, "unknown: 300\n", "unknown"),
    ],
)
def test_folders_that_cannot_be_trained_on_are_rejected(
    labels: dict[str, int], manifest: str, message: str, tmp_path: Path
) -> None:
    if labels:
        _pairs(tmp_path / "own", labels, manifest)
    with pytest.raises(SettingsError, match=message):
        add_reviews(_recipe(tmp_path), [tmp_path / "own"], 0.3)


def test_missing_optional_sources_are_dropped_with_their_weight(reviews: Path, tmp_path: Path) -> None:
    base = {"kind": "pairs", "folder": "base", "question": "building", "weight": 1.0}
    gone = [
        {"kind": "pairs", "folder": "gone", "question": "ground", "weight": 5.0, "optional": True},
        {"kind": "unchanged", "folders": ["base/A", "gone/A"], "weight": 5.0, "optional": True},
        {"kind": "crossed", "folders": [{"folder": "gone", "gsd_m": 1}], "weight": 5.0, "optional": True},
    ]
    recipe = _recipe(tmp_path, sources=[base, *gone])
    assert [source.weight for source in drop_missing_sources(recipe, tmp_path).sources] == [1.0]
    assert Mixture(recipe, tmp_path).edges.tolist() == [1.0]
    mixed = add_reviews(drop_missing_sources(recipe, tmp_path), [reviews], 0.25)
    assert sum(source.weight for source in mixed.sources[1:]) == pytest.approx(1 / 3)


def test_a_recipe_without_any_data_is_rejected(tmp_path: Path) -> None:
    source = {"kind": "pairs", "folder": "gone", "question": "ground", "weight": 1.0}
    with pytest.raises(SettingsError, match="needs gone"):
        Mixture(_recipe(tmp_path, sources=[source]), tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(SettingsError, match="nothing to train on"):
        Mixture(_recipe(tmp_path / "other", sources=[source | {"optional": True}]), tmp_path)


@pytest.mark.parametrize("name", ["own", "own-fast"])
def test_the_shipped_recipes_need_no_data_but_rendered_scenes(name: str, tmp_path: Path) -> None:
    recipe = read_recipe(Path(f"training/{name}.yaml"))
    assert recipe.initial_weights == recipe.teacher == recipe.network
    assert {source.kind for source in recipe.sources if not source.optional} == {"rendered"}
    assert sum(source.kind == "rendered" for source in recipe.sources) == 1
    assert {"pairs", "unchanged"} <= {source.kind for source in recipe.sources}
    assert [source.kind for source in drop_missing_sources(recipe, tmp_path).sources] == ["rendered"]


def test_a_written_recipe_includes_its_reviews(reviews: Path, tmp_path: Path) -> None:
    mixed = add_reviews(_recipe(tmp_path), [reviews], 0.3)
    write_recipe(mixed, tmp_path / "recipe.yaml")
    assert read_recipe(tmp_path / "recipe.yaml") == mixed
    assert "sources_from" not in yaml.safe_load((tmp_path / "recipe.yaml").read_text())
