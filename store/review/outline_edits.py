"""Outlines that people draw (a missed change) or correct: areas, overlaps and who answers follow, and are told.

The detected outline stays in the sightings, in ``alerts.detected`` and in the edit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from configs.service import ServiceSettings
from enforcement.change_types import read_change_types
from enforcement.ledger.derive import derive_state
from enforcement.overlap_ratio import area_m2
from enforcement.states import NotAllowed, read_states
from enforcement.steps.evidence_form import read_evidence_form
from errors import Reason, SettingsError
from imagery.set_operations import make_valid
from store.access.rights import Viewer, may_see
from store.alerts.drawn_sighting import DrawnChange, check_outline, record_drawn_change
from store.alerts.ledger import load_sightings
from store.alerts.placed_changes import DetectedChange, place_changes
from store.alerts.weekly_quota import rank_alerts
from store.areas.areas import area_names
from store.review.review_guard import hold_for_review
from store.review.review_transaction import ReviewTransaction, check_reason
from store.schema.chain.evidence_tables import OutlineEdit
from store.schema.outlines import bounds_intersect, bounds_of
from store.schema.tables import AlertRow, Scan, SceneRow
from store.schema.user_tables import User

DRAWN, CORRECTED, RESTORED = "drawn", "corrected", "restored"


@dataclass(frozen=True)
class OutlineChange:
    """What an edit changed: the alert, and ``area_m2``, ``grid``, ``overlaps`` before (empty: new) and after."""

    alert: AlertRow
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    created: bool = False


def may_edit(viewer: Viewer, alert: AlertRow | None = None) -> bool:
    """Whether the viewer's roles draw and correct outlines; of an alert, whether its state still allows it."""
    allowed = not set(viewer.roles).isdisjoint(read_evidence_form().outline_by)
    return allowed and (alert is None or alert.state in read_states().open)


def correct_outline(
    session: Session,
    alert: AlertRow,
    viewer: Viewer,
    outline: BaseGeometry | None,
    why: str,
    *,
    settings: ServiceSettings,
    now: dt.datetime,
) -> OutlineChange:
    """Replace the outline of an open alert by one that a person drew.

    Args:
        session: a writing transaction.
        alert: the alert.
        viewer: the current user.
        outline: longitude, latitude; None: the detected one again.
        why: reason, required.
        settings: approvals, quota, targets of events, time zone.
        now: current time.

    Raises:
        TubanError: NotAllowed: role, state or area do not allow it; Conflict: open with another user;
            SettingsError: the outline or the reason is not usable.
    """
    _check_reason(why)
    [alert] = hold_for_review(session, [alert], viewer, now)
    if not may_edit(viewer, alert):
        raise NotAllowed("Only an open alert can be corrected, by a township, county or city.", "outline.not_allowed")
    state = derive_state(load_sightings(session, [alert])[alert.id])
    detected = alert.outline if state is None else state.outline
    action = RESTORED if outline is None else CORRECTED
    outline = detected if outline is None else check_outline(outline)
    if not shapely.intersects(make_valid(alert.outline), outline):
        raise SettingsError(
            "The new outline does not touch the present one. Draw a new alert instead.", "outline.elsewhere"
        )
    before, grid = _summary(session, alert), alert.grid_code
    change = DetectedChange(
        0, alert.kind, alert.score, round(area_m2(outline), 2), outline, dict(alert.detected), dict(alert.evidence)
    )
    today = now.astimezone(settings.zone).date()
    [placed] = place_changes(
        session, [change], area_code=alert.grid_code, on=alert.last_date, settings=settings.alerts, today=today
    )
    placement = placed.placement
    if not may_see(viewer, placement.grid_code):
        raise NotAllowed("The new outline lies outside of your area.", "outline.outside")
    for name, value in bounds_of(outline).items():
        setattr(alert, name, value)
    alert.area_m2, alert.overlaps, alert.legal_weight = change.area_m2, placed.overlaps, placed.legal_weight
    alert.county_code = placement.county_code or alert.county_code
    alert.township_code = placement.township_code or alert.township_code
    alert.grid_code, alert.also_in = placement.grid_code, placement.also_in
    alert.changed_at = now
    if alert.assignee and not _covers(session, alert.assignee, alert.grid_code):
        alert.assignee = ""
    after = _summary(session, alert)
    _add(session, alert, action, viewer, outline, why, now, detected=detected, before=before, after=after)
    transaction = ReviewTransaction(session, viewer, settings, now)
    transaction.announce(alert)
    transaction.finish()
    if grid != alert.grid_code:
        rank_alerts(session, {(grid, alert.week)}, settings.alerts.cap_per_grid_and_week)
    return OutlineChange(alert, before, after)


