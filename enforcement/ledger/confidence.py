"""The probability that a change is real, over all sources that looked at it.

The score of the detector is a calibrated probability for one comparison. Sources are taken as independent: a drone, a
satellite and a camera are misled by different things. Several comparisons of one source are not independent, so only
the best of them counts. With the probability ``prior`` of a change at a place that a detector reports for the first
time, a source that saw the change multiplies the odds by ``odds(score) / odds(prior)``, at least by 1; an image of a
source that showed the whole place and saw nothing multiplies them by the share of changes that this source misses.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from enforcement.ledger.derive import WHOLE_SHARE, LedgerState
from enforcement.ledger.sighting import Sighting
from imagery.set_operations import intersection, make_valid

_LEAST, _MOST = 0.0001, 0.9999  # no number of images makes a change certain, or excludes it

OBLIQUE_MOST = 0.93
"""Highest probability of an oblique comparison alone: its score says how clearly a place differs and is not calibrated.
All 13 places reported in `benchmarks.cameras` were true: 14 of 15 by the rule of succession."""


@dataclass(frozen=True)
class ConfidencePart:
    """What one source contributes.

    Attributes:
        source: drone, satellite, camera.
        seen: whether it saw the change; otherwise it looked and saw nothing.
        date: day of its best image, or of the image without the change.
        score: calibrated score of its best sighting; None: it saw nothing.
        detection: share of changes that this source finds; None: it saw the change.
        factor: factor of the odds.
    """

    source: str
    seen: bool
    date: dt.date | None
    score: float | None
    detection: float | None
    factor: float

    def to_json(self) -> dict[str, Any]:
        """Return the part as it is stored and delivered."""
        day = self.date.isoformat() if self.date else None
        return {**asdict(self), "date": day, "factor": round(self.factor, 3)}


@dataclass(frozen=True)
class Confidence:
    """Probability over all sources, 0…1, and what each contributes."""

    probability: float
    prior: float
    parts: tuple[ConfidencePart, ...]


def combine_sources(state: LedgerState, prior: float, detection: Mapping[str, float]) -> Confidence:
    """Combine all sightings of an alert since its works began.

    Args:
        state: as :func:`enforcement.ledger.derive.derive_state` returns it.
        prior: probability of a change without any sighting, 0…1.
        detection: share of changes found in one image, by source; "other" for sources not listed.
    """
    seen: dict[str, Sighting] = {}
    for sighting in state.used:
        relevant = sighting.outline is not None and (sighting.appeared or state.there_on is None)
        best = seen.get(sighting.source)
        if relevant and (best is None or (_score(sighting), sighting.day) > (_score(best), best.day)):
            seen[sighting.source] = sighting
    parts = [
        ConfidencePart(source, True, one.after, _score(one), None, max(1.0, _odds(_score(one)) / _odds(prior)))
        for source, one in sorted(seen.items())
    ]
    for sighting in _misses(state):
        rate = detection.get(sighting.source, detection.get("other", 0.5))
        parts.append(ConfidencePart(sighting.source, False, sighting.after, None, rate, 1 - rate))
    odds = _odds(prior)
    for part in parts:
        odds *= part.factor
    probability = round(min(_MOST, max(_LEAST, odds / (1 + odds))), 4)
    if len(parts) == 1 and parts[0].score is not None:
        probability = min(_MOST, parts[0].score)  # a single sighting is as probable as the detector says
    return Confidence(probability, prior, tuple(parts))


def _misses(state: LedgerState) -> Sequence[Sighting]:
    """List the comparisons that showed the whole standing works and saw nothing, one per source and day."""
    if state.not_yet_on is None or state.there_on is None:
        return []
    outline = make_valid(state.outline)
    found = {(s.source, s.day) for s in state.used if s.appeared}
    misses: dict[tuple[str, dt.date], Sighting] = {}
    for sighting in state.used:
        key = (sighting.source, sighting.day)
        if sighting.outline is not None or sighting.began > state.not_yet_on or key in found or sighting.error:
            continue
        if state.gone_on is not None and sighting.day >= state.gone_on:
            continue
        if key not in misses and _shows(sighting.visible, outline):
            misses[key] = sighting
    return [misses[key] for key in sorted(misses)]


def _shows(visible: BaseGeometry, outline: BaseGeometry) -> bool:
    shapely.prepare(visible)  # the ground of a comparison is that of many alerts
    if visible.covers(outline):
        return True
    return bool(intersection(make_valid(visible), outline).area >= WHOLE_SHARE * outline.area)


def _score(sighting: Sighting) -> float:
    """Return the probability of a change by one comparison."""
    return round(sighting.score if sighting.error is None else min(OBLIQUE_MOST, sighting.score), 4)


def _odds(probability: float) -> float:
    bounded = min(0.999, max(0.001, probability))
    return bounded / (1 - bounded)
