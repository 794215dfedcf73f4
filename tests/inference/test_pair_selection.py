"""Selection of the earlier image for each piece of new ground."""

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
from inference import pair_selection
from inference.pair_selection import CandidateImage, PairSelection, select_pairs
from inference.settings import read_config

NIGHT = NightSettings()
CONFIG = read_config()
TO_LONLAT = Transformer.from_crs(4547, 4490, always_xy=True).transform
AUTUMN = dt.date(2025, 10, 20)


def _ground(west: float, south: float, east: float, north: float) -> BaseGeometry:
    """Return a rectangle in degrees; its sides are in metres from an origin in central China."""
    rectangle = box(489_600 + west, 3_424_200 + south, 489_600 + east, 3_424_200 + north)
    return transform(rectangle, TO_LONLAT, interleaved=False)


def _image(
    number: int, date: dt.date | None, ground: BaseGeometry | None = None, gsd_m: float = 0.5, valid_share: float = 1.0
) -> CandidateImage:
    return CandidateImage(number, ground or _ground(0, 0, 1000, 1000), date, gsd_m, valid_share)


def _select(
    *images: CandidateImage,
    scenes: tuple[CandidateImage, ...] | None = None,
    tried: Mapping[tuple[int, int], str] | None = None,
    night: NightSettings = NIGHT,
) -> PairSelection:
    return select_pairs(scenes or images, images, tried or {}, {}, night, CONFIG)


def _pairs(selection: PairSelection) -> list[tuple[int, int]]:
    return [(pair.before_id, pair.after_id) for pair in selection.pairs]


def test_a_later_image_is_compared_with_the_earlier_one_and_the_first_with_none() -> None:
    selection = _select(_image(1, dt.date(2025, 3, 1)), _image(2, AUTUMN))
    assert _pairs(selection) == [(1, 2)]
    assert selection.pairs[0].unique_key.startswith("scan:1:2:")
    assert [(ground.scene_id, ground.reason) for ground in selection.uncovered] == [
        (1, "no usable earlier image: the other images of this ground are newer")
    ]
    assert selection.uncovered[0].area_m2 == pytest.approx(1e6, rel=0.002)


def test_of_two_earlier_images_the_one_of_the_same_season_is_selected() -> None:
    images = _image(1, dt.date(2024, 10, 28)), _image(2, dt.date(2025, 6, 1)), _image(3, AUTUMN)
    assert _pairs(_select(*images, scenes=images[2:])) == [(1, 3)]
    recent = NIGHT.model_copy(update={"prefer_same_season": False})
    assert _pairs(_select(*images, scenes=images[2:], night=recent)) == [(2, 3)]


def test_december_and_january_are_one_season() -> None:
    images = _image(1, dt.date(2024, 12, 28)), _image(2, dt.date(2025, 7, 5)), _image(3, dt.date(2026, 1, 4))
    assert _pairs(_select(*images, scenes=images[2:])) == [(1, 3)]


@pytest.mark.parametrize(
    ("worse", "better"),
    [({"gsd_m": 2.0}, {"gsd_m": 0.6}), ({"valid_share": 0.4}, {"valid_share": 1.0})],
    ids=["scale", "quality"],
)
def test_of_two_images_of_one_season_the_better_one_is_selected(
    worse: dict[str, float], better: dict[str, float]
) -> None:
    one, other = dt.date(2024, 10, 1), dt.date(2024, 9, 30)
    images = _image(1, one, None, **worse), _image(2, other, None, **better), _image(3, AUTUMN)
    assert _pairs(_select(*images, scenes=images[2:])) == [(2, 3)]


def test_the_next_best_image_covers_the_remaining_ground_and_the_rest_is_reported() -> None:
    best = _image(1, dt.date(2024, 10, 20), _ground(0, 0, 400, 1000))
    next_best = _image(2, dt.date(2025, 5, 1), _ground(300, 0, 700, 1000))
    new = _image(3, AUTUMN)
    selection = _select(best, next_best, new, scenes=(new,))
    assert _pairs(selection) == [(1, 3), (2, 3)]
    assert [ground.reason for ground in selection.uncovered] == ["no earlier image shows this ground"]
    assert selection.uncovered[0].area_m2 == pytest.approx(300_000, rel=0.01)


def test_an_image_covered_by_better_ones_is_not_selected() -> None:
    halves = (
        _image(1, dt.date(2024, 10, 20), _ground(0, 0, 500, 1000)),
        _image(2, dt.date(2024, 10, 20), _ground(500, 0, 1000, 1000)),
    )
    worse = _image(3, dt.date(2025, 5, 1))
    new = _image(4, AUTUMN)
    assert sorted(_pairs(_select(*halves, worse, new, scenes=(new,)))) == [(1, 4), (2, 4)]


