"""Pixel, object and calibration metrics on hand-made masks with known results."""

from __future__ import annotations

import json

import numpy as np
import pytest

from inference.settings import MinimumAreas
from tests.training.labelled import box_mask
from training.evaluation.objects import ObjectTally, components, match, overlaps
from training.evaluation.pixels import Calibration, PixelCounts, count_pixels
from training.evaluation.prediction import Prediction
from training.evaluation.question_scoring import QuestionScorer

SHAPE = (60, 100)
ALL = np.ones(SHAPE, bool)


def tally(true: np.ndarray, found: np.ndarray, pixel_m2: float | None = 1.0, scored: np.ndarray = ALL) -> ObjectTally:
    out = ObjectTally(pixel_m2)
    out.add(true, components(found), scored)
    return out


def test_pixels_are_counted_where_scored() -> None:
    true, found = box_mask(SHAPE, (0, 10, 0, 10)), box_mask(SHAPE, (0, 10, 5, 25))
    counts = count_pixels(true, found, ALL)
    assert counts == PixelCounts(hit=50, false=150, missed=50)
    assert counts.as_json() == pytest.approx({"precision": 0.25, "recall": 0.5, "f1": 1 / 3, "iou": 0.2})
    assert count_pixels(true, found, box_mask(SHAPE, (0, 60, 0, 10))) == PixelCounts(hit=50, false=0, missed=50)


def test_nothing_at_all_is_zero_and_not_nan() -> None:
    nothing = np.zeros(SHAPE, bool)
    figures = [
        count_pixels(nothing, nothing, ALL).as_json(),
        tally(nothing, nothing).as_json(),
        Calibration().as_json(),
    ]
    json.dumps(figures, allow_nan=False)
    assert figures[0]["f1"] == 0.0
    assert tally(ALL, nothing).per_km2() is None, "without unchanged ground there is no rate"


def test_pixels_that_touch_at_a_corner_are_one_object() -> None:
    assert len(components(box_mask(SHAPE, (0, 5, 0, 5), (5, 9, 5, 9)))) == 1
    assert len(components(box_mask(SHAPE, (0, 5, 0, 5), (6, 9, 5, 9)))) == 2


