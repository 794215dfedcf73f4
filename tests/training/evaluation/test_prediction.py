"""What the network says of a whole pair: where it belongs, whatever the size, the resolution and the cut."""

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
from tests.inference.scenes import DifferenceDetector, textured
from tests.training.labelled import StarkDetector, box_mask, write_picture
from training.evaluation.prediction import LARGEST, lay_spans, predict_pair
from training.evaluation.questions import Asked
from training.evaluation.reading import LabelledPair
from training.evaluation.resolution import HeldImage, look_at
from training.pixel_scores import predict_image

OWN_PIXELS = look_at(read_config(), None)


def held(rgb: np.ndarray, valid: np.ndarray | None = None) -> Patch:
    return Patch(rgb, np.ones(rgb.shape[:2], bool) if valid is None else valid)


class LinearDetector(StarkDetector):
    """Says how much the dates differ: where it comes back to can be told to a fraction of a pixel."""

    def predict(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        difference = np.abs(after.astype(np.float32) - before.astype(np.float32)).mean(axis=2) / 255
        return np.stack([difference] * 3).astype(np.float32)


def middle_of(values: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(values.shape)
    return float((rows * values).sum() / values.sum()), float((columns * values).sum() / values.sum())


def pair_of(shape: tuple[int, int], *boxes: tuple[int, int, int, int], seed: int = 0) -> LabelledPair:
    before = textured(*shape, seed=seed)
    after = before.copy()
    after[box_mask(shape, *boxes)] = 250
    return LabelledPair("p", held(before), held(after), box_mask(shape, *boxes))


@pytest.fixture(scope="module")
def fast() -> Detector:
    return Detector("fast", runtime="torch-cpu", threads=1)


def test_whole_images_of_even_size_are_compared_as_they_always_were(fast: Detector) -> None:
    pair = pair_of((128, 256), (30, 60, 40, 90))
    said = predict_pair(fast, pair, OWN_PIXELS)
    assert np.array_equal(said.probabilities, predict_image(fast, pair.before.rgb, pair.after.rgb))
    assert said.scored.all()


@pytest.mark.usefixtures("plain_exposure")
@pytest.mark.parametrize("shape", [(131, 70), (16, 5), (1, 1), (200, 257)])
def test_any_size(shape: tuple[int, int]) -> None:
    pair = pair_of(shape, (0, shape[0] // 2, 0, shape[1]))
    said = predict_pair(StarkDetector(), pair, OWN_PIXELS)
    assert said.probabilities.shape == (3, *shape)
    assert np.array_equal(said.probabilities[0] > 0.5, pair.changed)


def test_blocks_give_what_the_whole_gives_also_at_the_border(fast: Detector) -> None:
    pair = pair_of((700, 100), (0, 60, 10, 50), (300, 370, 30, 100), (670, 700, 0, 40))
    whole = predict_pair(fast, pair, OWN_PIXELS).probabilities
    assert len(lay_spans(700, fast.halo, fast.stride, 64)) == 4
    cut = predict_pair(fast, pair, OWN_PIXELS, largest=64).probabilities
    assert np.ptp(whole[0]) > 0.2, "there is something to say"
    assert np.abs(cut - whole).max() < 1e-4


def test_blocks_that_are_brought_to_another_resolution_leave_no_seam() -> None:
    look = look_at(read_config(), 0.37)
    pair = pair_of((300, 240), (20, 100, 30, 220), (150, 290, 60, 90))
    whole = predict_pair(DifferenceDetector(), pair, look).probabilities
    cut = predict_pair(DifferenceDetector(), pair, look, largest=64).probabilities
    assert np.ptp(whole[0]) > 0.5
    assert np.abs(cut - whole).max() < 1e-3


@pytest.mark.parametrize("length", [1, 127, 128, 2500, 5000, 20_000])
@pytest.mark.parametrize("halo", [144, 256])
def test_spans_answer_for_every_pixel_once_and_see_enough_around_it(length: int, halo: int) -> None:
    spans = lay_spans(length, halo, 16)
    assert [spans[0].first, *(span.last for span in spans)] == [*(span.first for span in spans), length]
    assert len({span.stop - span.start for span in spans}) == 1, "one shape"
    for span in spans:
        assert span.start % 16 == 0
        assert span.first == span.start == 0 or span.first - span.start >= halo
        assert span.last == length or span.stop - span.last >= halo
        assert span.stop - span.start <= LARGEST + 2 * (halo + 32)
    assert spans[-1].stop == -(-length // 128) * 128


@pytest.mark.usefixtures("plain_exposure")
def test_a_large_pair_is_never_given_to_the_network_as_a_whole() -> None:
    seen = []

    class Counting(StarkDetector):
        def predict(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
            seen.append(before.shape[:2])
            return super().predict(before, after)

    pair = pair_of((5000, 40), (4000, 4500, 5, 30))
    said = predict_pair(Counting(), pair, OWN_PIXELS)
    assert max(shape[0] for shape in seen) < 2200
    assert np.array_equal(said.probabilities[0] > 0.5, pair.changed)


@pytest.mark.usefixtures("plain_exposure")
@pytest.mark.parametrize("gsd", [0.1, 0.125, 0.37, 0.5, 0.9, 3.0])
def test_a_change_comes_back_to_where_it_was_from_every_resolution(gsd: float) -> None:
    look = look_at(read_config(), gsd)
    assert look.step == pytest.approx({0.1: 2.5, 0.125: 2, 0.37: 0.5 / 0.37, 0.5: 1, 0.9: 5 / 9, 3.0: 0.25}[gsd])
    pair = pair_of((150, 180), (30, 70, 110, 170))
    said = Asked("building", {"building": 0.5}).predicted(predict_pair(StarkDetector(), pair, look))
    assert (said & pair.changed).sum() / (said | pair.changed).sum() > 0.88
    linear = predict_pair(LinearDetector(), pair, look).probabilities[0]
    difference = np.abs(pair.after.rgb.astype(int) - pair.before.rgb).mean(axis=2)
    assert middle_of(linear) == pytest.approx(middle_of(difference), abs=0.1 * max(1, look.step))


@pytest.mark.parametrize("step", [0.4, 1.0, 1.7, 3.0])
def test_images_in_memory_are_resampled_as_a_scan_resamples_files(step: float, tmp_path: Path) -> None:
    image = textured(120, 150)
    window = GeoBox((int(120 / step), int(150 / step)), Affine.scale(step), None)
    shift = np.full((*window.shape, 2), 1.3, np.float32)
    with open_scene(write_picture(tmp_path / "a.png", image), gsd=0.5) as scene:
        for moved in (None, shift):
            there, here = scene.read(window, moved), HeldImage(held(image)).read(window, moved)
            assert np.array_equal(there.rgb, here.rgb)
            assert np.array_equal(there.valid, here.valid)


@pytest.mark.usefixtures("plain_exposure")
def test_what_is_not_valid_on_either_date_is_blank_and_not_scored() -> None:
    pair = pair_of((128, 128), (20, 60, 20, 60))
    blind = box_mask((128, 128), (0, 40, 0, 128))
    hidden = LabelledPair("p", held(pair.before.rgb, ~blind), pair.after, pair.changed)
    said = predict_pair(StarkDetector(), hidden, OWN_PIXELS)
    assert np.array_equal(said.scored, ~blind)
    assert not (said.probabilities[0][blind] > 0.5).any()
    with pytest.raises(NotComparable, match="No ground"):
        predict_pair(
            StarkDetector(), LabelledPair("p", held(pair.before.rgb, blind & ~blind), *[pair.after] * 2), OWN_PIXELS
        )


@pytest.mark.usefixtures("plain_exposure")
def test_registration_lays_a_moved_date_onto_the_other() -> None:
    ground = textured(400, 400, seed=3)
    before, after = ground[7:391, 9:393].copy(), ground[:384, :384].copy()
    after[100:160, 200:260] = 250
    pair = LabelledPair("p", held(before), held(after), box_mask((384, 384), (100, 160, 200, 260)))
    asked = Asked("building", {"building": 0.2})
    found = {}
    for align in (False, True):
        said = predict_pair(DifferenceDetector(), pair, look_at(read_config(), None, align))
        found[align] = (asked.predicted(said) ^ pair.changed)[said.scored].mean()
    assert said.alignment.residual_px is not None
    assert said.alignment.residual_px < 0.5
    assert found[True] < 0.01 < found[False]


def test_a_pair_that_cannot_be_registered_is_compared_as_it_lies() -> None:
    grey = np.full((200, 200, 3), 120, np.uint8)
    pair = LabelledPair("p", held(grey), held(grey), np.zeros((200, 200), bool))
    said = predict_pair(StarkDetector(), pair, look_at(read_config(), 0.5, align=True))
    assert "texture" in said.alignment.reason
    assert said.scored.all()
