"""Splitting of one alert into several, and merging of several into one.

The original alerts remain in the state ``split`` or ``merged``; their last transition names the alerts that replace
them. :func:`store.review.undo.undo` undoes both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import shapely
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import split as split_geometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.alert import CRS
from enforcement.alert_number import COUNTY_DIGITS
from enforcement.overlap_ratio import area_m2
from enforcement.states import NotAllowed, read_states
from errors import SettingsError
from imagery.set_operations import intersection, make_valid, union_all
from store.access.rights import Viewer
from store.alerts.alert_row import create_alert
from store.alerts.ledger import copy_observations, copy_of
from store.alerts.placed_changes import DetectedChange, PlacedChange, place_changes
from store.alerts.sighting_chain import append_sighting
from store.review.review_guard import hold_for_review
from store.review.review_transaction import ReviewTransaction
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Observation

MIN_COVERED_SHARE = 0.95
"""Minimum share of an alert that its parts have to cover together."""

MAX_PARTS = 50

INTO_SNAPSHOT = "into_was"
"""Key of a merge transition's evidence that holds the columns of the remaining alert before the merge."""

_SNAPSHOT_COLUMNS = ("area_m2", "score", "overlaps", "legal_weight", "rank", "over_cap")
_SNAPSHOT_DAYS = ("first_date", "last_date")

_TOLERANCE = 5e-6
"""Distance that a part may extend beyond its alert: degrees, half a metre."""


def split_at_gaps(alert: AlertRow) -> list[Polygon]:
    """Return the separate polygons of an alert's outline, as its parts; longitude, latitude."""
    return _polygons(make_valid(alert.outline))


def split_by_line(outline: BaseGeometry, line: LineString) -> list[Polygon]:
    """Split an outline along a line; both in longitude and latitude.

    Raises:
        SettingsError: the line does not cross the outline from side to side.
    """
    polygons = _polygons(make_valid(outline))
    parts = [part for polygon in polygons for part in _polygons(split_geometry(polygon, line))]
    if len(parts) == len(polygons):
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
    """Split an alert. Each part takes over its share of the observations, the pictures and the place in the week.

    Args:
        session: a writing transaction.
        alert: the alert.
        viewer: the current user.
        parts: polygons in longitude and latitude that lie within the alert's outline, do not overlap and cover it.
        why: reason, for people.
        settings: quota, targets of events, time zone.
        now: current time.
        version: version of the alert that the user saw; None: as in ``alert``.

    Returns:
        the new alerts, in the order of ``parts``.

    Raises:
        TubanError: :class:`enforcement.states.NotAllowed`, :class:`store.review.review_guard.Conflict`;
            :class:`errors.SettingsError`: the parts are invalid.
    """
    [alert] = hold_for_review(session, [alert], viewer, now, version)
    _check_parts(alert.outline, parts)
    transaction = ReviewTransaction(session, viewer, settings, now)
    placed = place_changes(
        session,
        [_as_change(alert, number, part) for number, part in enumerate(parts, 1)],
        area_code=alert.grid_code,
        on=alert.last_date,
        settings=settings.alerts,
    )
    # the parts are created first, because the transition of the split alert contains their numbers
    new_alerts = [_create_part(session, alert, change, transaction) for change in placed]
    _copy_observations(session, alert, new_alerts)
    transaction.step(alert, ["split"], why.strip(), {"into": [part.number for part in new_alerts]})
    for part in new_alerts:
        evidence = {"from": alert.number}
        transaction.step(part, [read_states().initial], why.strip(), evidence, "tuban.alert.created")
    transaction.finish()
    return new_alerts


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
    """Merge alerts into one, whose outline becomes the union of all.

    Args:
        session: a writing transaction.
        alerts: the alerts to merge into the other; ``into`` itself is ignored.
        into: the remaining alert, which must be open.
        viewer: the current user.
        why: reason, for people.
        settings: quota, targets of events, time zone.
        now: current time.

    Returns:
        the remaining alert.

    Raises:
        TubanError: as :func:`split`.
    """
    others = list({alert.id: alert for alert in alerts if alert.id != into.id}.values())
    if not others:
        raise SettingsError(f"No alert was given that could be merged into {into.number}.")
    into, *others = hold_for_review(session, [into, *others], viewer, now)
    if into.state not in read_states().open:
        raise NotAllowed(f"Nothing can be merged into {into.number}, which is {into.state}; expected an open alert.")
    transaction = ReviewTransaction(session, viewer, settings, now)
    snapshot = _snapshot(into)
    for number, alert in enumerate(others):
        evidence = {"into": into.number} | ({INTO_SNAPSHOT: snapshot} if number == 0 else {})
        transaction.step(alert, ["merged"], why.strip(), evidence)
        copy_observations(session, alert, into)
    outline = union_all([make_valid(alert.outline) for alert in (into, *others)])
    [placed] = place_changes(
        session,
        [_as_change(into, 0, outline)],
        area_code=into.grid_code,
        on=max((a.last_date for a in (into, *others) if a.last_date is not None), default=None),
        settings=settings.alerts,
    )
    for name, value in bounds_of(outline).items():
        setattr(into, name, value)
    into.area_m2, into.score = placed.change.area_m2, max(alert.score for alert in (into, *others))
    into.overlaps, into.legal_weight = placed.overlaps, placed.legal_weight
    into.first_date = min((a.first_date for a in (into, *others) if a.first_date is not None), default=None)
    into.last_date = max((a.last_date for a in (into, *others) if a.last_date is not None), default=None)
    into.changed_at = now
    if into.over_cap and any(alert.rank is not None and not alert.over_cap for alert in others):
        into.rank, into.over_cap = 0, False  # takes over the place within the quota; ranked in finish()
        transaction.announce(into, "tuban.alert.created")
    else:
        transaction.announce(into)
    transaction.finish()
    return into


