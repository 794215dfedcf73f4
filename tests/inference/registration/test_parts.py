"""Displaced parts of the earlier image are registered by themselves, and steps between them are told."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.registration.alignment import Alignment
from inference.registration.parts import with_seams
from inference.registration.shift_field import NOT_REGISTERED, Parts, ShiftField
from tests.inference.registration.test_measure import SIDE, align, town


def displaced(rgb: NDArray[np.uint8], inside: NDArray[np.bool_], dx: int, dy: int) -> NDArray[np.uint8]:
    """Return the image with the ground of a part shown (dx, dy) px further left and up."""
    padded = cv2.copyMakeBorder(rgb, 0, dy, 0, dx, cv2.BORDER_REFLECT)
    return np.where(inside[..., None], padded[dy:, dx:], rgb)


def half() -> NDArray[np.bool_]:
    return np.broadcast_to(np.arange(SIDE)[:, None] >= SIDE // 2, (SIDE, SIDE))


def block() -> NDArray[np.bool_]:
    at = np.arange(SIDE)
    middle = (at >= 128) & (at < 384)
    return np.asarray(middle[:, None] & middle[None, :])


def strips() -> NDArray[np.bool_]:
    return np.broadcast_to((np.arange(SIDE)[:, None] // 128) % 2 == 1, (SIDE, SIDE))


def wrong_share(alignment: Alignment, inside: NDArray[np.bool_], step: tuple[int, int]) -> float:
    """Return the share of the ground that counts as registered, but is more than 4 px off."""
    at = np.arange(SIDE, dtype=np.float64)
    field = alignment.field.raster(at, at)
    x, y = at[None, :] + field[..., 0], at[:, None] + field[..., 1]
    there = inside[np.clip(np.rint(y), 0, SIDE - 1).astype(int), np.clip(np.rint(x), 0, SIDE - 1).astype(int)]
    error = np.hypot(field[..., 0] + there * step[0], field[..., 1] + there * step[1])
    parts = alignment.field.parts
    known = np.ones((SIDE, SIDE), bool)
    if parts is not None:
        known = ~parts.not_registered(slice(0, SIDE), slice(0, SIDE))
    return float((error[known] > 4.0).mean())


@pytest.mark.parametrize(
    ("inside", "step"),
    [
        pytest.param(half(), (20, 10), id="half of a mosaic, 22 px"),
        pytest.param(half(), (60, 30), id="half of a mosaic, 67 px"),
        pytest.param(block(), (40, 20), id="block, 45 px"),
        pytest.param(strips(), (7, 4), id="scan strips, 8 px"),
    ],
)
def test_a_displaced_part_is_registered_or_told(inside: NDArray[np.bool_], step: tuple[int, int]) -> None:
    after = town(40)
    alignment = align(displaced(after, inside, *step), after)
    assert alignment.usable
    assert alignment.displaced_px == pytest.approx([np.hypot(*step)], abs=1.0)
    assert wrong_share(alignment, inside, step) < 0.03
    assert alignment.summary()["displaced_parts_px"]


def test_ground_along_a_large_step_is_not_registered_and_a_small_step_is_borne() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[32:] = 1
    large, small = (with_seams(labels, np.array([[0.0, 0.0], step]), 1) for step in ([40.0, 20.0], [6.0, 3.0]))
    assert (large[31:33] == NOT_REGISTERED).all()
    assert 0.02 < (large == NOT_REGISTERED).mean() < 0.2
    assert np.array_equal(small, labels)


def test_changes_on_a_third_of_the_ground_are_no_displaced_part() -> None:
    before, other = town(42), town(43)
    after = before.copy()
    after[:170] = other[:170]
    alignment = align(before, after)
    assert alignment.usable
    assert alignment.field.parts is None
    assert alignment.windows_used < alignment.windows_tried


def test_the_shift_of_a_part_does_not_depend_on_the_block() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[32:], labels[30:32] = 1, NOT_REGISTERED
    parts = Parts(8, labels, np.array([[0.0, 0.0], [30.0, -4.0]]))
    field = ShiftField((255.5, 255.5), np.array([[1.0, 2.0], [0.001, 0.0], [0.0, 0.002]]), parts=parts)
    at = np.arange(SIDE, dtype=np.float64)
    whole = field.raster(at, at)
    assert np.array_equal(whole[200:300, 30:90], field.raster(at[30:90], at[200:300]))
    points = np.array([[40.0, 100.0], [40.0, 400.0]])
    assert field.at(points) == pytest.approx(np.stack([whole[100, 40], whole[400, 40]]), abs=1e-3)
    assert np.allclose(whole[400, 40] - field.affine_at(points)[1], (30.0, -4.0), atol=1e-3)
    assert np.flatnonzero(parts.not_registered(slice(230, 260), slice(0, 1))).tolist() == list(range(10, 26))
