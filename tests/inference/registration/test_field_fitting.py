"""Robust fit of the shift field: follows the ground and ignores outliers."""

from __future__ import annotations

import numpy as np
import pytest

from inference.registration.field_fitting import offset_mode, refine_field
from inference.registration.shift_field import Lattice, ShiftField, identity_field

LATTICE = Lattice(64.0, 64.0, 128.0, 128.0, 8, 8)
POINTS = LATTICE.points()
EVERYWHERE = np.array([(x, y) for y in range(0, 1024, 51) for x in range(0, 1024, 51)], float)


def fit(offset: np.ndarray, weight: np.ndarray, local: bool = True) -> ShiftField:
    start = identity_field(1024, 1024)
    return refine_field(
        start, LATTICE, offset.reshape(8, 8, 2), weight.reshape(8, 8), 1.0, 5.0, 0.03 if local else None
    )


def smooth(points: np.ndarray, amplitude: float = 3.0) -> np.ndarray:
    x, y = points[:, 0] / 1024 * 2 * np.pi, points[:, 1] / 1024 * 2 * np.pi
    return amplitude * np.column_stack([np.sin(x) * np.cos(y), np.cos(x + 1.0) * np.sin(y)])


def test_a_uniform_shift_is_recovered() -> None:
    field = fit(np.full((64, 2), (2.25, -1.5)), np.ones(64))
    np.testing.assert_allclose(field.at(EVERYWHERE), np.full((len(EVERYWHERE), 2), (2.25, -1.5)), atol=1e-6)
    assert field.nodes is None


def test_noise_alone_does_not_bend_the_field() -> None:
    rng = np.random.default_rng(0)
    field = fit(rng.normal(0, 0.3, (64, 2)), np.ones(64))
    assert np.linalg.norm(field.at(EVERYWHERE), axis=1).max() < 0.3


def test_a_third_of_outliers_does_not_affect_the_field() -> None:
    rng = np.random.default_rng(1)
    offset = np.full((64, 2), (1.0, 2.0)) + rng.normal(0, 0.1, (64, 2))
    wrong = rng.permutation(64)[:21]
    offset[wrong] = rng.uniform(-10, 10, (21, 2))
    error = np.linalg.norm(fit(offset, np.ones(64)).at(EVERYWHERE) - (1.0, 2.0), axis=1)
    assert np.median(error) < 0.1
    assert error.max() < 0.8


def test_a_quarter_of_consistent_outliers_does_not_affect_the_field() -> None:
    offset = np.full((8, 8, 2), 0.0)
    offset[:4, :4] = (9.0, -7.0)  # more than a smooth field can change between neighbouring windows
    error = np.linalg.norm(fit(offset.reshape(-1, 2), np.ones(64)).at(EVERYWHERE), axis=1)
    assert error.max() < 0.3


def test_a_smooth_distortion_is_recovered() -> None:
    rng = np.random.default_rng(2)
    field = fit(smooth(POINTS) + rng.normal(0, 0.1, (64, 2)), np.ones(64))
    error = np.linalg.norm(field.at(EVERYWHERE) - smooth(EVERYWHERE), axis=1)
    assert np.median(np.linalg.norm(smooth(EVERYWHERE), axis=1)) > 1.5
    assert np.median(error) < 0.3


def test_without_local_distortion_the_field_is_affine() -> None:
    assert fit(smooth(POINTS), np.ones(64), local=False).nodes is None


def test_the_field_stays_bounded_where_no_window_is_trusted() -> None:
    weight = np.ones((8, 8))
    weight[:, 4:] = 0.0
    field = fit(smooth(POINTS), weight.ravel())
    assert np.linalg.norm(field.at(EVERYWHERE), axis=1).max() < 8.0


def test_without_trusted_windows_the_coarser_field_remains() -> None:
    start = ShiftField((511.5, 511.5), np.array([[4.0, 1.0], [0.0, 0.01], [-0.01, 0.0]]))
    field = refine_field(start, LATTICE, np.ones((8, 8, 2)), np.zeros((8, 8)), 1.0, 5.0, 0.03)
    np.testing.assert_allclose(field.at(EVERYWHERE), start.at(EVERYWHERE))


def test_a_few_windows_give_a_shift_but_no_rotation() -> None:
    weight = np.zeros(64)
    weight[[0, 9, 50, 63]] = 1.0
    offset = np.tile((3.0, -1.0), (64, 1)) + np.random.default_rng(4).normal(0, 0.2, (64, 2))
    field = fit(offset, weight)
    assert not field.affine[1:].any()
    np.testing.assert_allclose(field.affine[0], (3.0, -1.0), atol=0.3)


@pytest.mark.parametrize("outliers", [0, 5, 10])
def test_offset_mode_ignores_outliers(outliers: int) -> None:
    rng = np.random.default_rng(5)
    offset = np.vstack([rng.normal((2.0, 3.0), 0.1, (12, 2)), rng.uniform(-20, -5, (outliers, 2))])
    np.testing.assert_allclose(offset_mode(offset, np.ones(len(offset)), 3.0), (2.0, 3.0), atol=0.15)
