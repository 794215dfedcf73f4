from __future__ import annotations

import datetime as dt

import pytest
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from enforcement.ledger.confidence import OBLIQUE_MOST, combine_sources
from enforcement.ledger.derive import LedgerState, derive_state
from enforcement.ledger.sighting import Sighting
from imagery.error_ellipse import ErrorEllipse
from tests.enforcement.ledger.growing_site import GROUND, PLANE

RATES = {"satellite": 0.7, "drone": 0.8}


def day(month: int) -> dt.date:
    return dt.date(2025, month, 1)


def sighting(
    before: int,
    after: int,
    outline: BaseGeometry | None,
    kind: str = "construction",
    *,
    source: str = "satellite",
    visible: BaseGeometry = GROUND,
    gsd_m: float = 0.5,
    score: float = 0.6,
    error: ErrorEllipse | None = None,
) -> Sighting:
    """A comparison of two months; geometries in metres."""
    seen = outline is not None
    place = PLANE.degrees(outline) if outline is not None else None
    facts = (kind, score) if seen else ("", 0.0)
    return Sighting(after, day(before), day(after), source, gsd_m, PLANE.degrees(visible), place, *facts, error)


def state_of(*sightings: Sighting) -> LedgerState:
    state = derive_state(sightings)
    assert state is not None
    return state


def test_increments_add_up_to_the_area_against_the_image_before_the_works() -> None:
    state = state_of(sighting(1, 2, box(0, 0, 50, 40)), sighting(2, 3, box(50, 0, 120, 40)))
    assert state.area_m2 == pytest.approx(4800, rel=0.01)
    assert (state.not_yet_on, state.there_on, state.last_on) == (day(1), day(2), day(3))


def test_an_image_that_ends_within_the_outline_does_not_shrink_it() -> None:
    half = box(-400, -400, 40, 400)
    state = state_of(sighting(1, 2, box(0, 0, 80, 40)), sighting(1, 3, box(0, 0, 40, 40), visible=half))
    assert state.area_m2 == pytest.approx(3200, rel=0.01)


def test_an_image_that_shows_the_whole_outline_shrinks_it() -> None:
    state = state_of(sighting(1, 2, box(0, 0, 80, 40)), sighting(1, 3, box(0, 0, 40, 40)))
    assert state.area_m2 == pytest.approx(1600, rel=0.01)


def test_a_missed_part_stays_if_another_comparison_shows_it_unchanged() -> None:
    missed = sighting(1, 3, box(0, 0, 40, 40))
    state = state_of(sighting(1, 2, box(0, 0, 80, 40)), missed, sighting(2, 3, None))
    assert state.area_m2 == pytest.approx(3200, rel=0.01)


def test_works_that_two_images_no_longer_show_are_gone_and_keep_their_last_outline() -> None:
    hall = sighting(1, 2, box(0, 0, 80, 40))
    assert state_of(hall, sighting(1, 3, None)).gone_on is None
    state = state_of(hall, sighting(1, 3, None), sighting(1, 4, None))
    assert (state.gone_on, state.last_on) == (day(3), day(2))
    assert state.area_m2 == pytest.approx(3200, rel=0.01)


def test_works_of_which_a_demolition_is_seen_are_gone_where_one_image_no_longer_shows_them() -> None:
    part = sighting(2, 3, box(0, 0, 30, 40), "demolition", visible=box(-400, -400, 40, 400))
    assert state_of(sighting(1, 2, box(0, 0, 80, 40)), sighting(1, 3, None), part).gone_on == day(3)


def test_works_that_stand_unchanged_are_not_gone_where_one_comparison_misses_them() -> None:
    state = state_of(sighting(1, 2, box(0, 0, 80, 40)), sighting(1, 3, None), sighting(2, 3, None))
    assert (state.gone_on, state.last_on) == (None, day(3))


def test_a_demolition_removes_what_it_covers() -> None:
    part = state_of(sighting(1, 2, box(0, 0, 80, 40)), sighting(2, 3, box(0, 0, 40, 40), "demolition"))
    assert (part.gone_on, part.area_m2) == (None, pytest.approx(1600, rel=0.01))
    whole = state_of(sighting(1, 2, box(0, 0, 80, 40)), sighting(2, 3, box(0, 0, 79, 40), "demolition"))
    assert whole.gone_on == day(3)


def test_works_that_begin_again_have_dates_of_their_own() -> None:
    hall = box(0, 0, 80, 40)
    removed = sighting(2, 3, hall, "demolition")
    state = state_of(sighting(1, 2, hall), removed, sighting(3, 5, box(0, 0, 30, 40)))
    assert (state.not_yet_on, state.there_on, state.gone_on) == (day(3), day(5), None)
    assert state.area_m2 == pytest.approx(1200, rel=0.01)


def test_a_later_image_without_the_works_narrows_the_dates() -> None:
    state = state_of(sighting(1, 5, box(0, 0, 80, 40)), sighting(1, 3, None), sighting(3, 4, None))
    assert (state.not_yet_on, state.there_on) == (day(4), day(5))


