"""Merging of fragments: the changes are those of a single block."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from shapely.geometry import Polygon, box, shape

from inference.fragments import Fragment
from inference.merge import merge_changes
from inference.settings import MinimumAreas

GRID = GeoBox((1000, 1000), Affine.scale(1.0), None)
MINIMUM = MinimumAreas(construction=50, ground=50, demolition=50)


def _fragment(polygon: Polygon, output: str = "building", direction: float = 1.0, score: float = 0.8) -> Fragment:
    area = int(polygon.area)
    return Fragment(output, polygon, area, area * score, area * direction, on_seam=True)


def test_two_halves_merge_without_a_vertex_at_the_seam() -> None:
    halves = [_fragment(box(10, 10, 20, 40), score=0.6), _fragment(box(20, 10, 50, 40), score=0.9)]
    (change,) = merge_changes(halves, GRID, 1.0, MINIMUM)
    assert change.polygon.equals(box(10, 10, 50, 40))
    assert len(change.polygon.exterior.coords) == 5
    assert change.score == pytest.approx((0.6 * 300 + 0.9 * 900) / 1200)


def test_fragments_that_touch_at_a_corner_are_not_merged() -> None:
    parts = [_fragment(box(10, 10, 20, 20)), _fragment(box(20, 20, 30, 30))]
    assert len(merge_changes(parts, GRID, 1.0, MINIMUM)) == 2


@pytest.mark.parametrize(("building_width", "kind"), [(20, "ground"), (60, "construction")])
def test_halves_of_a_site_of_different_kinds_are_one_change_of_the_larger_kind(building_width: int, kind: str) -> None:
    # two pixels around a building are never ground
    building, ground = box(10, 10, 10 + building_width, 50), box(12 + building_width, 10, 62 + building_width, 50)
    (change,) = merge_changes([_fragment(building), _fragment(ground, "ground")], GRID, 1.0, MINIMUM)
    assert change.kind == kind
    assert change.polygon.symmetric_difference(box(10, 10, 62 + building_width, 50)).area < 0.01 * change.area_m2


def test_a_building_inside_a_levelled_plot_is_part_of_it() -> None:
    plot = box(10, 10, 90, 90).difference(box(38, 38, 62, 62))
    (change,) = merge_changes([_fragment(plot, "ground"), _fragment(box(40, 40, 60, 60))], GRID, 1.0, MINIMUM)
    assert change.kind == "ground"
    assert change.area_m2 == pytest.approx(6400, rel=0.01)


def test_a_house_that_fronts_a_new_road_is_a_change_of_its_own() -> None:
    parts = [_fragment(box(10, 10, 60, 30)), _fragment(box(0, 32, 300, 42), "ground")]
    assert [change.kind for change in merge_changes(parts, GRID, 1.0, MINIMUM)] == ["construction", "ground"]


def test_what_appeared_and_what_disappeared_stay_apart() -> None:
    parts = [_fragment(box(10, 10, 40, 40), direction=-0.9), _fragment(box(42, 10, 80, 40), "ground")]
    assert {change.kind for change in merge_changes(parts, GRID, 1.0, MINIMUM)} == {"demolition", "ground"}


def test_the_order_of_the_fragments_does_not_matter() -> None:
    parts = [_fragment(box(10 * k, 10, 10 * k + 10, 20 + k)) for k in range(8)] + [_fragment(box(300, 5, 320, 25))]
    one, other = merge_changes(parts, GRID, 1.0, MINIMUM), merge_changes(parts[::-1], GRID, 1.0, MINIMUM)
    assert [change.polygon.wkt for change in one] == [change.polygon.wkt for change in other]


@pytest.mark.parametrize(("direction", "kind"), [(-0.8, "demolition"), (-0.1, "construction"), (0.9, "construction")])
def test_only_a_clearly_negative_direction_is_a_demolition(direction: float, kind: str) -> None:
    (change,) = merge_changes([_fragment(box(0, 0, 20, 20), direction=direction)], GRID, 1.0, MINIMUM)
    assert change.kind == kind


@pytest.mark.parametrize(("side", "count"), [(7, 0), (8, 1)])
def test_changes_below_the_minimum_mapping_unit_are_dropped(side: int, count: int) -> None:
    assert len(merge_changes([_fragment(box(0, 0, side, side))], GRID, 1.0, MINIMUM)) == count


def test_simplifying_moves_no_edge_by_more_than_a_pixel() -> None:
    rows, cols = np.mgrid[:200, :200]
    wavy = np.hypot(rows - 100, cols - 100) < 60 + 12 * np.sin(5 * np.arctan2(rows - 100, cols - 100))
    outline = next(shape(g) for g, value in shapes(wavy.astype(np.uint8)) if value == 1)
    (change,) = merge_changes([_fragment(outline)], GRID, 1.0, MINIMUM)
    assert len(change.polygon.exterior.coords) < len(outline.exterior.coords) / 4
    moved = shapely.hausdorff_distance(change.polygon.exterior, outline.exterior, densify=0.05)
    assert moved <= 1.0 + 1e-9
    assert change.area_m2 == pytest.approx(outline.area, rel=0.02)
