from __future__ import annotations

import pytest
from shapely.geometry import MultiPolygon, Polygon, box

from enforcement.overlap_ratio import area_m2, coverage, overlap_ratios
from imagery.set_operations import make_valid


def test_overlap_refers_to_the_smaller_polygon_in_either_order() -> None:
    large, small = box(116.0, 40.0, 116.004, 40.001), box(116.003, 40.0, 116.005, 40.001)
    assert overlap_ratios(large, small).of_smaller == pytest.approx(0.5)
    assert overlap_ratios(small, large) == overlap_ratios(large, small)


def test_iou_refers_to_the_union() -> None:
    assert overlap_ratios(box(0, 0, 4, 1), box(3, 0, 5, 1)).iou == pytest.approx(0.2)


def test_polygon_without_area_has_no_overlap() -> None:
    assert overlap_ratios(Polygon([(0, 0), (1, 0), (2, 0)]), box(0, 0, 1, 1)) == (0.0, 0.0)


def test_area_covered_twice_counts_once() -> None:
    share, _ = coverage(box(0, 0, 4, 1), [box(0, 0, 2, 1), box(1, 0, 3, 1)])
    assert share == pytest.approx(0.75)


def test_ratios_agree_with_ellipsoidal_areas() -> None:
    # half of an alert of two kilometres at 40° north: square degrees and the ellipsoid agree to 0.0002
    alert, south = box(116, 40, 116.02, 40.02), box(115, 39, 117, 40.01)
    share, m2 = coverage(alert, [south])
    assert share == pytest.approx(m2 / area_m2(alert), abs=2e-4)


def test_area_subtracts_holes_and_adds_parts() -> None:
    square = box(116, 40, 116.01, 40.01)
    hole, far = box(116.002, 40.002, 116.004, 40.004), box(116.02, 40, 116.03, 40.01)
    holed = MultiPolygon([Polygon(square.exterior, [hole.exterior]), far])
    assert area_m2(holed) == pytest.approx(area_m2(square) - area_m2(hole) + area_m2(far))


def test_self_intersecting_polygon_is_repaired() -> None:
    bow = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    assert overlap_ratios(make_valid(bow), box(0, 0, 2, 2)).of_smaller == pytest.approx(1)
