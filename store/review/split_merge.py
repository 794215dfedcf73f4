"""One alert that is several places, several that are one: new alerts are made, and outlines joined.

The alerts that this was done to stay, in the state ``split`` or ``merged``, and tell where they live on. Both are taken
back by :func:`store.review.undo.undo`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import shapely
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import split as cut
from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.alert import CRS
from enforcement.alert_number import COUNTY_DIGITS, alert_number
from enforcement.overlap_ratio import area_m2, sound
from enforcement.states import NotAllowed, read_states
from errors import SettingsError
from store.access.rights import Viewer
from store.alerts.placed_changes import DetectedChange, PlacedChange, place_changes
from store.review.review_guard import hold_for_review
from store.review.review_transaction import ReviewTransaction
from store.schema.counters import next_number
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Observation

MIN_COVERED_SHARE = 0.95
"""Share of an alert that its parts must cover together."""

MAX_PARTS = 50

INTO_SNAPSHOT = "into_was"
"""In the evidence of a merged alert's step: the alert that stayed as it was before, with one of those that ended."""

_KEPT = ("area_m2", "score", "overlaps", "legal_weight", "rank", "over_cap")
_KEPT_DAYS = ("first_date", "last_date")

_TOLERANCE = 5e-6
"""Degrees, half a metre: so far a part may reach out of its alert."""


def split_at_gaps(alert: AlertRow) -> list[Polygon]:
    """The polygons of an alert's outline: its parts when it is split where nothing lies between; longitude, latitude."""
    return _polygons(sound(alert.outline))


def split_by_line(outline: BaseGeometry, line: LineString) -> list[Polygon]:
    """Cut an outline where a line crosses it; both in longitude and latitude.

    Raises:
        SettingsError: the line divides nothing: it has to cross the outline from side to side.
    """
    whole = _polygons(sound(outline))
    parts = [part for polygon in whole for part in _polygons(cut(polygon, line))]
    if len(parts) == len(whole):
        raise SettingsError(
            "The line does not divide the outline; draw it from outside across to the other side.", "split.line"
        )
    return parts


def split(
    session: Session,
    alert: AlertRow,
    viewer: Viewer,
    parts: Sequence[BaseGeometry],
    why: str,
    *,
    settings: ServiceSettings,
    now: dt.datetime,
    version: int | None = None,
) -> list[AlertRow]:
    """Make several alerts of one. Each part keeps what was seen of it, the pictures, and the place in the week.

    Args:
        session: a transaction that writes.
        alert: the alert.
        viewer: who splits it.
        parts: polygons in longitude and latitude, within the alert's outline, beside each other, together the alert.
        why: for people.
        settings: cap, targets of events, time zone.
        now: the moment.
        version: of the alert, as the person saw it; None: whatever it is now.

    Returns:
        the new alerts, in the order of ``parts``.

    Raises:
        TubanError: :class:`enforcement.states.NotAllowed`, :class:`store.review.review_guard.Conflict`;
            :class:`errors.SettingsError` when the parts are not those of the alert.
    """
    [alert] = hold_for_review(session, [alert], viewer, now, version)
    _check_parts(alert.outline, parts)
    sitting = ReviewTransaction(session, viewer, settings, now)
    placed = place_changes(
        session,
        [_as_change(alert, number, part) for number, part in enumerate(parts, 1)],
        area_code=alert.grid_code,
        on=alert.last_date,
        settings=settings.alerts,
    )
    # the numbers come first: the step of the alert that is split names them
    made = [_part_of(session, alert, sighting, sitting) for sighting in placed]
    _hand_on(session, alert, made)
    sitting.step(alert, ["split"], why.strip(), {"into": [part.number for part in made]})
    for part in made:
        told = {"from": alert.number}
        sitting.step(part, [read_states().initial], why.strip(), told, "tuban.alert.created")
    sitting.end()
    return made


