"""Set operations have an answer where GEOS alone has none, and are exact elsewhere."""

from __future__ import annotations

import pytest
import shapely
from shapely.errors import GEOSException
from shapely.geometry import Polygon, box

from imagery import set_operations

BOW_TIE = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
"""Crosses itself: two triangles of area 1, which touch in a point."""


@pytest.mark.parametrize(("name", "area"), [("intersection", 1.0), ("difference", 1.0), ("union", 3.0)])
def test_outlines_without_an_exact_answer_have_one(name: str, area: float) -> None:
    with pytest.raises(GEOSException):
        getattr(shapely, name)(BOW_TIE, box(0, 0, 1, 2))
    found = getattr(set_operations, name)(BOW_TIE, box(0, 0, 1, 2))
    assert found.is_valid
    assert found.area == pytest.approx(area)


def test_many_outlines_are_joined_where_one_crosses_itself() -> None:
    with pytest.raises(GEOSException):
        shapely.union_all([BOW_TIE, box(0, 0, 1, 2)])
    assert set_operations.union_all(iter([BOW_TIE, box(0, 0, 1, 2)])).area == pytest.approx(3.0)


def test_valid_outlines_give_the_exact_result() -> None:
    one, other = box(0, 0, 1 / 3, 1), box(0.1, 0, 1, 1)
    for name in ("intersection", "difference", "union"):
        assert getattr(set_operations, name)(one, other).equals_exact(getattr(shapely, name)(one, other), 0)
