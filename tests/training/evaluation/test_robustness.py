"""Robustness curves start at the undisturbed score, fall with the disturbance, and gain from registration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import training.augmentation.appearance
from tests.inference.scenes import one_look
from tests.training.labelled import StarkDetector, write_pair
from training.evaluation.evaluate import evaluate_folder
from training.evaluation.pair_decoding import read_pair
from training.evaluation.pair_listing import list_pairs
from training.evaluation.resampled import scaled
from training.evaluation.robustness import blurred, shifted, swapped, with_gamma

pytestmark = pytest.mark.usefixtures("plain_exposure")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("folder")
    write_pair(root, "one", (192, 180), truth=((40, 100, 50, 110),))
    write_pair(root, "three", (192, 180), truth=((120, 160, 90, 130),), visible=((120, 160, 90, 150),))
    return root


@pytest.fixture(scope="module")
def curves(folder: Path) -> dict:
    found = evaluate_folder(folder, StarkDetector(), gsd_m=0.5, config=one_look(), robustness=True)
    assert found.robustness is not None
    return {"undisturbed": found.pixel["f1"], **found.robustness}


def test_every_curve_contains_the_undisturbed_score(curves: dict) -> None:
    neutral_points = {"shift": ("px", 0), "gamma": ("gamma", 1), "blur": ("sigma_px", 0), "scale": ("scale", 1)}
    assert 0 < curves["undisturbed"] < 1
    for name, (key, neutral) in neutral_points.items():
        assert next(point for point in curves[name] if point[key] == neutral)["f1"] == curves["undisturbed"]


def test_all_points_are_there(curves: dict) -> None:
    assert [point["px"] for point in curves["shift"]] == [0, 0.5, 1, 2, 4, 8]
    assert [point["gamma"] for point in curves["gamma"]] == [0.5, 0.7, 1, 1.4, 2]
    assert [point["sigma_px"] for point in curves["blur"]] == [0, 0.5, 1, 2, 3]
    assert [(point["scale"], point["gsd_m"]) for point in curves["scale"]] == [
        (f, pytest.approx(0.5 / f)) for f in (0.5, 0.7, 1, 1.4, 2)
    ]
    assert all(point["pairs"] == 2 for name in ("shift", "gamma", "blur", "scale") for point in curves[name])


def test_a_shift_lowers_the_score_and_registration_restores_it(curves: dict) -> None:
    by_shift = {point["px"]: point for point in curves["shift"]}
    assert by_shift[8]["f1"] < curves["undisturbed"] - 0.1
    assert by_shift[8]["f1_aligned"] > curves["undisturbed"] - 0.05


def test_swapped_dates_score_the_same_for_a_symmetric_detector(curves: dict) -> None:
    assert curves["swapped"]["f1"] == curves["undisturbed"]


def test_scaled_pairs_are_scored_on_the_labels_own_grid(curves: dict) -> None:
    assert all(point["f1"] > curves["undisturbed"] - 0.05 for point in curves["scale"])


def test_a_shift_moves_the_earlier_date_and_empties_its_edges(folder: Path) -> None:
    pair = read_pair(list_pairs(folder).pairs[0])
    moved = shifted(pair, 2)
    assert np.array_equal(moved.before.rgb[:-2, :-2], pair.before.rgb[2:, 2:])
    assert moved.before.valid[:-2, :-2].all()
    assert not moved.before.valid[-2:].any()
    assert not moved.before.valid[:, -2:].any()
    assert moved.after is pair.after
    assert moved.changed is pair.changed
    half = shifted(pair, 0.5).before
    between = (pair.before.rgb[:-1, :-1].astype(float) + pair.before.rgb[1:, 1:]) / 2
    assert np.abs(half.rgb[:-1, :-1] - between)[2:-2, 2:-2].mean() < 4
    assert not half.valid[-1].any()


def test_disturbances_keep_label_and_earlier_date(folder: Path) -> None:
    pair = read_pair(list_pairs(folder).pairs[0])
    assert with_gamma(pair, 2).after.rgb.mean() < pair.after.rgb.mean() < with_gamma(pair, 0.5).after.rgb.mean()
    assert blurred(pair, 2).after.rgb.std() < pair.after.rgb.std()
    assert scaled(pair, 0.5).after.rgb.shape == (96, 90, 3)
    assert scaled(pair, 0.5).changed is pair.changed
    assert swapped(pair).before is pair.after
    for other in (with_gamma(pair, 2), blurred(pair, 2)):
        assert other.before is pair.before


def test_identical_copies_raise_no_alarm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    def same(image: np.ndarray, seed: int) -> np.ndarray:
        seeds.append(seed)
        return image.copy()

    monkeypatch.setattr(training.augmentation.appearance, "restyle_image", same)
    found = evaluate_folder(folder, StarkDetector(), gsd_m=0.5, config=one_look(), restyled=True).restyled
    assert seeds == [0, 1, 2, 3]
    assert found["images"] == 4
    assert found["false_alarms_per_km2"] == 0
    assert found["share_above_threshold"] == 0


def test_additional_objects_in_a_restyled_copy_are_false_alarms(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spotted(image: np.ndarray, seed: int) -> np.ndarray:
        out = image.copy()
        out[150:190, 10:50] = 250
        out[5:9, 5:9] = 250
        return out

    monkeypatch.setattr(training.augmentation.appearance, "restyle_image", spotted)
    found = evaluate_folder(folder, StarkDetector(), gsd_m=0.5, config=one_look(), restyled=True)
    area_km2 = 4 * 192 * 180 * 0.25e-6
    assert found.restyled["false_alarms_per_km2"] == pytest.approx(4 / area_km2), "4 m² is below the mapping unit"
    assert found.restyled["share_above_threshold"] == pytest.approx((1600 + 16) / (192 * 180))
    assert found.protocol["seeds"] == [0, 3]