def merge(
    session: Session,
    alerts: Sequence[AlertRow],
    into: AlertRow,
    viewer: Viewer,
    why: str = "",
    *,
    settings: ServiceSettings,
    now: dt.datetime,
) -> AlertRow:
    """Let several alerts live on in one, whose outline becomes that of all.

    Args:
        session: a transaction that writes.
        alerts: those that end; ``into`` among them is passed over.
        into: the one that stays; somebody must be working on it.
        viewer: who merges them.
        why: for people.
        settings: cap, targets of events, time zone.
        now: the moment.

    Returns:
        the alert that stays.

    Raises:
        TubanError: as :func:`split`.
    """
    others = list({alert.id: alert for alert in alerts if alert.id != into.id}.values())
    if not others:
        raise SettingsError(f"No alert was given that could be merged into {into.number}.")
    into, *others = hold_for_review(session, [into, *others], viewer, now)
    if into.state not in read_states().open:
        raise NotAllowed(f"Nothing can be merged into {into.number}, which is {into.state}: nobody works on it.")
    sitting = ReviewTransaction(session, viewer, settings, now)
    was = _as_it_is(into)
    for number, alert in enumerate(others):
        evidence = {"into": into.number} | ({INTO_SNAPSHOT: was} if number == 0 else {})
        sitting.step(alert, ["merged"], why.strip(), evidence)
    outline = shapely.union_all([sound(alert.outline) for alert in (into, *others)])
    [sighting] = place_changes(
        session,
        [_as_change(into, 0, outline)],
        area_code=into.grid_code,
        on=max((a.last_date for a in (into, *others) if a.last_date is not None), default=None),
        settings=settings.alerts,
    )
    for name, value in bounds_of(outline).items():
        setattr(into, name, value)
    into.area_m2, into.score = sighting.change.area_m2, max(alert.score for alert in (into, *others))
    into.overlaps, into.legal_weight = sighting.overlaps, sighting.legal_weight
    into.first_date = min((a.first_date for a in (into, *others) if a.first_date is not None), default=None)
    into.last_date = max((a.last_date for a in (into, *others) if a.last_date is not None), default=None)
    into.changed_at = now
    if into.over_cap and any(alert.rank is not None and not alert.over_cap for alert in others):
        into.rank, into.over_cap = 0, False  # the place in the week goes on with the alert; its rank is made at the end
        sitting.tell(into, "tuban.alert.created")
    else:
        sitting.tell(into)
    sitting.end()
    return into


def _as_it_is(alert: AlertRow) -> dict[str, Any]:
    """What merging changes of the alert that stays, as JSON."""
    days = {name: day.isoformat() if (day := getattr(alert, name)) is not None else None for name in _KEPT_DAYS}
    return {"outline": alert.outline.wkb_hex, **{name: getattr(alert, name) for name in _KEPT}, **days}


