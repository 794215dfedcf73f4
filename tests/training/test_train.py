"""Training goes on where it was killed, asks each question only of its own data, and exports what it says."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from errors import SettingsError
from model.detector import Detector
from model.network import ChangeNetwork
from model.registry import find_layout
from model.weights import find_weights, load_network, save_weights
from tests.inference.scenes import textured
from training.augmentation.geometry import AugmentSettings, augment
from training.batches import batches
from training.building_presence import StandingHead, standing_loss
from training.card.facts import ValidationFolder
from training.export import export_run, load_run
from training.loss import gaps, imitation_loss, question_loss
from training.pixel_scores import BINS, PixelScores, measure_pairs, predict_image
from training.recipe import Mixture, Recipe, read_recipe
from training.sources.cross_pairs import CrossPairs, MaskedFolder, PastedBuildings, PastedWorks
from training.sources.relief_displacement import LeaningBuildings
from training.sources.samples import UNKNOWN, LabelledPairs, Sample, Unchanged
from training.sources.source_recipes import PairsRecipe
from training.synthetic import SceneSpec
from training.train import READ_EVERY, Progress, learning_rate, train


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image if image.ndim == 2 else image[..., ::-1])


class _Killed(Exception):  # noqa: N818
    pass


def test_a_killed_run_goes_on_as_if_nothing_had_happened(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    def kill(told: Progress) -> None:
        if told.step == 3:
            raise _Killed

    whole = train(recipe, data, tmp_path / "whole", workers=0)
    with pytest.raises(_Killed):
        train(recipe, data, tmp_path / "killed", workers=0, report=kill)
    seen: list[int] = []
    resumed = train(recipe, data, tmp_path / "killed", workers=0, report=lambda told: seen.append(told.step))
    assert seen == [3, 4]
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_share_of_the_beginning_ships(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    mixed = recipe.model_copy(update={"begin_with": "fast", "begin_share": 0.75, "steps": 2, "learning_rate": 0.01})
    learned = train(mixed, data, tmp_path, workers=0).state_dict()
    begun = load_network(find_weights("fast")).state_dict()
    shipped, step = load_run(tmp_path, mixed.begin_share)
    assert step == 2
    assert any(not torch.equal(learned[name], begun[name]) for name in begun)
    for name, number in shipped.state_dict().items():
        expected = 0.75 * begun[name].float() + 0.25 * learned[name].float()
        assert torch.allclose(number.float(), expected, atol=1e-5) or not number.is_floating_point()


def test_a_run_that_did_not_keep_its_beginning_has_no_share_of_it(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    train(recipe.model_copy(update={"steps": 1}), data, tmp_path, workers=0)
    with pytest.raises(SettingsError, match="trained without begin_share"):
        load_run(tmp_path, 0.5)


def test_each_step_is_told_where_losses_are_read_together(
    data: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one: list[Progress] = []
    train(recipe, data, tmp_path / "single", workers=0, report=one_by_one.append)
    monkeypatch.setitem(READ_EVERY, "cpu", 3)
    together: list[Progress] = []
    train(recipe.model_copy(update={"save_every": 100}), data, tmp_path / "many", workers=0, report=together.append)
    assert [told.step for told in together] == [1, 2, 3, 4]
    assert [told.loss for told in together] == pytest.approx([told.loss for told in one_by_one], abs=1e-4)
    assert len((tmp_path / "many" / "log.csv").read_text("utf-8").splitlines()) == 5
    assert (tmp_path / "many" / "checkpoint.pt").exists()


def test_samples_do_not_depend_on_who_makes_them(data: Path, recipe: Recipe) -> None:
    alone, shared = (list(batches(recipe, data, 1, workers)) for workers in (0, 2))
    assert len(alone) == len(shared) == 3
    for one, other in zip(alone, shared, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_run_of_another_network_is_not_taken_over(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    train(recipe.model_copy(update={"steps": 1}), data, tmp_path, workers=0)
    with pytest.raises(SettingsError, match="another folder"):
        train(recipe.model_copy(update={"network": "accurate"}), data, tmp_path, workers=0)


def test_the_rate_rises_and_falls_to_nothing(recipe: Recipe) -> None:
    long = recipe.model_copy(update={"steps": 1000, "warmup_steps": 100})
    rates = [learning_rate(long, step) for step in range(1001)]
    assert max(rates) == pytest.approx(0.001)
    assert rates[0] < rates[50] < rates[99]
    assert rates[1000] == pytest.approx(0)


def test_sources_answer_only_their_question(data: Path) -> None:
    rng = np.random.default_rng(0)
    buildings = LabelledPairs(data / "buildings", "building").draw(rng)
    assert buildings.building is not None
    assert buildings.ground is None
    grounds = LabelledPairs(data / "grounds", "ground").draw(rng)
    assert grounds.building is None
    assert grounds.ground is not None
    same = Unchanged([data / "single" / "images"]).draw(rng)
    assert np.array_equal(same.before, same.after)
    assert not same.building.any()
    assert not same.ground.any()


def test_crossed_pairs_are_labelled_where_the_masks_differ(data: Path) -> None:
    sample = CrossPairs([MaskedFolder(data / "single", 0.5)], size=64).draw(np.random.default_rng(3))
    assert sample.building is not None
    assert np.array_equal(sample.building > 0, sample.direction != 0)
    assert np.array_equal(sample.building, sample.stood ^ sample.stands)
    assert sample.ground is None


def test_a_pasted_building_changes_the_picture_where_the_label_says_so(data: Path) -> None:
    source = PastedBuildings([MaskedFolder(data / "single", 0.5)], size=64, target_m=(0.5, 0.5))
    rng = np.random.default_rng(3)
    drawn = [source.draw(rng) for _ in range(40)]
    changed = [s for s in drawn if (s.building == 1).any()]
    assert len(changed) > 5, "most draws bring a building"
    for sample in changed:
        new = sample.building == 1
        assert np.array_equal(sample.direction[new] > 0, sample.stands[new] == 1)
        # far from every piece that was set in, the place stays as it was
        calm = cv2.dilate((sample.before != sample.after).any(axis=2).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
        assert not new[calm].any()
    assert any((s.before != s.after).any() and not (s.building == 1).any() for s in drawn), "seams without a change"


def test_what_nobody_reviewed_is_not_asked(data: Path, tmp_path: Path) -> None:
    label = np.full((96, 96), 128, np.uint8)
    label[:10], label[20:40] = 0, 255
    for name, image in (("A", textured(96, 96)), ("B", textured(96, 96)), ("label", label)):
        _write(tmp_path / name / "one.png", image)
    sample = LabelledPairs(tmp_path, "ground", unknown=128, appears=False).draw(np.random.default_rng(0))
    assert sample.ground is not None
    assert set(np.unique(sample.ground[:10])) == {0}
    assert set(np.unique(sample.ground[20:40])) == {1}
    assert set(np.unique(sample.ground[50:])) == {UNKNOWN}
    assert not sample.direction.any(), "whether it appeared nobody said"


def test_augmentation_moves_image_and_label_together() -> None:
    image = np.full((96, 96, 3), 60, np.uint8)
    after, label = image.copy(), np.zeros((96, 96), np.uint8)
    after[30:60, 30:60] = 230
    label[30:60, 30:60] = 1
    sample = Sample(image, after, label, None, label.astype(np.int8))
    calm = AugmentSettings(size=96, shift_px=0.0, distort=0.0, vehicles=0.0, nodata=0.0)
    shares, signs = [], set()
    for seed in range(20):
        varied = augment(sample, np.random.default_rng(seed), calm)
        assert varied.building is not None
        assert varied.ground is None
        changed = varied.building > 0
        difference = np.abs(varied.after.astype(int) - varied.before.astype(int)).mean(axis=2)
        if changed.any() and not changed.all():
            shares.append(difference[changed].mean() > 2 * difference[~changed].mean())
        signs |= set(np.unique(varied.direction[changed]))
    assert np.mean(shares) > 0.9
    assert signs == {-1, 1}, "dates are exchanged now and then, and the sign with them"


def test_a_recipe_with_a_mistake_names_it(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(
        "network: fast\nsteps: 0\nbatch: 2\nlearning_rate: 0.1\nsources: []\ncolour: red\n"
    )
    with pytest.raises(SettingsError, match=r"steps.*colour"):
        read_recipe(tmp_path / "r.yaml")


def test_shipped_recipes_can_be_read() -> None:
    assert read_recipe(Path("training/fast.yaml")).network == "fast"


def test_a_mixture_keeps_to_its_weights(data: Path, recipe: Recipe) -> None:
    mixture = Mixture(recipe, data)
    rng = np.random.default_rng(0)
    share = np.mean([mixture.draw(rng).building is not None for _ in range(60)])
    assert 0.3 < share < 0.7


def test_scores_follow_from_counted_pixels() -> None:
    changed, unchanged = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    changed[[20, 180]] = 30, 70  # probabilities 0.1 and 0.9
    unchanged[[10, 160]] = 880, 60
    at = PixelScores(1, changed, unchanged).at(0.5)
    assert at["precision"] == pytest.approx(70 / 130)
    assert at["recall"] == pytest.approx(0.7)
    assert at["f1"] == pytest.approx(2 * 70 / (2 * 70 + 60 + 30))
    assert at["iou"] == pytest.approx(70 / 160)
    assert 0.8 < PixelScores(1, changed, unchanged).best_threshold() <= 0.9


def test_whole_images_of_any_size_are_compared(tmp_path: Path) -> None:
    save_weights(ChangeNetwork(find_layout("fast")), "new", {"building": 0.5, "ground": 0.5}, tmp_path)
    detector = Detector("new", runtime="torch-cpu", folder=tmp_path)
    image = textured(70, 90)
    assert predict_image(detector, image, image).shape == (3, 70, 90)


def test_an_exported_run_has_checksum_thresholds_and_a_card(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, data, tmp_path / "run", workers=0)
    folder = tmp_path / "weights"
    asked = [ValidationFolder("grounds", "ground")]
    scene = SceneSpec(seed=102, width=128, height=128, gsd_m=2.0)
    weights, facts = export_run(
        recipe, tmp_path / "run", data, "mine", asked, folder=folder, robustness=False, scenes=[scene]
    )
    assert json.loads((folder / "checksums.json").read_text())["mine"]["sha256"] == weights.sha256
    assert set(weights.threshold) == {"building", "ground"}
    card = (folder / "mine.md").read_text()
    assert weights.sha256 in card
    assert "| `grounds`, ground | 2 |" in card
    assert "Robustness" not in card, "not asked for"
    [one] = facts.folders
    again = measure_pairs(
        Detector("mine", runtime="torch-cpu", folder=folder), LabelledPairs(data / "grounds", "ground")
    )
    assert one.found.pixel["f1"] == pytest.approx(again.at(weights.threshold["ground"])["f1"], abs=0.05)


def test_what_a_person_answered_is_not_taught_back() -> None:
    logits = torch.zeros(1, 2, 4, 4, requires_grad=True)
    answers = torch.full((1, 2, 4, 4), UNKNOWN, dtype=torch.uint8)
    answers[0, 0, :2] = 0
    imitation_loss(logits, torch.full((1, 2, 4, 4), 0.9), answers == UNKNOWN).backward()
    assert logits.grad is not None
    assert not logits.grad[0, 0, :2].any()
    assert (logits.grad[0, 0, 2:] < 0).all(), "elsewhere it is pulled towards what was taught"


def test_a_run_learns_from_a_teacher(data: Path, recipe: Recipe, tmp_path: Path) -> None:
    values = {"steps": 1, "begin_with": "fast", "learning_rate": 0.05, "ema": 0.01, "warmup_steps": 0}
    alone = train(recipe.model_copy(update=values), data, tmp_path / "alone", workers=0)
    taught = train(recipe.model_copy(update=values | {"teacher": "fast"}), data, tmp_path / "taught", workers=0)
    differs = [
        not torch.equal(one, other)
        for one, other in zip(alone.state_dict().values(), taught.state_dict().values(), strict=True)
    ]
    assert any(differs)


def test_pasted_works_change_the_ground_where_the_label_says_so(data: Path) -> None:
    places = Unchanged([data / "single" / "images"])
    source = PastedWorks(places, LabelledPairs(data / "grounds", "ground"))
    samples = [source.draw(np.random.default_rng(seed)) for seed in range(12)]
    assert any(sample.ground.any() for sample in samples)
    for sample in samples:
        far = cv2.dilate(sample.ground, np.ones((21, 21), np.uint8)) == 0
        assert np.array_equal(sample.before[far], sample.after[far])
        # nobody said whether the works hold a building; that nothing was built elsewhere is known
        assert (sample.building[sample.ground == 1] == UNKNOWN).all()
        assert not sample.building[sample.ground == 0].any()
    whole = [sample for sample in samples if sample.ground.sum() > 500]
    changed = [np.abs(s.after.astype(int) - s.before)[s.ground == 1].mean() for s in whole]
    assert np.median(changed) > 5  # a white house may be set onto a white house


def test_a_tower_leans_another_way_on_each_date_and_nothing_changed(data: Path) -> None:
    source = LeaningBuildings([MaskedFolder(data / "single", 0.5)], size=96, target_m=(0.5, 0.5))
    for seed in range(6):
        sample = source.draw(np.random.default_rng(seed))
        assert sample.building is not None
        assert sample.ground is not None
        assert not sample.building.any()
        assert not sample.ground.any()
        for image, roofs in ((sample.before, sample.stood), (sample.after, sample.stands)):
            assert roofs is not None
            # the house is white and the ground is not: its roof has moved as a whole, and walls are asked of nobody
            assert image[roofs == 1].mean() > 230
            assert image[roofs == 0].mean() < 200
            assert (roofs == UNKNOWN).any()
        assert (sample.stood != sample.stands).any(), "both dates show it from the same side"


def test_a_gap_is_what_lies_between_buildings() -> None:
    answer = torch.zeros(1, 32, 32, dtype=torch.uint8)
    answer[0, 8:24, 4:12] = answer[0, 8:24, 16:24] = 1
    expected = torch.zeros(1, 32, 32)
    expected[0, 8:24, 12:16] = 1
    assert torch.equal(gaps(answer), expected)
    far = torch.zeros(1, 32, 32, dtype=torch.uint8)
    far[0, 8:24, 2:8] = far[0, 8:24, 20:26] = 1
    assert not gaps(far).any()


def test_a_missed_gap_costs_more_than_the_same_mistake_in_the_open() -> None:
    answer = torch.zeros(1, 32, 32, dtype=torch.uint8)
    answer[0, 8:24, 4:12] = answer[0, 8:24, 16:24] = 1
    right = (answer.float() - 0.5) * 8
    melted, spilled = right.clone(), right.clone()
    melted[0, 8:24, 12:16] = 4.0
    spilled[0, 8:24, 24:28] = 4.0
    more = 4.0 * gaps(answer)
    assert question_loss(melted, answer, more) > 2 * question_loss(spilled, answer, more)
    assert question_loss(melted, answer) == pytest.approx(float(question_loss(spilled, answer)))


def test_pairs_held_back_are_never_drawn(data: Path) -> None:
    source = PairsRecipe(folder=Path("buildings"), question="building", weight=1, held_back=0.5)
    kept, held = source.pairs(data, held=False).pairs, source.pairs(data, held=True).pairs
    assert len(kept) == len(held) == 1
    assert kept[0] < held[0], "the last in the order of their names are held back"
    opened = source.open(data)
    assert isinstance(opened, LabelledPairs)
    assert opened.pairs == kept


def test_the_auxiliary_task_is_asked_of_known_pixels_only() -> None:
    torch.manual_seed(0)
    head = StandingHead((4, 4, 4, 4))
    features = [torch.randn(2, 4, 32 // 2**level, 32 // 2**level, requires_grad=True) for level in range(4)]
    standing = torch.full((2, 64, 64), UNKNOWN, dtype=torch.uint8)
    standing[0, :16] = 1
    standing_loss(head, features, standing).backward()
    finest = features[1].grad
    assert finest is not None
    assert finest[0, :, :4].abs().sum() > 0
    # the 3×3 convolution reaches one cell further
    assert finest[0, :, 6:].abs().sum() == 0
    assert finest[1].abs().sum() == 0