def _snapshot(alert: AlertRow) -> dict[str, Any]:
    """Return the columns of the remaining alert that a merge changes, as JSON."""
    days = {name: day.isoformat() if (day := getattr(alert, name)) is not None else None for name in _SNAPSHOT_DAYS}
    return {"outline": alert.outline.wkb_hex, **{name: getattr(alert, name) for name in _SNAPSHOT_COLUMNS}, **days}


def restored_columns(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of the remaining alert from the snapshot stored under :data:`INTO_SNAPSHOT`."""
    days = {name: dt.date.fromisoformat(snapshot[name]) if snapshot[name] else None for name in _SNAPSHOT_DAYS}
    return {
        **bounds_of(shapely.from_wkb(snapshot["outline"])),
        **{name: snapshot[name] for name in _SNAPSHOT_COLUMNS},
        **days,
    }


def _polygons(outline: BaseGeometry) -> list[Polygon]:
    return [part for part in shapely.get_parts(outline) if part.geom_type == "Polygon" and part.area > 0]


def _check_parts(outline: BaseGeometry, parts: Sequence[BaseGeometry]) -> None:
    original = make_valid(outline)
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
                f"Part {number} is not a valid polygon; expected one whose edges do not cross.",
                "split.unsound",
                part=number,
            )
        if not original.buffer(_TOLERANCE).covers(part):
            raise SettingsError(f"Part {number} extends beyond the alert; expected parts within its outline.")
    union = union_all(list(parts))
    if sum(part.area for part in parts) - union.area > 0.01 * original.area:
        raise SettingsError("The parts overlap; expected parts that do not overlap.")
    share = intersection(union, original).area / original.area
    if share < MIN_COVERED_SHARE:
        raise SettingsError(f"The parts cover {share:.0%} of the alert; expected {MIN_COVERED_SHARE:.0%} or more.")


def _as_change(alert: AlertRow, number: int, outline: BaseGeometry) -> DetectedChange:
    """Return a drawn outline as a change, to be placed like one of a scan."""
    detected = {"crs": CRS, "wkt": shapely.to_wkt(outline, rounding_precision=8)}
    area = round(area_m2(outline), 2)
    return DetectedChange(number, alert.kind, alert.score, area, outline, detected, dict(alert.evidence))


def _create_part(session: Session, alert: AlertRow, placed: PlacedChange, transaction: ReviewTransaction) -> AlertRow:
    part = create_alert(
        session,
        placed,
        kind=alert.kind,
        source=alert.source,
        county_code=placed.placement.county_code or alert.number[:COUNTY_DIGITS],
        today=transaction.today,
        now=transaction.now,
    )
    part.change_type, part.assignee = alert.change_type, alert.assignee
    # parts of an alert within the quota stay within it
    part.week, part.rank, part.over_cap = alert.week, alert.rank, alert.over_cap
    session.flush()
    return part


def _copy_observations(session: Session, alert: AlertRow, parts: Sequence[AlertRow]) -> None:
    """Copy to each part its share of the observations; the latest one always, as its outline was split."""
    observations = list(
        session.scalars(select(Observation).where(Observation.alert_id == alert.id).order_by(Observation.id.desc()))
    )
    for part in parts:
        copies = []
        for number, observation in enumerate(observations):
            outline = part.outline if number == 0 else _clip(observation.outline, part.outline)
            if outline is not None:
                copies.append(copy_of(observation, part, outline, alert.number))
        for copy in reversed(copies):
            append_sighting(session, copy)
        part.seen = len(copies) or 1
        part.sources_seen = len({copy.source for copy in copies}) or 1
        days = [copy.after_date for copy in copies if copy.after_date is not None]
        part.first_date, part.last_date = (min(days), max(days)) if days else (alert.first_date, alert.last_date)


def _clip(outline: BaseGeometry, part: BaseGeometry) -> BaseGeometry | None:
    pieces = _polygons(intersection(make_valid(outline), make_valid(part)))
    return None if not pieces else pieces[0] if len(pieces) == 1 else shapely.MultiPolygon(pieces)
