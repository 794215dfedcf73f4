"""Which earlier image each piece of new ground is compared with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import pytest
from pyproj import Transformer
from shapely import transform
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from configs.service import NightSettings
from inference.planning import Image, Plan, plan_scans
from inference.settings import read_config

NIGHT = NightSettings()
CONFIG = read_config()
TO_LONLAT = Transformer.from_crs(4547, 4490, always_xy=True).transform
AUTUMN = dt.date(2025, 10, 20)


def _ground(west: float, south: float, east: float, north: float) -> BaseGeometry:
    """A rectangle given in metres from a place in central China."""
    rectangle = box(489_600 + west, 3_424_200 + south, 489_600 + east, 3_424_200 + north)
    return transform(rectangle, TO_LONLAT, interleaved=False)


def _image(
    number: int, date: dt.date | None, ground: BaseGeometry | None = None, gsd_m: float = 0.5, valid_share: float = 1.0
) -> Image:
    return Image(number, ground or _ground(0, 0, 1000, 1000), date, gsd_m, valid_share)


def _plan(
    *images: Image,
    scenes: tuple[Image, ...] | None = None,
    tried: Mapping[tuple[int, int], str] | None = None,
    night: NightSettings = NIGHT,
) -> Plan:
    return plan_scans(scenes or images, images, tried or {}, {}, night, CONFIG)


def _pairs(plan: Plan) -> list[tuple[int, int]]:
    return [(scan.before_id, scan.after_id) for scan in plan.scans]


def test_a_later_image_is_compared_with_the_earlier_one_and_the_first_has_none() -> None:
    plan = _plan(_image(1, dt.date(2025, 3, 1)), _image(2, AUTUMN))
    assert _pairs(plan) == [(1, 2)]
    assert plan.scans[0].unique_key.startswith("scan:1:2:")
    assert [(left.scene_id, left.reason) for left in plan.left] == [
        (1, "no usable earlier image: the other images of this ground are newer")
    ]
    assert plan.left[0].area_m2 == pytest.approx(1e6, rel=0.002)


def test_of_two_earlier_images_the_one_of_the_like_season_is_taken() -> None:
    images = _image(1, dt.date(2024, 10, 28)), _image(2, dt.date(2025, 6, 1)), _image(3, AUTUMN)
    assert _pairs(_plan(*images, scenes=images[2:])) == [(1, 3)]
    recent = NIGHT.model_copy(update={"prefer_same_season": False})
    assert _pairs(_plan(*images, scenes=images[2:], night=recent)) == [(2, 3)]


def test_december_and_january_are_one_season() -> None:
    images = _image(1, dt.date(2024, 12, 28)), _image(2, dt.date(2025, 7, 5)), _image(3, dt.date(2026, 1, 4))
    assert _pairs(_plan(*images, scenes=images[2:])) == [(1, 3)]


@pytest.mark.parametrize(
    ("worse", "better"),
    [({"gsd_m": 2.0}, {"gsd_m": 0.6}), ({"valid_share": 0.4}, {"valid_share": 1.0})],
    ids=["scale", "quality"],
)
def test_of_two_images_of_one_season_the_better_one_is_taken(worse: dict[str, float], better: dict[str, float]) -> None:
    one, other = dt.date(2024, 10, 1), dt.date(2024, 9, 30)
    images = _image(1, one, None, **worse), _image(2, other, None, **better), _image(3, AUTUMN)
    assert _pairs(_plan(*images, scenes=images[2:])) == [(2, 3)]


def test_what_the_best_image_does_not_show_goes_to_the_next_best_and_the_rest_is_reported() -> None:
    best = _image(1, dt.date(2024, 10, 20), _ground(0, 0, 400, 1000))
    next_best = _image(2, dt.date(2025, 5, 1), _ground(300, 0, 700, 1000))
    new = _image(3, AUTUMN)
    plan = _plan(best, next_best, new, scenes=(new,))
    assert _pairs(plan) == [(1, 3), (2, 3)]
    assert [left.reason for left in plan.left] == ["no earlier image shows this ground"]
    assert plan.left[0].area_m2 == pytest.approx(300_000, rel=0.01)


def test_an_image_whose_ground_better_ones_cover_is_not_scanned() -> None:
    halves = (
        _image(1, dt.date(2024, 10, 20), _ground(0, 0, 500, 1000)),
        _image(2, dt.date(2024, 10, 20), _ground(500, 0, 1000, 1000)),
    )
    worse = _image(3, dt.date(2025, 5, 1))
    new = _image(4, AUTUMN)
    assert sorted(_pairs(_plan(*halves, worse, new, scenes=(new,)))) == [(1, 4), (2, 4)]


def test_slivers_along_the_edge_are_neither_scanned_nor_reported() -> None:
    best = _image(1, dt.date(2024, 10, 20), _ground(-50, -50, 997, 1050))  # leaves 3 m × 1 km
    other = _image(2, dt.date(2025, 5, 1))
    plan = _plan(best, other, new := _image(3, AUTUMN), scenes=(new,))
    assert _pairs(plan) == [(1, 3)]
    assert plan.left == ()


@pytest.mark.parametrize(
    ("earlier", "reason"),
    [
        (_image(1, AUTUMN - dt.timedelta(days=2)), "are too close in time (less than 3 days)"),
        (_image(1, AUTUMN), "are too close in time (less than 3 days)"),
        (_image(1, AUTUMN - dt.timedelta(days=1101)), "are too old (more than 1100 days)"),
        (_image(1, AUTUMN + dt.timedelta(days=1)), "are newer"),
        (_image(1, None), "are of unknown date"),
        (_image(1, dt.date(2024, 10, 1), gsd_m=10), "differ too much in scale"),
        (_image(1, dt.date(2024, 10, 1), _ground(-990, 0, 10, 1000)), "touch it only at their edge"),
    ],
    ids=["close", "same day", "old", "newer", "undated", "coarse", "edge"],
)
def test_ground_without_a_usable_earlier_image_is_reported_with_the_reason(earlier: Image, reason: str) -> None:
    new = _image(2, AUTUMN)
    plan = _plan(earlier, new, scenes=(new,))
    assert plan.scans == ()
    assert reason in " ".join(left.reason for left in plan.left)
    assert sum(left.area_m2 for left in plan.left) == pytest.approx(1e6, rel=0.002)


def test_an_image_without_a_date_cannot_be_ordered() -> None:
    new = _image(2, None)
    plan = _plan(_image(1, dt.date(2024, 10, 1)), new, scenes=(new,))
    assert plan.scans == ()
    assert "--date" in plan.left[0].reason


def test_images_coarser_than_every_profile_are_not_planned() -> None:
    coarse = _image(1, dt.date(2024, 10, 1), gsd_m=100), _image(2, AUTUMN, gsd_m=90)
    plan = _plan(*coarse, scenes=coarse[1:])
    assert plan.scans == ()
    assert "scale" in plan.left[0].reason


def test_a_plan_made_again_plans_and_reports_nothing() -> None:
    images = (
        _image(1, dt.date(2024, 10, 20), _ground(0, 0, 400, 1000)),
        _image(2, dt.date(2025, 5, 1), _ground(300, 0, 700, 1000)),
        _image(3, AUTUMN),
    )
    first = _plan(*images)
    tried = dict.fromkeys(_pairs(first), "waiting")
    told = {left.scene_id: left.outline for left in first.left}
    again = plan_scans(images, images, tried, told, NIGHT, CONFIG)
    assert (again.scans, again.left) == ((), ())


def test_an_old_image_that_comes_in_late_serves_the_ground_that_had_none() -> None:
    new = _image(2, AUTUMN)
    left = _plan(new).left
    late = _image(3, dt.date(2024, 9, 1), _ground(0, 0, 500, 1000))
    plan = plan_scans((new,), (new, late), {}, {2: left[0].outline}, NIGHT, CONFIG)
    assert _pairs(plan) == [(3, 2)]
    assert plan.left == ()


def test_a_better_image_that_comes_in_late_does_not_have_known_ground_scanned_again() -> None:
    images = _image(1, dt.date(2025, 6, 1)), _image(2, AUTUMN), _image(3, dt.date(2024, 10, 20))
    assert _pairs(_plan(*images, scenes=images[1:2], tried={(1, 2): "done"})) == []


def test_where_the_best_image_could_not_be_compared_the_next_best_is_tried_but_not_for_ever() -> None:
    earlier = [_image(number, dt.date(2024, 10, number)) for number in range(1, 7)]
    new = _image(9, AUTUMN)
    tried: dict[tuple[int, int], str] = {}
    for _ in range(6):
        plan = _plan(*earlier, new, scenes=(new,), tried=tried)
        assert plan.left == ()  # each is reported with its scan
        tried |= dict.fromkeys(_pairs(plan), "not_comparable")
    assert sorted(tried) == [(4, 9), (5, 9), (6, 9)]


def test_several_new_images_of_one_place_are_each_compared_with_their_best_earlier_one() -> None:
    old = _image(1, dt.date(2024, 10, 20))
    first, second = _image(2, dt.date(2025, 10, 1)), _image(3, dt.date(2025, 10, 20))
    plan = _plan(old, first, second, scenes=(first, second))
    assert {after for _, after in _pairs(plan)} == {2, 3}
    assert (1, 2) in _pairs(plan)


def test_the_key_says_the_settings() -> None:
    drone = _image(1, dt.date(2025, 3, 1), gsd_m=0.1), _image(2, AUTUMN, gsd_m=0.1)
    aerial = tuple(replace(image, gsd_m=0.5) for image in drone)
    keys = {_plan(*pair).scans[0].unique_key for pair in (drone, aerial)}
    assert len(keys) == 2