def test_slivers_along_the_edge_are_neither_selected_nor_reported() -> None:
    best = _image(1, dt.date(2024, 10, 20), _ground(-50, -50, 997, 1050))  # leaves 3 m × 1 km
    other = _image(2, dt.date(2025, 5, 1))
    selection = _select(best, other, new := _image(3, AUTUMN), scenes=(new,))
    assert _pairs(selection) == [(1, 3)]
    assert selection.uncovered == ()


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
def test_ground_without_a_usable_earlier_image_is_reported_with_the_reason(
    earlier: CandidateImage, reason: str
) -> None:
    new = _image(2, AUTUMN)
    selection = _select(earlier, new, scenes=(new,))
    assert selection.pairs == ()
    assert reason in " ".join(ground.reason for ground in selection.uncovered)
    assert sum(ground.area_m2 for ground in selection.uncovered) == pytest.approx(1e6, rel=0.002)


def test_an_image_without_a_date_cannot_be_ordered() -> None:
    new = _image(2, None)
    selection = _select(_image(1, dt.date(2024, 10, 1)), new, scenes=(new,))
    assert selection.pairs == ()
    assert "--date" in selection.uncovered[0].reason


def test_images_coarser_than_every_profile_are_not_selected() -> None:
    coarse = _image(1, dt.date(2024, 10, 1), gsd_m=100), _image(2, AUTUMN, gsd_m=90)
    selection = _select(*coarse, scenes=coarse[1:])
    assert selection.pairs == ()
    assert "scale" in selection.uncovered[0].reason


def test_a_repeated_selection_selects_and_reports_nothing() -> None:
    images = (
        _image(1, dt.date(2024, 10, 20), _ground(0, 0, 400, 1000)),
        _image(2, dt.date(2025, 5, 1), _ground(300, 0, 700, 1000)),
        _image(3, AUTUMN),
    )
    first = _select(*images)
    tried = dict.fromkeys(_pairs(first), "waiting")
    reported = {ground.scene_id: ground.outline for ground in first.uncovered}
    again = select_pairs(images, images, tried, reported, NIGHT, CONFIG)
    assert (again.pairs, again.uncovered) == ((), ())


def test_an_old_image_that_arrives_late_is_used_for_ground_that_had_none() -> None:
    new = _image(2, AUTUMN)
    uncovered = _select(new).uncovered
    late = _image(3, dt.date(2024, 9, 1), _ground(0, 0, 500, 1000))
    selection = select_pairs((new,), (new, late), {}, {2: uncovered[0].outline}, NIGHT, CONFIG)
    assert _pairs(selection) == [(3, 2)]
    assert selection.uncovered == ()


def test_a_better_image_that_arrives_late_does_not_repeat_a_scan() -> None:
    images = _image(1, dt.date(2025, 6, 1)), _image(2, AUTUMN), _image(3, dt.date(2024, 10, 20))
    assert _pairs(_select(*images, scenes=images[1:2], tried={(1, 2): "done"})) == []


def test_after_failed_scans_the_next_best_images_are_tried_up_to_a_limit() -> None:
    earlier = [_image(number, dt.date(2024, 10, number)) for number in range(1, 7)]
    new = _image(9, AUTUMN)
    tried: dict[tuple[int, int], str] = {}
    for _ in range(6):
        selection = _select(*earlier, new, scenes=(new,), tried=tried)
        assert selection.uncovered == ()  # ground of a failed scan is reported with that scan
        tried |= dict.fromkeys(_pairs(selection), "not_comparable")
    assert sorted(tried) == [(4, 9), (5, 9), (6, 9)]


def test_several_new_images_of_one_place_are_each_compared_with_their_best_earlier_one() -> None:
    old = _image(1, dt.date(2024, 10, 20))
    first, second = _image(2, dt.date(2025, 10, 1)), _image(3, dt.date(2025, 10, 20))
    selection = _select(old, first, second, scenes=(first, second))
    assert {after for _, after in _pairs(selection)} == {2, 3}
    assert (1, 2) in _pairs(selection)


def test_the_unique_key_depends_on_the_settings() -> None:
    drone = _image(1, dt.date(2025, 3, 1), gsd_m=0.1), _image(2, AUTUMN, gsd_m=0.1)
    aerial = tuple(replace(image, gsd_m=0.5) for image in drone)
    keys = {_select(*images).pairs[0].unique_key for images in (drone, aerial)}
    assert len(keys) == 2


