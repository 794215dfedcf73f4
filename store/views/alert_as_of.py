"""An alert as of a day: what the images up to that day show, derived by the same rule as the alert itself.

A day is that of the images, not that of their arrival: an image that arrived late counts from its own day on, and one
that was withdrawn does not count. What was known and delivered on a day is in the events and in the log. Decisions of
people, like state and type, are the present ones.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import shapely
from sqlalchemy.orm import Session

from enforcement.alert import CRS, Alert
from enforcement.change_types import read_change_types
from enforcement.ledger.confidence import Confidence, combine_sources
from enforcement.ledger.derive import LedgerState, derive_state
from enforcement.ledger.sighting import Sighting
from enforcement.settings import read_enforcement
from store.alerts.alert_data import read_alert
from store.alerts.ledger import load_sightings
from store.schema.tables import AlertRow


@dataclass(frozen=True)
class AlertDay:
    """What the images up to a day show of an alert."""

    day: dt.date
    state: LedgerState
    confidence: Confidence


def read_alert_as_of(session: Session, alert: AlertRow, day: dt.date, public_url: str = "") -> Alert | None:
    """Return an alert as of a day as plain data; None: no image up to that day shows it.

    Args:
        session: a transaction.
        alert: the alert.
        day: last day of the images that count.
        public_url: as of :func:`store.alerts.alert_data.read_alert`.
    """
    found = _as_of(load_sightings(session, [alert])[alert.id], day)
    if found is None:
        return None
    present, state = read_alert(session, alert, public_url), found.state
    kind = read_change_types().kinds.get(state.kind)
    shown = [one for one in present.sightings if one.date is not None and one.date <= day]
    return replace(
        present,
        kind=state.kind,
        kind_names=(kind.zh, kind.en) if kind else (state.kind, state.kind),
        outline=state.outline,
        detected={"crs": CRS, "wkt": shapely.to_wkt(state.outline, rounding_precision=8)},
        area_m2=state.area_m2,
        area_error_m2=state.area_error_m2,
        error=state.error,
        not_yet_on=state.not_yet_on,
        there_on=state.there_on,
        gone_on=state.gone_on,
        confidence=found.confidence.probability,
        confidence_parts=tuple(part.to_json() for part in found.confidence.parts),
        sightings=tuple(shown),
        score=shown[-1].score if shown else present.score,
    )


def alert_days(session: Session, alert: AlertRow) -> list[AlertDay]:
    """Return an alert as of each day of an image that shows its works or that they are gone, oldest first."""
    sightings = load_sightings(session, [alert])[alert.id]
    shown = {one.day for one in sightings if one.outline is not None and one.after is not None}
    present = derive_state(sightings)
    if present is not None and present.gone_on is not None:
        shown.add(present.gone_on)
    days = [_as_of(sightings, day) for day in sorted(shown)]
    return [day for day in days if day is not None]


def _as_of(sightings: Sequence[Sighting], day: dt.date) -> AlertDay | None:
    state, rates = derive_state(sightings, as_of=day), read_enforcement().confidence
    return None if state is None else AlertDay(day, state, combine_sources(state, rates.prior, rates.detection))
