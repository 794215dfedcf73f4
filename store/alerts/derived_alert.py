"""The row of an alert, set from what its sightings say together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import AlertSettings
from enforcement.alert import CRS
from enforcement.ledger.derive import LedgerState, derive_state
from enforcement.ledger.sighting import DEMOLITION, Sighting
from enforcement.overlap_ratio import area_m2, overlap_ratios
from enforcement.states import read_states
from enforcement.steps.outline_correction import corrected_outline
from imagery.set_operations import make_valid
from store.alerts.image_pairs import picture_order
from store.alerts.ledger import load_sightings, set_derived_area, set_derived_columns
from store.alerts.placed_changes import DetectedChange, PlacedChange, place_changes
from store.schema.chain.evidence_tables import OutlineEdit
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Observation, Scan

SAME_OUTLINE = 0.999
"""IoU from which two outlines are the same; less is more than rounding."""

_CAMERA_PREFIX = "camera_"


def refresh_alerts(session: Session, alerts: Collection[AlertRow], settings: AlertSettings, now: dt.datetime) -> None:
    """Derive alerts again, for example after a scan was withdrawn; those without any sighting stay as they are.

    Args:
        session: a writing transaction that holds :func:`store.alerts.recording.lock_alerts`.
        alerts: the alerts.
        settings: define the share that approvals have to cover.
        now: current time.
    """
    session.flush()
    ledger, states = load_sightings(session, alerts), read_states()
    for alert in alerts:
        outline = states.category(alert.state) not in ("closed", "rejected", "gone")  # decided on their area
        refresh_alert(session, alert, ledger[alert.id], settings, now, outline=outline, place=False, on=None)


def refresh_alert(
    session: Session,
    alert: AlertRow,
    sightings: Sequence[Sighting],
    settings: AlertSettings,
    now: dt.datetime,
    *,
    outline: bool,
    place: bool,
    on: dt.date | None,
) -> PlacedChange | None:
    """Derive an alert from its sightings and set its row.

    Args:
        session: a writing transaction.
        alert: the alert.
        sightings: all of its sightings.
        settings: define the share that approvals have to cover.
        now: current time.
        outline: set outline, area and pictures as well; otherwise only dates and confidence.
        place: look up areas and approvals even if the outline is unchanged.
        on: day on which approvals have to be valid.

    Returns:
        the derived outline with its areas and approvals, if it was looked up.
    """
    state = derive_state(sightings)
    if state is None:
        return None
    detected = state.outline
    if outline:
        state = _with_correction(session, alert, state)
    set_derived_columns(alert, state)
    if not outline:
        return None
    changed = overlap_ratios(make_valid(state.outline), make_valid(alert.outline)).iou < SAME_OUTLINE
    # the area to be corrected stays, however much of it is gone
    may_change = read_states().category(alert.state) != "correcting" or state.area_m2 > alert.area_m2
    if changed and may_change:
        for name, value in bounds_of(state.outline).items():
            setattr(alert, name, value)
        alert.detected = {"crs": CRS, "wkt": shapely.to_wkt(detected, rounding_precision=8)}
        alert.changed_at = now
    if may_change:
        set_derived_area(alert, state, changed=changed)
    _set_pictures(session, alert, state)
    if not (changed or place):
        return None
    placed = _place(session, alert, settings, on, now.date())
    alert.overlaps, alert.legal_weight = placed.overlaps, placed.legal_weight
    return placed


def _with_correction(session: Session, alert: AlertRow, state: LedgerState) -> LedgerState:
    """Return the state with the outline that a person corrected, and what was found beyond it since."""
    edit = session.execute(
        select(OutlineEdit.action, OutlineEdit.outline, OutlineEdit.detected_wkb)
        .where(OutlineEdit.alert_id == alert.id, OutlineEdit.action != "drawn")
        .order_by(OutlineEdit.id.desc())
        .limit(1)
    ).first()
    if edit is None or edit.action == "restored":
        return state
    corrected = corrected_outline(state.outline, shapely.from_wkb(edit.detected_wkb), edit.outline)
    return replace(state, outline=corrected, area_m2=round(area_m2(corrected), 2))


def _place(
    session: Session, alert: AlertRow, settings: AlertSettings, on: dt.date | None, today: dt.date
) -> PlacedChange:
    change = DetectedChange(
        0, alert.kind, alert.score, alert.area_m2, alert.outline, alert.detected, dict(alert.evidence)
    )
    [placed] = place_changes(
        session, [change], area_code=alert.grid_code, on=on or alert.last_date, settings=settings, today=today
    )
    return placed


def _set_pictures(session: Session, alert: AlertRow, state: LedgerState) -> None:
    """Set score and pictures: of the latest whole comparison from above, besides those of the latest camera view."""
    rows = session.scalars(
        select(Observation)
        .join(Scan, Scan.id == Observation.scan_id)
        .where(Observation.alert_id == alert.id, Scan.withdrawn_at.is_(None))
        .order_by(Observation.id)
    ).all()
    shown = [row for row in rows if row.kind != DEMOLITION] or list(rows)
    above = [row for row in shown if row.position_error is None]
    cameras = [row for row in shown if row.position_error is not None]
    best = max(above or cameras, key=lambda row: picture_order(row, state.not_yet_on), default=None)
    if best is None:
        return
    camera = max(cameras, key=lambda row: picture_order(row, state.not_yet_on)) if above and cameras else None
    removals = [row for row in rows if row.kind == DEMOLITION and row.after_date == state.gone_on and row is not best]
    gone = next((str(row.evidence["after"]) for row in removals if "after" in row.evidence), None)
    alert.score = best.score
    alert.evidence = {
        **(_prefixed(camera.evidence) if camera else {}),
        **best.evidence,
        **({"gone": gone} if gone else {}),
    }


def _prefixed(evidence: Mapping[str, str]) -> dict[str, str]:
    """Rename the pictures of a camera, so that they are stored alongside those of orthoimages."""
    return {f"{_CAMERA_PREFIX}{when}": evidence[when] for when in ("before", "after") if when in evidence}
