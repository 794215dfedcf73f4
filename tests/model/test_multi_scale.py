"""Detection at several scales: one result whatever the division into blocks, coarse to fine, calibrated."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from model.detector import Detector
from model.looks import CoarseLook, Looks, scale_of
from model.multi_scale import CELL, REACH_CELLS, MultiScaleDetector
from model.resampling import resample
from tests.inference.scenes import DifferenceDetector, Image, textured

CUT = {"building": 0.1, "ground": 0.1}
LOOKS = [
    Looks(),
    Looks((Fraction(1), Fraction(2))),
    Looks((Fraction(1), Fraction(2), Fraction(3))),
    Looks((Fraction(1, 2), Fraction(3, 4), Fraction(5, 4))),
    Looks((Fraction(2, 3), Fraction(1), Fraction(3, 2))),
    Looks((Fraction(1), Fraction(2)), CoarseLook(Fraction(1, 2), CUT)),
    Looks((Fraction(1, 2), Fraction(3, 4), Fraction(5, 4)), CoarseLook(Fraction(1, 2), CUT)),
]


def _pair(side: int, halo: int) -> tuple[Image, Image, NDArray[np.bool_]]:
    """Return two dates with changes of several sizes, a corner without data, and a blank frame of ``halo`` pixels."""
    before = textured(side, side)
    after = before.copy()
    for top, left, height in ((40, 60, 30), (150, 170, 90), (300, 20, 12), (200, 350, 20)):
        after[top : top + height, left : left + height] = (235, 235, 235)
    after[330:400, 300:390] = (235, 110, 20)
    valid = np.pad(np.ones((side, side), np.bool_), halo)
    valid[: halo + 50, : halo + 37] = False
    images = [np.pad(image, ((halo, halo), (halo, halo), (0, 0))) for image in (before, after)]
    for image in images:
        image[~valid] = 0
    return images[0], images[1], valid


def _in_blocks(
    detector: MultiScaleDetector, before: Image, after: Image, valid: NDArray[np.bool_], halo: int, side: int
) -> NDArray[np.float32]:
    rows = []
    for top in range(halo, before.shape[0] - halo, side):
        row = []
        for left in range(halo, before.shape[1] - halo, side):
            window = np.s_[top - halo : top + side + halo, left - halo : left + side + halo]
            needed = slice(halo, halo + side), slice(halo, halo + side)
            row.append(detector.predict(before[window], after[window], needed, valid[window]))
        rows.append(np.concatenate(row, axis=2))
    return np.concatenate(rows, axis=1)


@pytest.mark.parametrize("looks", LOOKS, ids=lambda looks: f"{looks.scales}{looks.coarse is not None}")
def test_one_block_and_many_give_the_same_result(looks: Looks) -> None:
    detector = MultiScaleDetector(DifferenceDetector(), looks)
    side = 2 * 192
    halo = -(-detector.halo // detector.stride) * detector.stride
    before, after, valid = _pair(side, halo)
    needed = slice(halo, halo + side), slice(halo, halo + side)
    whole = detector.predict(before, after, needed, valid)
    divided = _in_blocks(detector, before, after, valid, halo, 192)
    assert whole[0].max() > 0.9
    assert whole[1].max() > 0.5
    assert np.abs(whole - divided).max() < 1e-3


def test_one_block_and_many_give_the_same_result_of_the_network() -> None:
    looks = Looks((Fraction(1), Fraction(2)), CoarseLook(Fraction(1, 2), {"building": 0.02, "ground": 0.02}))
    detector = MultiScaleDetector(Detector("fast"), looks)
    halo = -(-detector.halo // detector.stride) * detector.stride
    before, after, valid = _pair(384, halo)
    needed = slice(halo, halo + 384), slice(halo, halo + 384)
    whole = detector.predict(before, after, needed, valid)
    divided = _in_blocks(detector, before, after, valid, halo, 192)
    assert whole[0].max() > 0.5
    # a place that reaches beyond a block and its halo is looked at with other surroundings
    assert np.abs(whole - divided)[:2].max() < 0.03


def test_swapped_dates_give_the_same_probabilities_and_the_opposite_direction() -> None:
    looks = Looks(
        (Fraction(1), Fraction(2)), CoarseLook(Fraction(1, 2), CUT), {"building": (0.8, -0.3), "ground": (1.1, 0.2)}
    )
    detector = MultiScaleDetector(DifferenceDetector(), looks)
    before, after, valid = _pair(384, 0)
    forward, backward = detector.predict(before, after, valid=valid), detector.predict(after, before, valid=valid)
    assert np.allclose(forward[:2], backward[:2], atol=1e-5)
    assert np.allclose(forward[2], -backward[2], atol=1e-5)
    assert np.abs(forward[2]).max() > 0.9


def test_the_coarse_look_spares_unchanged_ground_and_changes_nothing_where_it_looks_again() -> None:
    class Counting(DifferenceDetector):
        pixels = 0

        def predict(self, before: Image, after: Image) -> NDArray[np.float32]:
            type(self).pixels += before.shape[0] * before.shape[1]
            return super().predict(before, after)

    looks = Looks((Fraction(1), Fraction(2)), CoarseLook(Fraction(1, 2), CUT))
    counting = MultiScaleDetector(Counting(), looks)
    before, after, valid = _pair(384, counting.halo)
    needed = slice(counting.halo, 384 + counting.halo), slice(counting.halo, 384 + counting.halo)
    everywhere = MultiScaleDetector(DifferenceDetector(), Looks((Fraction(1), Fraction(2)))).predict(
        before, after, needed, valid
    )
    found = counting.predict(before, after, needed, valid)
    changed = everywhere[:2].max(axis=0) > 0.5
    assert changed.any()
    assert np.array_equal(changed, found[:2].max(axis=0) > 0.5)
    assert np.abs(found - everywhere)[:, changed].max() < 1e-4
    Counting.pixels = 0
    quiet = counting.predict(before, before, needed, valid)
    assert quiet[:2].max() <= 0.1
    assert Counting.pixels == before[..., 0].size / 4  # the coarse look alone


def test_scattered_changes_cost_one_small_window_each() -> None:
    looks = Looks((Fraction(3, 4), Fraction(3, 2)), CoarseLook(Fraction(1, 2), CUT))
    sizes: list[tuple[int, int]] = []

    class Recording(DifferenceDetector):
        def predict(self, before: Image, after: Image) -> NDArray[np.float32]:
            sizes.append((before.shape[0], before.shape[1]))
            return super().predict(before, after)

    before = textured(768, 768)
    after = before.copy()
    after[276:280, 236:240] = after[600:606, 500:506] = 235
    found = MultiScaleDetector(Recording(), looks).predict(before, after)
    assert found[0, 278, 238] > 0.5
    assert found[0, 603, 503] > 0.5
    assert sizes == [(384, 384), *[(144, 144), (288, 288)] * 2]  # everything reduced, then two windows of 192 pixels


def test_a_place_too_large_for_one_window_has_no_seam() -> None:
    before = textured(1536, 256)
    after = before.copy()
    after[100:1400, 100:140] = 235
    detector = MultiScaleDetector(DifferenceDetector(), Looks((Fraction(1),), CoarseLook(Fraction(1, 2), CUT)))
    everywhere = DifferenceDetector().predict(before, after)
    changed = everywhere[0] > 0.5
    assert changed.any()
    assert np.abs(detector.predict(before, after) - everywhere)[0][changed].max() < 1e-4


def test_a_place_that_is_not_looked_at_again_is_never_a_change_whatever_the_calibration() -> None:
    looks = Looks(
        (Fraction(1), Fraction(2)), CoarseLook(Fraction(1, 2), CUT), {"building": (1.0, 6.0), "ground": (1.0, 6.0)}
    )
    before, _, valid = _pair(384, 0)
    after = np.clip(before.astype(np.int16) + 8, 0, 255).astype(np.uint8)  # a coarse answer of 0.07, below the cut
    after[~valid] = 0
    found = MultiScaleDetector(DifferenceDetector(), looks).predict(before, after, valid=valid)
    assert 0 < found[:2].max() <= 0.1


def test_calibration_maps_the_fused_logit() -> None:
    before, after, valid = _pair(384, 0)
    raw = MultiScaleDetector(DifferenceDetector(), Looks()).predict(before, after, valid=valid)
    looks = Looks(calibration={"building": (0.5, -1.0), "ground": (1.0, 0.0)})
    calibrated = MultiScaleDetector(DifferenceDetector(), looks).predict(before, after, valid=valid)
    p = np.clip(raw[0], 1e-6, 1 - 1e-6)
    expected = 1 / (1 + np.exp(-(0.5 * np.log(p / (1 - p)) - 1.0)))
    assert np.allclose(calibrated[0], expected, atol=1e-3)
    assert np.allclose(calibrated[1], raw[1], atol=1e-5)


def test_ground_without_data_does_not_darken_its_surroundings() -> None:
    image = np.full((64, 64, 3), 200, np.uint8)
    valid = np.ones((64, 64), np.bool_)
    valid[:31] = False
    image[~valid] = 0
    reduced = resample(image, Fraction(1, 2), valid)
    assert set(np.unique(reduced)) == {0, 200}
    assert (resample(image, Fraction(2), valid)[70:] == 200).all()


def test_looks_survive_their_serialization() -> None:
    for looks in LOOKS:
        assert Looks.from_json(looks.as_json()) == looks


@pytest.mark.parametrize(
    ("resolution_m", "grid_m", "scale"),
    [
        (0.5, 0.5, Fraction(1)),
        (0.25, 0.5, Fraction(2)),
        (0.33, 0.25, Fraction(3, 4)),
        (0.2, 0.25, Fraction(5, 4)),
        (3.33, 10, Fraction(3)),
        (2, 0.25, Fraction(1, 8)),
    ],
)
def test_scales_are_simple_fractions(resolution_m: float, grid_m: float, scale: Fraction) -> None:
    assert scale_of(resolution_m, grid_m) == scale


def test_the_reach_of_the_coarse_look_is_part_of_the_halo() -> None:
    looks = Looks((Fraction(1),), CoarseLook(Fraction(1, 2), CUT))
    assert MultiScaleDetector(DifferenceDetector(), looks).halo >= (REACH_CELLS + 1) * CELL + 2 * 16
