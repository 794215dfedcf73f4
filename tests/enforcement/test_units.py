from __future__ import annotations

import pytest

from enforcement.units import mu


def test_fifteen_mu_are_a_hectare() -> None:
    assert mu(10_000) == pytest.approx(15)


def test_one_mu_is_666_and_two_thirds_square_metres() -> None:
    assert mu(2000 / 3) == pytest.approx(1)