def test_two_predicted_pieces_of_one_true_object_are_one_match() -> None:
    true = box_mask(SHAPE, (0, 10, 0, 10))
    found = box_mask(SHAPE, (0, 10, 0, 6), (0, 10, 7, 10))  # IoU 0.6 and 0.3
    figures = tally(true, found).as_json()
    for iou in ("iou_0.25", "iou_0.5"):
        got = {key: figures[iou][key] for key in ("true", "found", "matched", "precision", "recall", "f1")}
        assert got == {"true": 1, "found": 2, "matched": 1, "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3)}


def test_the_highest_iou_is_matched_first() -> None:
    true = box_mask(SHAPE, (0, 10, 0, 10), (0, 10, 11, 31))
    found = box_mask(SHAPE, (0, 10, 4, 31))  # IoU 60/310 with the first and 200/270 with the second
    pairs, iou = overlaps(components(true), components(found))
    assert sorted(iou) == pytest.approx([60 / 310, 200 / 270])
    assert match(pairs, iou, 0.1).tolist() == [[1, 0]]
    assert match(pairs, iou, 0.8).tolist() == []


def test_matches_depend_on_the_iou_threshold() -> None:
    figures = tally(box_mask(SHAPE, (0, 10, 0, 10)), box_mask(SHAPE, (0, 10, 6, 16))).as_json()  # IoU 40/160 = 0.25
    assert figures["iou_0.25"]["matched"] == 1
    assert figures["iou_0.5"]["matched"] == 0


def test_recall_uses_the_true_size_and_precision_the_predicted_one() -> None:
    true = box_mask(SHAPE, (0, 10, 0, 19), (20, 40, 0, 20), (45, 46, 0, 50))  # 190, 400 and 50 m²
    found = box_mask(SHAPE, (0, 10, 0, 21), (20, 40, 0, 60), (50, 60, 0, 30))  # 210, 1200 and 300 m²
    classes = tally(true, found).as_json()["iou_0.25"]["by_area_m2"]
    counts = {
        name: tuple(one[key] for key in ("true", "found", "matched_true", "matched_found"))
        for name, one in classes.items()
    }
    assert counts == {"<200": (2, 0, 1, 0), "200-400": (0, 2, 0, 1), "400-1000": (1, 0, 1, 0), ">1000": (0, 1, 0, 1)}
    assert classes["<200"]["recall"] == 0.5
    assert classes["200-400"]["precision"] == 0.5
    assert tally(true, found, pixel_m2=None).as_json()["iou_0.25"]["by_area_m2"] is None


def test_a_false_alarm_touches_no_changed_pixel() -> None:
    true = box_mask(SHAPE, (0, 10, 0, 10))
    found = box_mask(SHAPE, (9, 40, 9, 40), (50, 55, 50, 55))  # one shares a single pixel with the truth
    counted = tally(true, found, pixel_m2=0.25)
    assert counted.as_json()["iou_0.25"]["matched"] == 0
    assert counted.false_alarms == 1
    assert counted.per_km2() == pytest.approx(1 / (5900 * 0.25e-6))
    assert counted.per_megapixel() == pytest.approx(1 / 5900e-6)
    assert tally(true, found, pixel_m2=None).per_km2() is None


def test_truth_outside_of_the_scored_area_is_no_object() -> None:
    true = box_mask(SHAPE, (0, 10, 0, 10), (30, 40, 30, 40))
    counted = tally(true, np.zeros(SHAPE, bool), scored=box_mask(SHAPE, (20, 60, 0, 100)))
    assert counted.as_json()["iou_0.5"]["true"] == 1
    assert counted.unchanged_px == 40 * 100 - 100


def test_calibration_of_a_known_mixture() -> None:
    calibration = Calibration()
    calibration.add(np.full(100, 0.25, np.float32), np.arange(100) < 25)
    calibration.add(np.full(100, 0.75, np.float32), np.ones(100, bool))
    calibration.add(np.full(200, 1.0, np.float32), np.ones(200, bool))
    diagram = calibration.as_json()
    assert diagram["expected_calibration_error"] == pytest.approx(100 * 0.25 / 400)
    assert [one["pixels"] for one in diagram["bins"]] == [0, 0, 100, 0, 0, 0, 0, 100, 0, 200]
    assert diagram["bins"][2]["observed"] == pytest.approx(0.25)
    assert diagram["bins"][2]["mean_score"] == pytest.approx(0.25)
    assert diagram["bins"][0]["observed"] is None


def test_any_is_changed_where_either_output_is_above_its_own_threshold() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(0, 1, (3, 50, 50)).astype(np.float32)
    probabilities[:2, 0, 0] = 0.2, 0.8
    probabilities[:2, 0, 1] = np.nextafter(np.float32(0.2), np.float32(0)), np.nextafter(np.float32(0.8), np.float32(0))
    scorer = QuestionScorer("any", {"building": 0.2, "ground": 0.8})
    scores = scorer.scores(probabilities)
    assert scorer.threshold == 0.5
    above = (probabilities[0] >= np.float32(0.2)) | (probabilities[1] >= np.float32(0.8))
    assert np.array_equal(scores >= 0.5, above)
    assert scores[0, 0] == pytest.approx(0.5)
    assert scores[0, 1] < 0.5
    only_building = QuestionScorer("any", {"building": 0.2, "ground": 0.8}).scores(
        np.array([[[0.1, 0.6, 1.0]], [[0, 0, 0]], [[0, 0, 0]]], np.float32)
    )
    assert only_building.ravel().tolist() == pytest.approx([0.25, 0.75, 1.0])


def _found(question: str, direction: float, channel: int = 0) -> int:
    minimum = MinimumAreas(construction=200, ground=400, demolition=100)
    scorer = QuestionScorer(question, {"building": 0.5, "ground": 0.5}, minimum)
    probabilities = np.zeros((3, *SHAPE), np.float32)
    probabilities[channel][box_mask(SHAPE, (0, 10, 0, 15), (20, 30, 0, 30), (40, 50, 0, 50))] = (
        0.9  # 150, 300 and 500 m²
    )
    probabilities[2] = direction
    prediction = Prediction(probabilities, ALL, None)
    return len(scorer.found_objects(prediction, scorer.changed_mask(prediction), 1.0))


def test_objects_below_the_minimum_mapping_unit_of_their_kind_are_dropped() -> None:
    assert _found("building", 1.0) == 2
    assert _found("ground", 1.0, channel=1) == 1
    assert _found("ground", -1.0, channel=1) == 3, "a disappeared object is a demolition, which has its own minimum"
    assert _found("any", 1.0) == 2
    assert _found("any", 1.0, channel=1) == 1
