"""The area that the ledger tells is the one that was seen, whatever the sequence of truth, images and arrival."""

from __future__ import annotations

import random

from enforcement.ledger.derive import derive_state
from enforcement.ledger.sighting import Sighting
from enforcement.overlap_ratio import area_m2
from tests.enforcement.ledger.growing_site import PLANE, History, random_history, sightings_of

SEQUENCES = 150


def test_area_is_within_ten_percent_of_the_works_seen_in_95_percent_of_the_sequences() -> None:
    good = 0
    for seed in range(SEQUENCES):
        rng = random.Random(seed)
        history = random_history(rng)
        sightings = sightings_of(history, rng)
        good += all(_is_told(history, sightings, last) for last in range(1, len(history.images)))
    assert good >= 0.95 * SEQUENCES


def _is_told(history: History, sightings: list[Sighting], last: int) -> bool:
    seen = history.seen(last)
    state = derive_state(sightings, as_of=history.images[last].day)
    if seen.is_empty:
        return state is None or state.gone_on is not None
    truth = area_m2(PLANE.degrees(seen))
    return state is not None and state.gone_on is None and abs(state.area_m2 - truth) <= 0.1 * truth


def test_result_does_not_depend_on_the_order_of_arrival() -> None:
    for seed in range(40):
        rng = random.Random(seed)
        sightings = sightings_of(random_history(rng), rng)
        expected = derive_state(sightings)
        for _ in range(3):
            assert derive_state(rng.sample(sightings, len(sightings))) == expected


def test_an_as_of_day_equals_the_state_that_was_derived_on_that_day() -> None:
    for seed in range(40):
        rng = random.Random(seed)
        history = random_history(rng)
        sightings = sightings_of(history, rng)
        for image in history.images:
            arrived = [sighting for sighting in sightings if sighting.day <= image.day]
            assert derive_state(sightings, as_of=image.day) == derive_state(arrived)