def restored_columns(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of the alert that stayed, from what a step keeps under :data:`INTO_SNAPSHOT`."""
    days = {name: dt.date.fromisoformat(kept[name]) if kept[name] else None for name in _KEPT_DAYS}
    return {**bounds_of(shapely.from_wkb(kept["outline"])), **{name: kept[name] for name in _KEPT}, **days}


def _polygons(outline: BaseGeometry) -> list[Polygon]:
    return [part for part in shapely.get_parts(outline) if part.geom_type == "Polygon" and part.area > 0]


def _check_parts(outline: BaseGeometry, parts: Sequence[BaseGeometry]) -> None:
    whole = sound(outline)
    if not 2 <= len(parts) <= MAX_PARTS:
        raise SettingsError(
            f"{len(parts)} parts were given; expected 2 to {MAX_PARTS}.",
            "split.parts",
            parts=len(parts),
            most=MAX_PARTS,
        )
    for number, part in enumerate(parts, 1):
        if part.geom_type not in ("Polygon", "MultiPolygon") or part.is_empty or not part.is_valid or part.area <= 0:
            raise SettingsError(
                f"Part {number} is no sound polygon; expected one whose edges do not cross.",
                "split.unsound",
                part=number,
            )
        if not whole.buffer(_TOLERANCE).covers(part):
            raise SettingsError(f"Part {number} reaches out of the alert; expected parts within its outline.")
    together = shapely.union_all(list(parts))
    if sum(part.area for part in parts) - together.area > 0.01 * whole.area:
        raise SettingsError("The parts lie on each other; expected parts beside each other.")
    share = together.intersection(whole).area / whole.area
    if share < MIN_COVERED_SHARE:
        raise SettingsError(
            f"The parts cover {share:.0%} of the alert; expected {MIN_COVERED_SHARE:.0%} or more, so that nothing is lost."
        )


def _as_change(alert: AlertRow, number: int, outline: BaseGeometry) -> DetectedChange:
    """An outline that a person drew, to be placed as if a scan had seen it."""
    detected = {"crs": CRS, "wkt": shapely.to_wkt(outline, rounding_precision=8)}
    area = round(area_m2(outline), 2)
    return DetectedChange(number, alert.kind, alert.score, area, outline, detected, dict(alert.evidence))


def _part_of(session: Session, alert: AlertRow, sighting: PlacedChange, sitting: ReviewTransaction) -> AlertRow:
    change, place = sighting.change, sighting.placement
    county = place.county_code or alert.number[:COUNTY_DIGITS]
    running = next_number(session, f"alert:{county}:{alert.source}:{sitting.today:%Y%m}")
    part = AlertRow(
        number=alert_number(county, alert.source, sitting.today, running),
        kind=alert.kind,
        change_type=alert.change_type,
        state=read_states().initial,
        score=change.score,
        area_m2=change.area_m2,
        detected=dict(change.detected),
        source=alert.source,
        county_code=place.county_code,
        township_code=place.township_code,
        grid_code=place.grid_code,
        also_in=place.also_in,
        overlaps=sighting.overlaps,
        legal_weight=sighting.legal_weight,
        week=alert.week,
        rank=alert.rank,  # what was given out stays so: a part of it is not hidden by the cap
        over_cap=alert.over_cap,
        seen=0,
        assignee=alert.assignee,
        evidence=dict(change.evidence),
        created_at=sitting.now,
        changed_at=sitting.now,
        **bounds_of(change.outline),
    )
    session.add(part)
    session.flush()
    return part


def _hand_on(session: Session, alert: AlertRow, parts: Sequence[AlertRow]) -> None:
    """Each part was seen by the scans that saw it; by the latest one in any case, whose outline was cut."""
    seen = list(
        session.scalars(select(Observation).where(Observation.alert_id == alert.id).order_by(Observation.id.desc()))
    )
    for part in parts:
        own = []
        for number, sight in enumerate(seen):
            outline = part.outline if number == 0 else _within(sight.outline, part.outline)
            if outline is not None:
                own.append(_sight_of(part, sight, outline))
        session.add_all(reversed(own))
        part.seen = len(own) or 1
        part.sources_seen = len({sight.source for sight in own}) or 1
        days = [sight.after_date for sight in own if sight.after_date is not None]
        part.first_date, part.last_date = (min(days), max(days)) if days else (alert.first_date, alert.last_date)
    session.flush()


def _within(seen: BaseGeometry, part: BaseGeometry) -> BaseGeometry | None:
    pieces = _polygons(sound(seen).intersection(sound(part)))
    return None if not pieces else pieces[0] if len(pieces) == 1 else shapely.MultiPolygon(pieces)


def _sight_of(part: AlertRow, sight: Observation, outline: BaseGeometry) -> Observation:
    return Observation(
        alert_id=part.id,
        scan_id=sight.scan_id,
        change_number=sight.change_number,
        source=sight.source,
        before_date=sight.before_date,
        after_date=sight.after_date,
        kind=sight.kind,
        score=sight.score,
        area_m2=round(area_m2(outline), 2),
        evidence=dict(sight.evidence),
        created_at=sight.created_at,
        **bounds_of(outline),
    )
