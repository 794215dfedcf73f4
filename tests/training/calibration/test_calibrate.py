"""Calibration on made data: a known scaling is recovered, thresholds follow, the coarse look loses what was allowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from errors import SettingsError
from inference.looks import choose_looks, choose_thresholds
from inference.settings import read_config
from model.calibration import Calibration, Knot
from model.looks import CoarseLook
from model.registry import find_layout
from model.weights import Weights
from tests.inference.scenes import DifferenceDetector, textured
from tests.training.labelled import write_picture
from training.calibration.calibrate import MAX_LOST, calibrate
from training.calibration.held_out_pairs import held_out_pairs
from training.calibration.platt import CENTRES, LogitCounts, calibration_error, f_scores, fit_line
from training.card.calibration import HEADING, calibration_section, update_card
from training.recipe import Recipe

PROFILES = read_config().profiles
CALIBRATION = Calibration(
    {
        "building": (Knot(0.5, 1.0, -1.0, 0.5, 0.3), Knot(10.0, 0.5, 2.0, 0.3, 0.1)),
        "ground": (Knot(1.0, 1.0, 0.0, 0.4, 0.2),),
    },
    {"building": 0.05, "ground": 0.04},
)


def _weights(calibration: Calibration | None) -> Weights:
    return Weights("w", Path(), "0" * 64, find_layout("fast"), {"building": 0.6, "ground": 0.6}, calibration)


def _counts(slope: float, offset: float, mean: float = -4.0) -> LogitCounts:
    """Return pixels whose true probability of change is ``sigmoid(slope · logit + offset)``."""
    total = 1e6 * np.exp(-(((CENTRES - mean) / 3) ** 2))
    p = 1 / (1 + np.exp(-(slope * CENTRES + offset)))
    return LogitCounts(total * p, total * (1 - p))


def test_a_known_scaling_is_recovered() -> None:
    counts = _counts(0.6, -1.5)
    slope, offset = fit_line([counts])
    assert (slope, offset) == pytest.approx((0.6, -1.5), abs=0.02)
    assert calibration_error(counts, (1.0, 0.0)) > 5 * calibration_error(counts, (slope, offset))


def test_sources_weigh_the_same_whatever_their_size() -> None:
    small, large = _counts(1.0, -2.0), _counts(1.0, 1.0)
    huge = LogitCounts(1000 * large.changed, 1000 * large.unchanged)
    assert fit_line([small, large]) == pytest.approx(fit_line([small, huge]), abs=1e-6)


def test_separable_pixels_give_a_finite_scaling() -> None:
    counts = LogitCounts(np.where(CENTRES > 3, 10.0, 0.0), np.where(CENTRES < -3, 10.0, 0.0))
    slope, offset = fit_line([counts])
    assert 0 < slope <= 3
    assert abs(offset) < 10


def test_f_scores_are_those_of_the_counted_pixels() -> None:
    changed, unchanged = np.zeros((2, len(CENTRES)))
    changed[[100, 400]], unchanged[[50, 450]] = (30, 70), (880, 60)
    scores = f_scores(LogitCounts(changed, unchanged), (1.0, 0.0), np.array([0.5]), 1.0)
    assert scores[0] == pytest.approx(2 * 70 / (2 * 70 + 60 + 30))


@pytest.mark.parametrize(
    ("profile", "gsd_m", "grid_m", "scales"),
    [
        ("drone", 0.05, 0.25, ["3/4", "5/4"]),
        ("aerial", 0.5, 0.5, ["3/4", "3/2"]),
        ("satellite", 0.8, 0.5, ["3/4", "3/2"]),
        ("satellite", 2.0, 0.5, ["3/4", "1"]),
        ("satellite", 4.0, 1.0, ["1"]),
        ("medium", 10.0, 10.0, ["2", "3"]),
    ],
)
def test_a_profile_names_the_looks_and_nothing_is_enlarged_more_than_four_times(
    profile: str, gsd_m: float, grid_m: float, scales: list[str]
) -> None:
    looks = choose_looks(_weights(CALIBRATION), PROFILES[profile], gsd_m, grid_m)
    assert [str(scale) for scale in looks.scales] == scales
    assert all(grid_m / scale >= gsd_m / 4.001 for scale in map(float, looks.scales) if gsd_m > grid_m)


def test_looks_follow_from_profile_and_calibration() -> None:
    aerial = PROFILES["aerial"]
    calibrated = choose_looks(_weights(CALIBRATION), aerial, 0.5, 0.5)
    assert isinstance(calibrated.coarse, CoarseLook)
    assert calibrated.coarse.cut == {"building": 0.05, "ground": 0.04}
    assert calibrated.calibration["building"] == (1.0, -1.0)
    assert choose_looks(_weights(CALIBRATION), PROFILES["medium"], 10, 10).calibration["building"] == (0.5, 2.0)
    switched_off = aerial.model_copy(update={"coarse_to_fine": False})
    assert choose_looks(_weights(CALIBRATION), switched_off, 0.5, 0.5).coarse is None
    uncalibrated = choose_looks(_weights(None), aerial, 0.5, 0.5)
    assert uncalibrated.coarse is None
    assert uncalibrated.calibration["building"] == (1.0, 0.0)


def test_thresholds_follow_from_the_operating_point() -> None:
    assert choose_thresholds(_weights(CALIBRATION), "inspect", 0.5) == {"building": 0.5, "ground": 0.4}
    assert choose_thresholds(_weights(CALIBRATION), "all", 0.5) == {"building": 0.3, "ground": 0.2}
    assert choose_thresholds(_weights(CALIBRATION), "all", 0.5, {"ground": 0.9}) == {"building": 0.3, "ground": 0.9}
    assert choose_thresholds(_weights(CALIBRATION), "inspect", 20) == {"building": 0.3, "ground": 0.4}
    assert choose_thresholds(_weights(None), "all", 0.5) == {"building": 0.6, "ground": 0.6}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return folders of pairs with a white house or a red pit, and of unchanged pairs."""
    root = tmp_path_factory.mktemp("pairs")
    for number in range(14):
        image = textured(128, 128, seed=number)
        label = np.zeros((128, 128), np.uint8)
        top = 10 + 4 * number
        label[top : top + 40, 30:80] = 255
        for folder, colour in (("houses", (245, 245, 245)), ("pits", (245, 110, 20))):
            after = image.copy()
            after[label > 0] = colour
            for name, content in (("A", image), ("B", after), ("label", label)):
                write_picture(root / folder / name / f"p{number:02}.png", content)
        for name in ("A", "B"):
            write_picture(root / "same" / name / f"p{number:02}.png", image)
    return root


