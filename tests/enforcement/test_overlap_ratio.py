from __future__ import annotations

import pytest
from shapely.geometry import MultiPolygon, Polygon, box

from enforcement.overlap_ratio import area_m2, covered, overlap, sound


def test_the_overlap_is_told_of_the_smaller_polygon_whichever_comes_first() -> None:
    large, small = box(116.0, 40.0, 116.004, 40.001), box(116.003, 40.0, 116.005, 40.001)
    assert overlap(large, small).of_smaller == pytest.approx(0.5)
    assert overlap(small, large) == overlap(large, small)


def test_likeness_is_told_of_both_together() -> None:
    assert overlap(box(0, 0, 4, 1), box(3, 0, 5, 1)).likeness == pytest.approx(0.2)


def test_a_polygon_without_area_overlaps_nothing() -> None:
    assert overlap(Polygon([(0, 0), (1, 0), (2, 0)]), box(0, 0, 1, 1)) == (0.0, 0.0)


def test_what_several_cover_counts_once() -> None:
    share, _ = covered(box(0, 0, 4, 1), [box(0, 0, 2, 1), box(1, 0, 3, 1)])
    assert share == pytest.approx(0.75)


def test_shares_are_those_of_an_equal_area_map() -> None:
    # an alert of two kilometres at 40° north, half of it by height: degrees and the ellipsoid agree to a thousandth
    alert, south = box(116, 40, 116.02, 40.02), box(115, 39, 117, 40.01)
    share, m2 = covered(alert, [south])
    assert share == pytest.approx(m2 / area_m2(alert), abs=2e-4)


def test_a_hole_and_a_second_part_are_counted() -> None:
    whole = box(116, 40, 116.01, 40.01)
    hole, far = box(116.002, 40.002, 116.004, 40.004), box(116.02, 40, 116.03, 40.01)
    holed = MultiPolygon([Polygon(whole.exterior, [hole.exterior]), far])
    assert area_m2(holed) == pytest.approx(area_m2(whole) - area_m2(hole) + area_m2(far))


def test_crossing_edges_do_not_stop_the_comparison() -> None:
    bow = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    assert overlap(sound(bow), box(0, 0, 2, 2)).of_smaller == pytest.approx(1)