def test_an_oblique_area_never_replaces_one_from_above() -> None:
    error = ErrorEllipse(6, 2, 30)
    camera = sighting(2, 4, box(-20, -20, 100, 60), source="camera", error=error)
    state = state_of(sighting(1, 3, box(0, 0, 50, 40)), camera)
    assert (state.error, state.area_error_m2) == (None, 0)
    assert state.area_m2 == pytest.approx(2000, rel=0.01)
    assert state.last_on == day(4)


def test_oblique_images_alone_give_an_estimate_with_its_position_error() -> None:
    error = ErrorEllipse(6, 2, 30)
    outlines = (box(0, 0, 20, 20), box(0, 0, 60, 50), box(0, 0, 30, 30))
    state = state_of(*(sighting(1, 2 + n, o, source="camera", error=error) for n, o in enumerate(outlines)))
    assert state.oblique
    assert state.area_m2 == pytest.approx(3000, rel=0.01)
    assert state.area_error_m2 == pytest.approx(220 * (20**0.5), rel=0.02)


def test_works_after_a_vehicle_has_left_have_dates_and_kind_of_their_own() -> None:
    error, place = ErrorEllipse(6, 2, 30), box(0, 0, 12, 12)
    truck = sighting(1, 2, place, source="camera", error=error)
    left = sighting(2, 3, place, "demolition", source="camera", error=error)
    gone = state_of(truck, left)
    assert (gone.there_on, gone.gone_on) == (day(2), day(3))
    works = state_of(truck, left, sighting(3, 5, box(-5, -5, 30, 30), "ground", source="camera", error=error))
    assert (works.kind, works.not_yet_on, works.there_on, works.gone_on) == ("ground", day(3), day(5), None)
    assert len(works.used) == 1


def test_a_coarser_image_changes_only_what_is_wider_than_its_pixels() -> None:
    drone = sighting(1, 2, box(0, 0, 60, 40), source="drone", gsd_m=0.25)
    noisy = state_of(drone, sighting(1, 3, box(-2, -2, 62, 42), gsd_m=2))
    assert noisy.area_m2 == pytest.approx(2400, rel=0.01)
    grown = state_of(drone, sighting(1, 3, box(-2, -2, 100, 42), gsd_m=2))
    assert grown.area_m2 == pytest.approx(4000, rel=0.1)


def test_a_demolition_alone_is_an_alert_of_that_kind() -> None:
    state = state_of(sighting(1, 2, box(0, 0, 30, 30), "demolition"))
    assert (state.kind, state.there_on, state.gone_on) == ("demolition", None, day(2))


def test_no_change_gives_no_state() -> None:
    assert derive_state([sighting(1, 2, None)]) is None
    assert derive_state([sighting(2, 3, box(0, 0, 30, 30))], as_of=day(2)) is None


def test_one_source_has_the_confidence_of_its_best_score() -> None:
    hall = box(0, 0, 80, 40)
    state = state_of(sighting(1, 2, hall, score=0.6), sighting(1, 3, hall, score=0.7))
    assert combine_sources(state, 0.2, RATES).probability == 0.7


def test_an_oblique_image_alone_is_never_certain() -> None:
    camera = sighting(1, 2, box(0, 0, 30, 30), source="camera", score=1.0, error=ErrorEllipse(6, 2, 30))
    assert combine_sources(state_of(camera), 0.2, RATES).probability == OBLIQUE_MOST


def test_each_independent_source_raises_the_confidence() -> None:
    hall = box(0, 0, 80, 40)
    seen = [sighting(1, 2 + n, hall, source=source) for n, source in enumerate(("satellite", "drone", "camera"))]
    rising = [combine_sources(state_of(*seen[:n]), 0.2, RATES).probability for n in (1, 2, 3)]
    assert rising == sorted(rising)
    assert rising[0] == 0.6
    assert rising[2] > 0.95


def test_a_source_that_saw_nothing_lowers_the_confidence_by_what_it_misses() -> None:
    hall = box(0, 0, 80, 40)
    stands = [sighting(1, 2, hall), sighting(2, 3, None, source="drone")]
    confidence = combine_sources(state_of(*stands, sighting(1, 3, None, source="drone")), 0.2, RATES)
    assert confidence.probability == pytest.approx(0.2308, abs=1e-3)  # odds 1.5 times 1 − 0.8
    assert [(part.source, part.seen) for part in confidence.parts] == [("satellite", True), ("drone", False)]
    assert combine_sources(state_of(*stands), 0.2, RATES).probability == 0.6


def test_an_image_that_shows_part_of_the_place_says_nothing_against_it() -> None:
    partial = sighting(1, 3, None, source="drone", visible=box(-400, -400, 40, 400))
    assert combine_sources(state_of(sighting(1, 2, box(0, 0, 80, 40)), partial), 0.2, RATES).probability == 0.6