def test_ground_that_the_earlier_image_hides_is_compared_with_the_next_best_one() -> None:
    cloudy, older, new = (
        _image(1, dt.date(2024, 10, 18)),
        _image(2, dt.date(2024, 10, 1), _ground(0, 0, 500, 1000)),
        _image(3, AUTUMN),
    )
    images, tried = (cloudy, older, new), {(1, 3): "done"}
    assert _pairs(_select(*images, scenes=(new,), tried=tried)) == []
    hidden = {(1, 3): _ground(300, 200, 700, 600)}
    selection = select_pairs((new,), images, tried, {}, NIGHT, CONFIG, hidden)
    assert _pairs(selection) == [(2, 3)]
    assert selection.uncovered == (), "hidden ground without another image is reported with the scan"
    # the next image hides it too, and there is no further one
    both = hidden | {(2, 3): _ground(300, 200, 500, 600)}
    assert _pairs(select_pairs((new,), images, tried | {(2, 3): "done"}, {}, NIGHT, CONFIG, both)) == []
    # a patch below the smallest piece of ground is no reason to compare again
    small = {(1, 3): _ground(300, 200, 310, 210)}
    assert _pairs(select_pairs((new,), images, tried, {}, NIGHT, CONFIG, small)) == []


MARCH = dt.date(2025, 3, 1)


def test_only_images_of_one_kind_are_compared() -> None:
    grey, red = replace(_image(1, MARCH), kind="panchromatic"), replace(_image(2, MARCH), kind="infrared")
    after = _image(3, AUTUMN)
    selection = _select(grey, red, after, scenes=(after,))
    assert _pairs(selection) == []
    assert "are of another kind" in selection.uncovered[0].reason
    assert _pairs(_select(grey, _image(4, MARCH), after, scenes=(after,))) == [(4, 3)]
    assert _pairs(_select(grey, replace(after, kind="panchromatic"))) == [(1, 3)]


@pytest.mark.parametrize(
    ("best", "other"),
    [
        (_image(2, AUTUMN, gsd_m=0.3), _image(3, AUTUMN, gsd_m=0.8)),
        (_image(3, AUTUMN, gsd_m=0.55), _image(2, AUTUMN, gsd_m=0.5, valid_share=0.5)),
        (_image(2, AUTUMN, gsd_m=0.15), _image(3, AUTUMN, gsd_m=0.1, valid_share=0.7)),
        (_image(3, AUTUMN), _image(2, AUTUMN)),
    ],
    ids=["finer", "more valid", "both finer than needed", "received last"],
)
def test_of_several_images_of_one_day_the_best_is_compared(best: CandidateImage, other: CandidateImage) -> None:
    before = _image(1, MARCH, gsd_m=0.5)
    selection = _select(before, best, other, scenes=(best, other))
    assert _pairs(selection) == [(1, best.id)]
    assert selection.uncovered == ()
    again = _select(before, best, other, scenes=(best, other), tried={(1, best.id): "done"})
    assert _pairs(again) == []


def test_where_the_best_image_of_a_day_does_not_reach_or_fails_another_is_compared() -> None:
    before, best = _image(1, MARCH), _image(3, AUTUMN, _ground(0, 0, 400, 1000), gsd_m=0.3)
    other = _image(2, AUTUMN, gsd_m=0.8)
    assert _pairs(_select(before, best, other, scenes=(best, other))) == [(1, 3), (1, 2)]
    inside = _image(2, AUTUMN, _ground(0, 0, 400, 1000), gsd_m=0.8)
    assert _pairs(_select(before, best, inside, scenes=(best, inside))) == [(1, 3)]
    failed = {(1, 3): "not_comparable"}
    assert _pairs(_select(before, best, inside, scenes=(best, inside), tried=failed)) == [(1, 2)]


def test_a_better_image_of_a_day_is_compared_although_a_worse_one_was() -> None:
    before, better, worse = _image(1, MARCH), _image(3, AUTUMN, gsd_m=0.3), _image(2, AUTUMN, gsd_m=0.8)
    done = {(1, 2): "done"}
    assert _pairs(_select(before, better, worse, scenes=(better, worse), tried=done)) == [(1, 3)]


def test_each_image_of_an_archive_is_only_compared_with_those_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    images = tuple(_image(number, dt.date(2024, 1, 1) + dt.timedelta(days=5 * number)) for number in range(1, 31))
    tried = {(number, number + 1): "done" for number in range(1, 29)}
    overlaps = 0

    def counted(one: BaseGeometry, other: BaseGeometry) -> BaseGeometry:
        nonlocal overlaps
        overlaps += 1
        return one.intersection(other)

    monkeypatch.setattr(pair_selection, "intersection", counted)
    night = NIGHT.model_copy(update={"prefer_same_season": False})
    reported = {1: images[0].outline}
    selection = select_pairs(images, images, tried, reported, night, CONFIG)
    assert (_pairs(selection), selection.uncovered) == ([(29, 30)], ())
    assert overlaps <= 2 * len(images)  # not one for each pair of images
