"""What images say of a correction needs the areas since the stop notice and the last one before it."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence

from enforcement.ledger.sighting import Sighting
from enforcement.steps.correction_watch import CorrectionFinding, SeenArea, watch_correction
from store.evidence.place_history import DayArea, _areas, _areas_since, _was_seen
from tests.enforcement.ledger.growing_site import random_history, sightings_of


def findings(areas: Sequence[DayArea], since: dt.date) -> list[CorrectionFinding]:
    return watch_correction([SeenArea(one.day, one.area_m2, one.gone) for one in areas if _was_seen(one)], since)


def test_findings_are_the_same_as_from_the_areas_of_all_days() -> None:
    found = 0
    for seed in range(12):
        rng = random.Random(seed)
        sightings: list[Sighting] = sightings_of(random_history(rng), rng)
        areas = _areas(sightings)
        for area in areas:
            for since in (area.day, area.day + dt.timedelta(days=1)):
                expected = findings(areas, since)
                assert findings(_areas_since(sightings, since), since) == expected
                found += len(expected)
    assert found > 20