def draw_alert(
    session: Session,
    viewer: Viewer,
    outline: BaseGeometry,
    kind: str,
    why: str,
    *,
    settings: ServiceSettings,
    now: dt.datetime,
) -> OutlineChange:
    """Create an alert where the images show a change that no scan reported, or add it to the alert at that place.

    The latest image that shows the outline is taken as the one that shows the change.

    Args:
        session: a writing transaction.
        viewer: the current user.
        outline: longitude, latitude.
        kind: of ``configs/change_types.yaml``.
        why: reason, required.
        settings: as of :func:`correct_outline`.
        now: current time.

    Raises:
        TubanError: as :func:`correct_outline`.
    """
    _check_reason(why)
    if not may_edit(viewer):
        raise NotAllowed("Your roles do not draw alerts.", "outline.no_role")
    kinds = read_change_types().kinds
    if kind not in kinds:
        raise SettingsError(f"{kind!r} is not a kind; expected one of {', '.join(kinds)}.", "outline.kind")
    outline = check_outline(outline)
    earlier, later, scan_id = _images(session, outline)
    if later is None or later.date is None:
        raise SettingsError("No dated image shows this place: nothing was missed there.", "outline.no_image")
    reason = Reason(
        f"drawn on the image of {later.date}: {why}", "outline.drawn_on", day=later.date.isoformat(), why=why
    )
    role = next(role for role in viewer.roles if role in read_evidence_form().outline_by)
    outcome = record_drawn_change(
        session,
        DrawnChange(
            outline,
            kind,
            later.source,
            later.date,
            reason,
            not_yet_on=earlier.date if earlier is not None else None,
            evidence={"drawn": True, "image": later.sha256},
        ),
        area_code=viewer.code or later.area_code,
        who=viewer.login,
        role=role,
        settings=settings,
        now=now,
    )
    alert = outcome.alert
    if not may_see(viewer, alert.grid_code):
        raise NotAllowed("The outline lies outside of your area.", "outline.outside")
    after = _summary(session, alert)
    _add(session, alert, DRAWN, viewer, outline, why, now, after=after, scan_id=scan_id)
    return OutlineChange(alert, {}, after, outcome.created)


def edits_of(session: Session, alert_id: int) -> list[OutlineEdit]:
    """Return the edits of an alert's outline, oldest first."""
    return list(session.scalars(select(OutlineEdit).where(OutlineEdit.alert_id == alert_id).order_by(OutlineEdit.id)))


def corrections(session: Session, alert_ids: Collection[int]) -> dict[int, OutlineEdit]:
    """Return the correction in effect of each alert that has one."""
    found: dict[int, OutlineEdit] = {}
    query = select(OutlineEdit).where(OutlineEdit.alert_id.in_(alert_ids), OutlineEdit.action != DRAWN)
    for edit in session.scalars(query.order_by(OutlineEdit.id)):
        if edit.action == RESTORED:
            found.pop(edit.alert_id, None)
        else:
            found[edit.alert_id] = edit
    return found


def _check_reason(why: str) -> None:
    check_reason(why)
    if len(why.strip()) < 2 or read_evidence_form().says_nothing(why):
        raise SettingsError("A reason is needed that a reader can check.", "outline.why")


def _images(session: Session, outline: BaseGeometry) -> tuple[SceneRow | None, SceneRow | None, int | None]:
    """Return the image before, the latest image, and the scan that compared the latest one and missed the change."""
    showing = select(SceneRow).where(
        bounds_intersect(SceneRow, outline),
        SceneRow.state == "ready",
        SceneRow.source != "camera",
        SceneRow.date.is_not(None),
    )
    scenes = [
        scene
        for scene in session.scalars(showing.order_by(SceneRow.date.desc(), SceneRow.id.desc()))
        if make_valid(scene.outline).covers(outline)
    ]
    if not scenes:
        return None, None, None
    later = scenes[0]
    before = aliased(SceneRow)
    scan = session.execute(
        select(Scan.id, before)
        .join(before, before.id == Scan.before_id)
        .where(Scan.after_id == later.id, Scan.state == "done", Scan.windows.is_(None), Scan.withdrawn_at.is_(None))
        .order_by(Scan.id.desc())
    ).first()
    if scan is not None and scan[1].id in {scene.id for scene in scenes}:
        return scan[1], later, scan[0]
    earlier = next((scene for scene in scenes[1:] if scene.date != later.date), None)
    return earlier, later, None


def _summary(session: Session, alert: AlertRow) -> dict[str, Any]:
    names = area_names(session, [alert.grid_code])
    return {
        "area_m2": round(alert.area_m2, 2),
        "grid": alert.grid_code,
        "grid_name": names.get(alert.grid_code, alert.grid_code),
        "overlaps": [
            {"layer": overlap.get("layer"), "kind": overlap.get("kind"), "share": overlap.get("share")}
            for overlap in alert.overlaps
        ],
    }


def _covers(session: Session, login: str, code: str) -> bool:
    own = session.scalar(select(User.code).where(User.login == login))
    return own is not None and code.startswith(own)


def _add(
    session: Session,
    alert: AlertRow,
    action: str,
    viewer: Viewer,
    outline: BaseGeometry,
    why: str,
    now: dt.datetime,
    *,
    detected: BaseGeometry | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any],
    scan_id: int | None = None,
) -> None:
    session.add(
        OutlineEdit(
            alert_id=alert.id,
            action=action,
            who=viewer.login,
            role=viewer.role,
            at=now,
            why=why.strip(),
            scan_id=scan_id,
            detected_wkb=shapely.to_wkb(detected, hex=True) if detected is not None else "",
            before=dict(before or {}),
            after=dict(after),
            **bounds_of(outline),
        )
    )
    session.flush()
