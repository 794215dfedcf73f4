"""What a comparison without effect leaves out of the derivation changes nothing, in random histories."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
from shapely.geometry import box

from enforcement.ledger.confidence import combine_sources
from enforcement.ledger.derive import LedgerState, derive_state
from enforcement.ledger.no_effect import EmptyComparison, KnownDates, has_no_effect
from enforcement.ledger.sighting import Sighting
from tests.enforcement.ledger.growing_site import GROUND, PLANE, History, random_history, sightings_of

SEQUENCES = 150
RATES = {"satellite": 0.7, "drone": 0.8}
PARTIAL = PLANE.degrees(box(-400, -400, -5, 400))
WHOLE = PLANE.degrees(GROUND)


def facts(state: LedgerState) -> dict[str, Any]:
    """Return what the row of an alert holds of a state."""
    names = ("area_m2", "area_error_m2", "kind", "not_yet_on", "there_on", "gone_on", "error")
    return {name: getattr(state, name) for name in names} | {
        "outline": state.outline.wkt,
        "confidence": combine_sources(state, 0.4, RATES),
    }


def nothing_found(history: History, day: dt.date, number: int, rng: random.Random) -> Sighting:
    """A comparison of an image of ``day`` with one before it that found nothing."""
    before = rng.choice([image.day for image in history.images if image.day < day])
    visible = WHOLE if rng.random() < 0.8 else PARTIAL
    return Sighting(number, before, day, rng.choice(("satellite", "drone")), 0.5, visible)


@pytest.mark.slow
def test_a_comparison_without_effect_changes_no_state() -> None:
    skipped = derived = 0
    for seed in range(SEQUENCES):
        rng = random.Random(seed)
        history = random_history(rng)
        known = sightings_of(history, rng)
        last = history.images[-1].day
        for number in range(1000, 1005):
            day = last if rng.random() < 0.4 else last + dt.timedelta(days=rng.randint(1, 90))
            last = max(last, day)
            new = nothing_found(history, day, number, rng)
            before, after = derive_state(known), derive_state([*known, new])
            known.append(new)
            if before is None:
                continue
            assert after is not None
            others = [one for one in known[:-1] if one.day == day]
            skip = has_no_effect(
                EmptyComparison(new.before, new.after),
                KnownDates(before.not_yet_on, before.there_on, before.gone_on),
                latest_on=max(one.day for one in known[:-1]),
                same_day=tuple(EmptyComparison(one.before, one.after) for one in others if one.outline is None),
                changed_on_day=any(one.outline is not None for one in others),
            )
            if skip:
                skipped += 1
                assert facts(before) == facts(after), (seed, number)
            else:
                derived += facts(before) != facts(after)
    assert skipped > 120
    assert derived > 10  # the histories have comparisons that matter
