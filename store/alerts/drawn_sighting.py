"""Alerts that people report or draw: from a tip, a patrol, or a change on an image that no scan has found.

What a person drew is a sighting without a scan. It joins the alert at the same place if there is one
(:mod:`enforcement.match`), otherwise it becomes a new alert with the letter of its source; a drone, a satellite or a
camera that sees the place later joins that alert in the same way.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from pyproj import Geod
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.alert import CRS
from enforcement.known_alert import KnownAlert, ScanChange
from enforcement.ledger.sighting import DEMOLITION
from enforcement.match import match_changes
from enforcement.overlap_ratio import area_m2
from enforcement.position_uncertainty import METRES_PER_DEGREE
from enforcement.settings import read_enforcement
from enforcement.states import read_states
from errors import Reason, SettingsError
from imagery.error_ellipse import ErrorEllipse
from imagery.set_operations import make_valid
from store.alerts.alert_row import create_alert
from store.alerts.derived_alert import refresh_alert
from store.alerts.ledger import count_sightings, load_sightings
from store.alerts.outbox import announce_all
from store.alerts.placed_changes import DetectedChange, PlacedChange, place_changes
from store.alerts.recording import lock_alerts
from store.alerts.sighting_chain import append_sighting
from store.alerts.sites import update_sites
from store.alerts.transitions import append_transition, closings
from store.alerts.weekly_quota import rank_alerts
from store.schema.outlines import bounds_intersect, bounds_of, error_ellipse_from_json, error_ellipse_to_json
from store.schema.tables import AlertRow, Observation

MOST_CORNERS = 2000
MOST_M2 = 20e6
"""Largest drawn outline, 30,000 mu: more is a slip of the hand."""

_GEOD = Geod(ellps="GRS80")
_CIRCLE_CORNERS = 36


@dataclass(frozen=True)
class DrawnChange:
    """What a person drew or reported.

    Attributes:
        outline: polygon or multipolygon; longitude, latitude.
        kind: construction or ground.
        source: of ``configs/enforcement.yaml``: hotline, report, patrol; or that of the image on which it was drawn.
        seen_on: day on which it was seen, or of the later image.
        not_yet_on: day of the earlier image without it, if any.
        error_m: standard deviation of the position; 0: as accurate as an orthophoto.
        why: why the alert exists, for its log.
        evidence: facts for its log, as numbers of tip or patrol.
    """

    outline: BaseGeometry
    kind: str
    source: str
    seen_on: dt.date
    why: Reason
    not_yet_on: dt.date | None = None
    error_m: float = 0.0
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DrawnOutcome:
    """The alert, whether it is new, and the approval that covers it, if any: a person decides what follows."""

    alert: AlertRow
    created: bool
    approval: str | None


def check_outline(outline: BaseGeometry) -> BaseGeometry:
    """Return a drawn outline if it can be one of an alert.

    Raises:
        SettingsError: it is no valid polygon, has too many corners, or is too small or too large.
    """
    if outline.geom_type not in ("Polygon", "MultiPolygon") or outline.is_empty:
        raise SettingsError(
            f"A {outline.geom_type} was drawn; expected a polygon with three or more corners.", "drawn.polygon"
        )
    corners = shapely.get_num_coordinates(outline)
    if corners > MOST_CORNERS:
        raise SettingsError(
            f"The outline has {corners} corners; at most {MOST_CORNERS} are possible.",
            "drawn.corners",
            corners=int(corners),
            most=MOST_CORNERS,
        )
    west, south, east, north = outline.bounds
    if not (math.isfinite(west + south + east + north) and -180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise SettingsError("The outline lies outside of the range of longitudes and latitudes.", "drawn.range")
    if not outline.is_valid:
        raise SettingsError(
            "The edges of the outline cross each other; draw it along the boundary without crossing.", "drawn.crossing"
        )
    area = area_m2(outline)
    if not 1 <= area <= MOST_M2:
        raise SettingsError(
            f"The outline has {area:,.0f} m²; expected 1 to {MOST_M2:,.0f} m².",
            "drawn.size",
            area=round(area),
            most=round(MOST_M2),
        )
    return outline


def circle(lon: float, lat: float, radius_m: float) -> Polygon:
    """Return a circle on the ellipsoid, as a polygon of longitudes and latitudes."""
    angles = np.linspace(0, 360, _CIRCLE_CORNERS, endpoint=False)
    lons, lats, _ = _GEOD.fwd(
        np.full_like(angles, lon), np.full_like(angles, lat), angles, np.full_like(angles, radius_m)
    )
    return shapely.orient_polygons(Polygon(np.column_stack([lons, lats])))


def record_drawn_change(
    session: Session,
    drawn: DrawnChange,
    *,
    area_code: str,
    who: str,
    role: str,
    settings: ServiceSettings,
    now: dt.datetime,
    into: AlertRow | None = None,
    always_new: bool = False,
) -> DrawnOutcome:
    """Add what a person drew to the alert at the same place, or create a new alert.

    Args:
        session: a write transaction.
        drawn: the change; its outline is checked.
        area_code: where areas are not loaded down to its level, the village that answers for it.
        who: login of the person.
        role: role in which the person acts.
        settings: matching thresholds, quota, targets of events, time zone.
        now: current time.
        into: the alert that the person chose; None: the one at the same place.
        always_new: create an alert although another one is at the same place.

    Raises:
        SettingsError: the outline cannot be one of an alert.
    """
    check_outline(drawn.outline)
    lock_alerts(session)
    today = now.astimezone(settings.zone).date()
    score = read_enforcement().confidence.drawn_score(drawn.source)
    detected = {"crs": CRS, "wkt": shapely.to_wkt(drawn.outline, rounding_precision=8)}
    error = ErrorEllipse(drawn.error_m, drawn.error_m, 0.0) if drawn.error_m > 0 else None
    area = round(area_m2(drawn.outline), 2)
    change = DetectedChange(0, drawn.kind, score, area, drawn.outline, detected, {}, error)
    [placed] = place_changes(session, [change], area_code=area_code, on=drawn.seen_on, settings=settings.alerts)
    existing = into if into is not None else None if always_new else _alert_at(session, drawn, area, error, settings)
    alert = existing
    if alert is None:
        alert = create_alert(
            session,
            placed,
            kind=drawn.kind,
            source=drawn.source,
            county_code=placed.placement.county_code or area_code,
            today=today,
            now=now,
        )
        append_transition(
            session,
            alert,
            alert.state,
            who=who,
            role=role,
            why=drawn.why,
            at=now,
            evidence=drawn.evidence,
            zone=settings.zone,
        )
    _append(session, alert, placed, drawn, now)
    _derive(session, alert, drawn, settings, now, created=existing is None)
    return DrawnOutcome(alert, existing is None, placed.approval)


def _append(session: Session, alert: AlertRow, placed: PlacedChange, drawn: DrawnChange, now: dt.datetime) -> None:
    change = placed.change
    append_sighting(
        session,
        Observation(
            alert_id=alert.id,
            scan_id=None,
            change_number=0,
            source=drawn.source,
            before_date=drawn.not_yet_on,
            after_date=drawn.seen_on,
            kind=change.kind,
            score=change.score,
            area_m2=change.area_m2,
            position_error=error_ellipse_to_json(change.error),
            gsd_m=None,
            copied_from="",
            evidence={},
            created_at=now,
            **bounds_of(change.outline),
        ),
    )
    count_sightings(session, alert)


def _derive(
    session: Session,
    alert: AlertRow,
    drawn: DrawnChange,
    settings: ServiceSettings,
    now: dt.datetime,
    *,
    created: bool,
) -> None:
    """Derive the row from all sightings, rank its week and announce it."""
    states, before_m2 = read_states(), alert.area_m2
    sightings = load_sightings(session, [alert])[alert.id]
    decided = states.category(alert.state) in ("closed", "rejected", "gone")  # decided on their area
    refresh_alert(session, alert, sightings, settings.alerts, now, outline=not decided, place=False, on=drawn.seen_on)
    if decided:
        return
    if states.category(alert.state) == "transient" and alert.gone_on is None:
        append_transition(
            session,
            alert,
            "returned",
            who="system",
            role="system",
            why=drawn.why,
            at=now,
            evidence={"reason": str(drawn.why), **drawn.evidence},
            zone=settings.zone,
        )
    update_sites(session, [alert], settings.alerts.site_m)
    if created:
        released = rank_alerts(session, {(alert.grid_code, alert.week)}, settings.alerts.cap_per_grid_and_week)
        events = [(row, "tuban.alert.created") for row in {alert.id: alert, **{r.id: r for r in released}}.values()]
    elif alert.area_m2 > 1.1 * before_m2:
        events = [(alert, "tuban.alert.grown")]
    else:
        events = [(alert, "tuban.alert.seen_again")]
    announce_all(session, [(row, kind) for row, kind in events if not row.over_cap], settings, now)


def _alert_at(
    session: Session, drawn: DrawnChange, area: float, error: ErrorEllipse | None, settings: ServiceSettings
) -> AlertRow | None:
    """Return the alert at the same place by the rules of the matching, locked; None: there is none."""
    margin = 3 * (settings.alerts.adjacent_m + settings.alerts.sigmas * drawn.error_m) / METRES_PER_DEGREE
    west, south, east, north = drawn.outline.bounds
    around = box(west - margin, south - margin, east + margin, north + margin)
    states = read_states()
    gone = [name for name in states.states if states.category(name) == "gone"]
    alerts = {
        alert.id: alert
        for alert in session.scalars(
            select(AlertRow)
            .where(bounds_intersect(AlertRow, around), AlertRow.state.not_in(gone), AlertRow.kind != DEMOLITION)
            .order_by(AlertRow.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    }
    ledger = load_sightings(session, list(alerts.values()))
    ends = closings(session, list(alerts), settings.zone)
    known = [
        KnownAlert(
            alert.id,
            alert.kind,
            make_valid(alert.outline),
            alert.area_m2,
            alert.state,
            ends[alert.id].on if alert.id in ends else None,
            ends[alert.id].cleared if alert.id in ends else False,
            error_ellipse_from_json(alert.position_error),
            tuple(sighting for sighting in ledger[alert.id] if sighting.outline is not None),
        )
        for alert in alerts.values()
    ]
    change = ScanChange(0, drawn.kind, drawn.outline, area, 1.0, drawn.not_yet_on, drawn.seen_on, error)
    [match] = match_changes([change], known, settings.alerts)
    if match.alert_id is None:
        return None
    found = alerts[match.alert_id]
    closed_before = found.id in ends and states.category(found.state) == "closed" and ends[found.id].on < drawn.seen_on
    return None if closed_before else found  # people who see something after the closing see something new
