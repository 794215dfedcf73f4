"""Shift field: a function of position alone, independent of blocks."""

from __future__ import annotations

import numpy as np
import pytest

from inference.registration.shift_field import Lattice, ShiftField, cubic_taps, identity_field


@pytest.fixture
def field() -> ShiftField:
    rng = np.random.default_rng(3)
    affine = np.array([[3.0, -2.0], [0.001, 0.02], [-0.02, 0.002]])
    return ShiftField((499.5, 399.5), affine, Lattice(60.0, 50.0, 120.0, 110.0, 8, 7), rng.normal(0, 2, (7, 8, 2)))


def test_the_shift_of_a_pixel_does_not_depend_on_the_block(field: ShiftField) -> None:
    full = field.raster(np.arange(1000.0), np.arange(800.0))
    for left, top, right, bottom in [(0, 0, 256, 256), (250, 301, 777, 333), (999, 799, 1000, 800), (0, 5, 1000, 6)]:
        block = field.raster(np.arange(left, right, dtype=float), np.arange(top, bottom, dtype=float))
        np.testing.assert_array_equal(block, full[top:bottom, left:right])


def test_raster_and_scattered_points_agree(field: ShiftField) -> None:
    xs, ys = np.array([0.0, 17.25, 500.0, 999.0]), np.array([-20.0, 333.3, 799.0])
    points = np.array([(x, y) for y in ys for x in xs])
    np.testing.assert_allclose(field.raster(xs, ys).reshape(-1, 2), field.at(points), atol=1e-4)


def test_the_field_interpolates_its_nodes(field: ShiftField) -> None:
    assert field.lattice is not None
    assert field.nodes is not None
    np.testing.assert_allclose(field.remainder_at(field.lattice.points()).reshape(7, 8, 2), field.nodes, atol=1e-12)


def test_the_remainder_is_constant_beyond_the_outermost_nodes(field: ShiftField) -> None:
    inside, outside = np.array([[60.0, 270.0]]), np.array([[-5000.0, 270.0]])
    np.testing.assert_allclose(field.remainder_at(outside), field.remainder_at(inside))


def test_a_single_row_of_nodes_is_a_valid_field() -> None:
    nodes = np.arange(6.0).reshape(1, 3, 2)
    field = ShiftField((50.0, 5.0), np.zeros((3, 2)), Lattice(10.0, 5.0, 40.0, 1.0, 3, 1), nodes)
    raster = field.raster(np.array([10.0, 50.0, 90.0]), np.array([0.0, 5.0, 9.0]))
    np.testing.assert_allclose(raster, np.repeat(nodes, 3, axis=0))


def test_cubic_interpolation_reproduces_linear_functions() -> None:
    at = np.linspace(10.0, 50.0, 41)  # between the second and the last but one of seven nodes at 0, 10, …, 60
    taps, weights = cubic_taps(at, 0.0, 10.0, 7)
    np.testing.assert_allclose((weights * taps * 10.0).sum(axis=1), at, atol=1e-9)


def test_rotation_and_scale_of_the_affine_part() -> None:
    angle, scale = np.radians(1.5), 1.008
    a, b = scale * np.cos(angle) - 1.0, scale * np.sin(angle)
    field = ShiftField((0.0, 0.0), np.array([[0.0, 0.0], [a, b], [-b, a]]))
    assert field.rotation_deg == pytest.approx(1.5)
    assert field.scale == pytest.approx(1.008)


def test_the_maximum_shift_of_a_rotation_is_at_the_corners() -> None:
    angle = np.radians(1.0)
    a, b = np.cos(angle) - 1.0, np.sin(angle)
    field = ShiftField((499.5, 499.5), np.array([[0.0, 0.0], [a, b], [-b, a]]))
    assert field.max_length(1000, 1000) == pytest.approx(2 * np.sin(angle / 2) * np.hypot(499.5, 499.5), rel=1e-3)


def test_the_identity_is_zero_everywhere() -> None:
    field = identity_field(100, 50)
    assert field.is_zero
    assert not field.raster(np.arange(100.0), np.arange(50.0)).any()
    assert (field.rotation_deg, field.scale) == (0.0, 1.0)
