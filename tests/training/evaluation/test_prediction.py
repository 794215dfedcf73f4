"""Prediction of a complete pair is correct for any size, resolution and division into blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from errors import NotComparable
from imagery import Patch, open_scene
from inference.settings import read_config
from model.detector import Detector
from model.looks import Looks
from tests.inference.scenes import DifferenceDetector, one_look, textured
from tests.training.labelled import StarkDetector, box_mask, write_picture
from training.evaluation.comparison import InMemoryImage, comparison_settings
from training.evaluation.pair_decoding import LabelledPair
from training.evaluation.prediction import MAX_BLOCK_PX, predict_pair, split_axis
from training.evaluation.question_scoring import QuestionScorer
from training.pixel_scores import predict_image

OWN_PIXELS = comparison_settings(read_config(), None)


def patch(rgb: np.ndarray, valid: np.ndarray | None = None) -> Patch:
    return Patch(rgb, np.ones(rgb.shape[:2], bool) if valid is None else valid)


class LinearDetector(StarkDetector):
    """Returns the difference of the dates, so that its position can be measured to a fraction of a pixel."""

    def predict(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        difference = np.abs(after.astype(np.float32) - before.astype(np.float32)).mean(axis=2) / 255
        return np.stack([difference] * 3).astype(np.float32)


def centroid(values: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(values.shape)
    return float((rows * values).sum() / values.sum()), float((columns * values).sum() / values.sum())


def pair_of(shape: tuple[int, int], *boxes: tuple[int, int, int, int], seed: int = 0) -> LabelledPair:
    before = textured(*shape, seed=seed)
    after = before.copy()
    after[box_mask(shape, *boxes)] = 250
    return LabelledPair("p", patch(before), patch(after), box_mask(shape, *boxes))


@pytest.fixture(scope="module")
def fast() -> Detector:
    return Detector("fast", runtime="torch-cpu", threads=1)


def test_images_of_a_multiple_of_128_px_are_predicted_in_one_piece(fast: Detector) -> None:
    pair = pair_of((128, 256), (30, 60, 40, 90))
    prediction = predict_pair(fast, pair, OWN_PIXELS, looks=Looks())
    assert np.array_equal(prediction.probabilities, predict_image(fast, pair.before.rgb, pair.after.rgb))
    assert prediction.scored.all()


@pytest.mark.usefixtures("plain_exposure")
@pytest.mark.parametrize("shape", [(131, 70), (16, 5), (1, 1), (200, 257)])
def test_any_size(shape: tuple[int, int]) -> None:
    pair = pair_of(shape, (0, shape[0] // 2, 0, shape[1]))
    prediction = predict_pair(StarkDetector(), pair, OWN_PIXELS)
    assert prediction.probabilities.shape == (3, *shape)
    assert np.array_equal(prediction.probabilities[0] > 0.5, pair.changed)


def test_blocks_give_the_same_result_as_the_complete_image_also_at_the_border(fast: Detector) -> None:
    pair = pair_of((700, 100), (0, 60, 10, 50), (300, 370, 30, 100), (670, 700, 0, 40))
    complete = predict_pair(fast, pair, OWN_PIXELS).probabilities
    assert len(split_axis(700, fast.halo, fast.stride, 64)) == 4
    blocks = predict_pair(fast, pair, OWN_PIXELS, max_block_px=64).probabilities
    assert np.ptp(complete[0]) > 0.2, "the prediction is not constant"
    assert np.abs(blocks - complete).max() < 1e-4


def test_resampled_blocks_leave_no_seam() -> None:
    settings = comparison_settings(read_config(), 0.37)
    pair = pair_of((300, 240), (20, 100, 30, 220), (150, 290, 60, 90))
    complete = predict_pair(DifferenceDetector(), pair, settings).probabilities
    blocks = predict_pair(DifferenceDetector(), pair, settings, max_block_px=64).probabilities
    assert np.ptp(complete[0]) > 0.5
    assert np.abs(blocks - complete).max() < 1e-3


@pytest.mark.parametrize("length", [1, 127, 128, 2500, 5000, 20_000])
@pytest.mark.parametrize("halo", [144, 256])
def test_spans_cover_every_pixel_once_with_a_sufficient_halo(length: int, halo: int) -> None:
    spans = split_axis(length, halo, 16)
    assert [spans[0].first, *(span.last for span in spans)] == [*(span.first for span in spans), length]
    assert len({span.stop - span.start for span in spans}) == 1, "one shape"
    for span in spans:
        assert span.start % 16 == 0
        assert span.first == span.start == 0 or span.first - span.start >= halo
        assert span.last == length or span.stop - span.last >= halo
        assert span.stop - span.start <= MAX_BLOCK_PX + 2 * (halo + 32)
    assert spans[-1].stop == -(-length // 128) * 128


@pytest.mark.usefixtures("plain_exposure")
def test_a_large_pair_is_predicted_in_blocks() -> None:
    seen = []

    class Counting(StarkDetector):
        def predict(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
            seen.append(before.shape[:2])
            return super().predict(before, after)

    pair = pair_of((5000, 40), (4000, 4500, 5, 30))
    prediction = predict_pair(Counting(), pair, OWN_PIXELS)
    assert max(shape[0] for shape in seen) < 2200
    assert np.array_equal(prediction.probabilities[0] > 0.5, pair.changed)


@pytest.mark.usefixtures("plain_exposure")
@pytest.mark.parametrize("gsd", [0.1, 0.125, 0.37, 0.5, 0.9, 3.0])
def test_a_change_keeps_its_position_at_every_resolution(gsd: float) -> None:
    settings = comparison_settings(one_look(), gsd)
    assert settings.reduction == pytest.approx(
        {0.1: 2.5, 0.125: 2, 0.37: 0.5 / 0.37, 0.5: 1, 0.9: 5 / 9, 3.0: 0.25}[gsd]
    )
    pair = pair_of((150, 180), (30, 70, 110, 170))
    prediction = QuestionScorer("building", {"building": 0.5}).changed_mask(
        predict_pair(StarkDetector(), pair, settings)
    )
    assert (prediction & pair.changed).sum() / (prediction | pair.changed).sum() > 0.88
    linear = predict_pair(LinearDetector(), pair, settings).probabilities[0]
    difference = np.abs(pair.after.rgb.astype(int) - pair.before.rgb).mean(axis=2)
    assert centroid(linear) == pytest.approx(centroid(difference), abs=0.1 * max(1, settings.reduction))


@pytest.mark.parametrize("step", [0.4, 1.0, 1.7, 3.0])
def test_images_in_memory_are_resampled_as_a_scan_resamples_files(step: float, tmp_path: Path) -> None:
    image = textured(120, 150)
    window = GeoBox((int(120 / step), int(150 / step)), Affine.scale(step), None)
    shift = np.full((*window.shape, 2), 1.3, np.float32)
    with open_scene(write_picture(tmp_path / "a.png", image), gsd=0.5) as scene:
        for moved in (None, shift):
            expected, actual = scene.read(window, moved), InMemoryImage(patch(image)).read(window, moved)
            assert np.array_equal(actual.rgb, expected.rgb)
            assert np.array_equal(actual.valid, expected.valid)


@pytest.mark.usefixtures("plain_exposure")
def test_pixels_not_valid_on_both_dates_are_blank_and_not_scored() -> None:
    pair = pair_of((128, 128), (20, 60, 20, 60))
    blind = box_mask((128, 128), (0, 40, 0, 128))
    hidden = LabelledPair("p", patch(pair.before.rgb, ~blind), pair.after, pair.changed)
    prediction = predict_pair(StarkDetector(), hidden, OWN_PIXELS)
    assert np.array_equal(prediction.scored, ~blind)
    assert not (prediction.probabilities[0][blind] > 0.5).any()
    with pytest.raises(NotComparable, match="No ground"):
        predict_pair(
            StarkDetector(), LabelledPair("p", patch(pair.before.rgb, blind & ~blind), *[pair.after] * 2), OWN_PIXELS
        )


@pytest.mark.usefixtures("plain_exposure")
def test_registration_aligns_a_shifted_date() -> None:
    ground = textured(400, 400, seed=3)
    before, after = ground[7:391, 9:393].copy(), ground[:384, :384].copy()
    after[100:160, 200:260] = 250
    pair = LabelledPair("p", patch(before), patch(after), box_mask((384, 384), (100, 160, 200, 260)))
    scorer = QuestionScorer("building", {"building": 0.2})
    found = {}
    for align in (False, True):
        prediction = predict_pair(DifferenceDetector(), pair, comparison_settings(read_config(), None, align))
        found[align] = (scorer.changed_mask(prediction) ^ pair.changed)[prediction.scored].mean()
    assert prediction.alignment.residual_px is not None
    assert prediction.alignment.residual_px < 0.5
    assert found[True] < 0.01 < found[False]


def test_a_pair_that_cannot_be_registered_is_compared_as_it_lies() -> None:
    grey = np.full((200, 200, 3), 120, np.uint8)
    pair = LabelledPair("p", patch(grey), patch(grey), np.zeros((200, 200), bool))
    prediction = predict_pair(StarkDetector(), pair, comparison_settings(one_look(), 0.5, align=True))
    assert "texture" in prediction.alignment.reason
    assert prediction.scored.all()
