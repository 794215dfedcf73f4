from __future__ import annotations

from itertools import permutations

import pytest
from shapely.geometry import box

from enforcement.areas import NamedArea, place_in_areas

COUNTY = NamedArea("130131", "平山县", "county", box(0, 0, 10, 10))
EAST = NamedArea("130132", "东县", "county", box(10, 0, 20, 10))
NORTH = NamedArea("130131100", "北镇", "township", box(0, 5, 10, 10))
SOUTH = NamedArea("130131200", "南镇", "township", box(0, 0, 10, 5))
NORTH_1 = NamedArea("130131100201", "北一村", "village", box(0, 5, 5, 10))
NORTH_2 = NamedArea("130131100202", "北二村", "village", box(5, 5, 10, 10))
SOUTH_1 = NamedArea("130131200201", "南一村", "village", box(0, 0, 10, 5))
ALL = (COUNTY, EAST, NORTH, SOUTH, NORTH_1, NORTH_2, SOUTH_1)


def test_place_inside_one_village_belongs_to_its_township_and_county() -> None:
    placement = place_in_areas(box(1, 6, 2, 7), ALL)
    assert placement.county_code == "130131"
    assert placement.township_code == "130131100"
    assert placement.grid_code == "130131100201"
    assert placement.also_in == []


def test_largest_share_decides_and_other_areas_are_listed_with_their_shares() -> None:
    placement = place_in_areas(box(4, 6, 8, 7), ALL)
    assert placement.grid_code == "130131100202"
    assert placement.also_in == [{"code": "130131100201", "name": "北一村", "share": 0.25}]


def test_village_lies_in_the_chosen_township() -> None:
    # the northern township has 55 %, in two villages; the one southern village has most, 45 %
    placement = place_in_areas(box(4, 4.1, 6, 6.1), ALL)
    assert placement.township_code == "130131100"
    assert placement.grid_code.startswith(placement.township_code)
    assert {"code": "130131200201", "name": "南一村", "share": 0.45} in placement.also_in


def test_place_across_the_county_border_lists_the_other_county() -> None:
    placement = place_in_areas(box(9, 6, 10.5, 7), ALL)
    assert placement.county_code == "130131"
    assert {"code": "130132", "name": "东县", "share": 0.3333} in placement.also_in


def test_result_does_not_depend_on_the_order_of_the_areas() -> None:
    alert = box(4, 4, 11, 6)
    results = {str(place_in_areas(alert, order)) for order in list(permutations(ALL))[::97]}
    assert len(results) == 1


def test_codes_of_missing_levels_are_derived_from_the_level_below() -> None:
    placement = place_in_areas(box(1, 6, 2, 7), [NORTH_1])
    assert (placement.county_code, placement.township_code) == ("130131", "130131100")


def test_township_is_responsible_where_no_villages_are_loaded() -> None:
    assert place_in_areas(box(1, 6, 2, 7), [COUNTY, NORTH]).grid_code == "130131100"


def test_village_of_another_county_is_never_responsible() -> None:
    far = NamedArea("130132100201", "东一村", "village", box(9.9, 0, 20, 10))
    placement = place_in_areas(box(9, 6, 10.1, 7), [COUNTY, EAST, far])
    assert placement.grid_code == "130131"


def test_place_without_areas_has_empty_codes() -> None:
    placement = place_in_areas(box(50, 50, 51, 51), ALL)
    assert (placement.county_code, placement.township_code, placement.grid_code) == ("", "", "")


def test_sliver_across_the_border_is_ignored() -> None:
    assert place_in_areas(box(1, 6, 5.001, 7), ALL).also_in == []


@pytest.mark.parametrize("step", range(9))
def test_shares_of_adjacent_villages_add_up(step: int) -> None:
    left = 1 + step / 2
    placement = place_in_areas(box(left, 6, left + 4, 7), [NORTH_1, NORTH_2])
    others = sum(entry["share"] for entry in placement.also_in)
    assert others <= 0.5
    assert placement.grid_code == ("130131100201" if left <= 3 else "130131100202")
