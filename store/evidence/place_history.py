"""History of an alert's place: every image of it, the area as of each day, and what images after a stop notice say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.ledger.derive import derive_state
from enforcement.ledger.sighting import Sighting
from enforcement.steps.correction_watch import CorrectionFinding, SeenArea, watch_correction
from store.alerts.ledger import load_sightings
from store.evidence.alert_images import PlaceImage, images_of_place
from store.evidence.step_evidence import correcting_since
from store.schema.tables import AlertRow, Observation, Scan


@dataclass(frozen=True)
class DayArea:
    """What the images up to a day show of the works.

    Attributes:
        day: of an image that was compared.
        area_m2: 0 before the works began and after they were gone.
        gone: whether the works are gone.
    """

    day: dt.date
    area_m2: float
    gone: bool


@dataclass(frozen=True)
class WatchedFinding:
    """What a later image says about a correction, and the comparison that shows it (None: no detection on that day)."""

    finding: CorrectionFinding
    scene_id: int | None


@dataclass(frozen=True)
class PlaceHistory:
    """Images of the place (oldest first), area of each compared day, and findings about the correction."""

    images: list[PlaceImage]
    areas: list[DayArea]
    findings: list[WatchedFinding]


def place_history(session: Session, alert: AlertRow, zone: dt.tzinfo) -> PlaceHistory:
    """Return the history of an alert's place.

    Args:
        session: a read transaction.
        alert: the alert.
        zone: time zone of the day on which the correction was ordered.
    """
    sightings = load_sightings(session, [alert])[alert.id]
    areas = _areas(sightings)
    images = [image for image in images_of_place(session, alert) if image.date is not None]
    return PlaceHistory(images, areas, _findings(session, alert, areas, images, zone))


def correction_findings(session: Session, alert: AlertRow, zone: dt.tzinfo) -> list[WatchedFinding]:
    """Return what images after the last stop notice say, oldest first; empty before a correction was ordered."""
    since = correcting_since(session, alert, zone)
    if since is None:
        return []
    areas = _areas_since(load_sightings(session, [alert])[alert.id], since)
    images = [image for image in images_of_place(session, alert) if image.date is not None]
    return _findings(session, alert, areas, images, zone)


def area_on(areas: Sequence[DayArea], day: dt.date) -> DayArea | None:
    """Return the state of the latest compared day up to ``day``; None: no comparison reaches back to it."""
    return next((one for one in reversed(areas) if one.day <= day), None)


def _areas(sightings: Sequence[Sighting]) -> list[DayArea]:
    return [_area_as_of(sightings, day) for day in _days(sightings)]


def _areas_since(sightings: Sequence[Sighting], since: dt.date) -> list[DayArea]:
    """Return the areas of the days after ``since``, and of the last one up to it on which works were seen."""
    days = _days(sightings)
    earlier = (_area_as_of(sightings, day) for day in reversed(days) if day <= since)
    last = next((area for area in earlier if _was_seen(area)), None)
    return [*([] if last is None else [last]), *(_area_as_of(sightings, day) for day in days if day > since)]


def _days(sightings: Sequence[Sighting]) -> list[dt.date]:
    days = {one.day for one in sightings if one.after is not None} | {one.before for one in sightings if one.before}
    return sorted(days)


def _area_as_of(sightings: Sequence[Sighting], day: dt.date) -> DayArea:
    state = derive_state(sightings, as_of=day)
    gone = state is not None and state.gone_on is not None and state.gone_on <= day
    area = 0.0 if state is None or gone or state.there_on is None else state.area_m2
    return DayArea(day, area, gone)


def _was_seen(area: DayArea) -> bool:
    return area.area_m2 > 0 or area.gone


def _findings(
    session: Session, alert: AlertRow, areas: Sequence[DayArea], images: Sequence[PlaceImage], zone: dt.tzinfo
) -> list[WatchedFinding]:
    since = correcting_since(session, alert, zone)
    if since is None:
        return []
    seen = [SeenArea(one.day, one.area_m2, one.gone) for one in areas if _was_seen(one)]
    scenes = {image.date: image.scene_id for image in images}
    rows = session.execute(
        select(Observation.after_date, Scan.after_id)
        .join(Scan, Scan.id == Observation.scan_id)
        .where(Observation.alert_id == alert.id, Scan.withdrawn_at.is_(None))
    )
    detected = {row[0]: int(row[1]) for row in rows}
    return [
        WatchedFinding(finding, detected.get(finding.day) or scenes.get(finding.day))
        for finding in watch_correction(seen, since)
    ]