def _recipe(split: float = 0.5) -> Recipe:
    common = {"kind": "pairs", "gsd_m": 0.5, "weight": 1, "validation_split": split}
    return Recipe.model_validate(
        {
            "network": "fast",
            "steps": 1,
            "batch": 1,
            "learning_rate": 0.001,
            "sources": [
                {**common, "folder": "houses", "question": "building"},
                {**common, "folder": "pits", "question": "ground"},
                {"kind": "unchanged_pairs", "folder": "same", "weight": 1},
            ],
        }
    )


@pytest.fixture(scope="module")
def calibration(root: Path) -> Calibration:
    return calibrate(DifferenceDetector(), _recipe(), root, read_config())  # type: ignore[arg-type]


def test_only_pairs_kept_out_of_training_are_used(root: Path) -> None:
    sources = held_out_pairs(_recipe(), root)
    assert [(s.name, s.gsd_m, s.count) for s in sources] == [
        ("houses", 0.5, 7),
        ("houses, reduced", 1.0, 7),
        ("pits", 0.5, 7),
        ("pits, reduced", 1.0, 7),
        ("same", 0.5, 7),
    ]
    trained = {path.stem for path, _, _ in _recipe().sources[0].pairs(root, validation=False).pairs}  # type: ignore[union-attr]
    assert not trained & {pair.name for pair in sources[0].read()}
    few = held_out_pairs(_recipe(0.1), root)
    assert [(s.held_out, s.count) for s in few[:1]] == [(False, 14)], "one pair alone says nothing"


def test_thresholds_find_the_changes_and_the_score_is_calibrated(calibration: Calibration) -> None:
    assert {knot.gsd_m for knot in calibration.knots["building"]} == {0.5, 1.0}
    for source in calibration.record["sources"]:
        assert source["f1"] > 0.6
        assert source["ece"] < source["ece_before"] + 0.01
    for output in ("building", "ground"):
        for knot in calibration.knots[output]:
            assert calibration.coarse_cut[output] < knot.all <= knot.inspect
        assert calibration.record["unchanged"][output]["per_km2"]["inspect"] == 0


def test_the_coarse_look_loses_what_was_allowed(calibration: Calibration) -> None:
    lost = [source["lost_by_coarse_look"] for source in calibration.record["sources"]]
    assert None not in lost
    assert np.mean(lost) <= MAX_LOST + 1e-9


def test_an_output_without_pairs_kept_out_is_an_error(root: Path) -> None:
    recipe = _recipe()
    recipe = recipe.model_copy(update={"sources": recipe.sources[:1]})
    with pytest.raises(SettingsError, match=r"'ground'.*validation_split"):
        calibrate(DifferenceDetector(), recipe, root, read_config())  # type: ignore[arg-type]


def test_the_card_states_errors_operating_points_and_the_cost_of_the_coarse_look(
    calibration: Calibration, tmp_path: Path
) -> None:
    section = calibration_section(calibration)
    for word in ("`houses, reduced`", "calibration error", "inspect", "lost by the coarse look", "coarse_to_fine"):
        assert word in section
    weights = replace(_weights(calibration), path=tmp_path / "w.safetensors")
    update_card(weights)
    assert not (tmp_path / "w.md").exists()
    (tmp_path / "w.md").write_text(f"# Weights\n\ntext\n\n{HEADING}\n\nformer text\n\n## Scores\n\nF1\n")
    update_card(weights)
    once = (tmp_path / "w.md").read_text()
    assert "former" not in once
    assert once.startswith("# Weights\n\ntext\n\n## Calibration")
    assert once.endswith("## Scores\n\nF1\n")
    update_card(weights)
    assert (tmp_path / "w.md").read_text() == once


def test_swapped_dates_give_the_same_figure(root: Path, tmp_path: Path) -> None:
    from training.evaluation.evaluate import evaluate_folder

    swapped = tmp_path / "swapped"
    swapped.mkdir()
    for name, source in (("A", "B"), ("B", "A"), ("label", "label")):
        (swapped / name).symlink_to(root / "houses" / source)
    weights = replace(_weights(CALIBRATION), layout=find_layout("fast"))
    detector = DifferenceDetector(weights=weights)
    forward, backward = (
        evaluate_folder(folder, detector, gsd_m=0.5, limit=3)  # type: ignore[arg-type]
        for folder in (root / "houses", swapped)
    )
    assert forward.pixel["f1"] > 0.6
    assert backward.pixel == pytest.approx(forward.pixel, abs=1e-4)
