"""Set operations have an answer where GEOS alone has none, and are exact elsewhere."""

from __future__ import annotations

import pytest
import shapely
from shapely.errors import GEOSException
from shapely.geometry import Polygon, box

from imagery import set_operations

BOW_TIE = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
"""Crosses itself: two triangles of area 1, which touch in a point."""

UNREPAIRABLE = Polygon(
    [
        (119.31537203250072, 30.03334299039918),
        (119.31566763185542, 30.034086789688338),
        (119.31613733735172, 30.033946646418478),
    ],
    [
        [
            (119.31567200209291, 30.034085407451926),
            (119.31537604175558, 30.033347652181998),
            (119.31538040843758, 30.03334632322591),
            (119.3155797084286, 30.03385534237685),
            (119.31566973220978, 30.034079749199705),
            (119.3162530942421, 30.033908557854904),
        ]
    ],
)
"""A part of an outline that was joined from those of many days, in degrees; its hole crosses its shell."""


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


def test_outlines_that_geos_cannot_repair_are_repaired() -> None:
    with pytest.raises(GEOSException):
        shapely.make_valid(UNREPAIRABLE, method="structure", keep_collapsed=False)
    repaired = set_operations.make_valid(UNREPAIRABLE)
    assert repaired.is_valid
    assert repaired.area == pytest.approx(UNREPAIRABLE.area, rel=1e-3)


def test_valid_outlines_give_the_exact_result() -> None:
    one, other = box(0, 0, 1 / 3, 1), box(0.1, 0, 1, 1)
    for name in ("intersection", "difference", "union"):
        assert getattr(set_operations, name)(one, other).equals_exact(getattr(shapely, name)(one, other), 0)
