"""Reviewed alerts grouped by their latest scan, as training data."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from enforcement.states import read_states
from store.access.rights import Viewer, may_see, visible_to
from store.review.outline_edits import CORRECTED, DRAWN, corrections
from store.schema.chain.evidence_tables import OutlineEdit
from store.schema.tables import AlertRow, Observation, Scan, SceneRow, Transition

_CONFIRMED_MEANINGS = ("open", "correcting", "closed")
_JUDGED_TRUE = ("triaged", "published", "lawful", "farm_facility", "other_finding")
"""Open states into which a person moves an alert only after seeing that the change is real."""

HELD_BACK_OF = 5
"""One in this many reviewed alerts is held back."""

_UNDECIDED = ("new", "returned", "disputed", "bad_imagery")


@dataclass(frozen=True)
class ReviewedAlert:
    """An alert that a user confirmed or rejected.

    Attributes:
        alert: its number.
        kind: its present kind, which a user may have corrected.
        outline: as the scan detected it, or as a person corrected or drew it; longitude, latitude.
        confirmed: True: a real change; False: a false change.
        origin: ``detected``, ``corrected``, or ``drawn``: the scan missed it.
    """

    alert: str
    kind: str
    outline: BaseGeometry
    confirmed: bool
    origin: str = "detected"

    @property
    def held_back(self) -> bool:
        """Whether weights are compared on this alert, so that it must not be trained on: one in five, by its number."""
        return int(hashlib.sha256(self.alert.encode()).hexdigest()[:8], 16) % HELD_BACK_OF == 0


@dataclass(frozen=True)
class ReviewedScan:
    """A scan with its scenes and the reviewed alerts whose latest observation it is."""

    scan: Scan
    before: SceneRow
    after: SceneRow
    alerts: tuple[ReviewedAlert, ...]


def reviewed_scans(session: Session, viewer: Viewer) -> tuple[list[ReviewedScan], int]:
    """Return the scans of the viewer's reviewed alerts, oldest first, and the number of excluded alerts.

    Confirmed alerts were judged true on the images, or works were found in the field; rejected ones are false changes
    now. Undecided alerts are ignored. Alerts are excluded if the viewer may not see both images.

    Args:
        session: a read transaction.
        viewer: the current user.
    """
    states = read_states()
    rejected = {name for name in states.states if states.is_rejected(name)}
    decided = {name for name in states.states if states.category(name) in _CONFIRMED_MEANINGS} - set(_UNDECIDED)
    confirmed = _confirmed_alerts(session, viewer)
    whole = select(Scan.id).where(Scan.windows.is_(None), Scan.withdrawn_at.is_(None))  # others compared alerts only
    last = (
        select(func.max(Observation.id).label("id"))
        .where(Observation.scan_id.in_(whole))
        .group_by(Observation.alert_id)
        .subquery()
    )
    rows = session.execute(
        select(AlertRow.id, AlertRow.number, AlertRow.kind, AlertRow.state, Observation.outline, Observation.scan_id)
        .join(Observation, Observation.alert_id == AlertRow.id)
        .join(last, last.c.id == Observation.id)
        .where(visible_to(AlertRow.grid_code, viewer), AlertRow.state.in_(sorted(rejected | decided)))
        .order_by(AlertRow.id)
    ).all()
    edits = corrections(session, [row.id for row in rows])
    of_scan: dict[int, list[ReviewedAlert]] = defaultdict(list)
    for alert_id, number, kind, state, outline, scan_id in rows:
        if state in rejected or alert_id in confirmed:
            of_scan[scan_id].append(_reviewed(number, kind, outline, state not in rejected, edits.get(alert_id)))
    missed = session.execute(
        select(AlertRow.number, AlertRow.kind, OutlineEdit.outline, OutlineEdit.scan_id)
        .join(OutlineEdit, OutlineEdit.alert_id == AlertRow.id)
        .where(
            OutlineEdit.action == DRAWN,
            OutlineEdit.scan_id.in_(whole),
            visible_to(AlertRow.grid_code, viewer),
            AlertRow.state.not_in(sorted(rejected)),
        )
        .order_by(OutlineEdit.id)
    )
    for number, kind, outline, scan_id in missed:
        if scan_id is not None:
            of_scan[scan_id].append(ReviewedAlert(number, kind, outline, True, DRAWN))
    found, excluded = [], 0
    for scan_id, alerts in sorted(of_scan.items()):
        scan = session.get_one(Scan, scan_id)
        before, after = session.get_one(SceneRow, scan.before_id), session.get_one(SceneRow, scan.after_id)
        if may_see(viewer, before.area_code) and may_see(viewer, after.area_code):
            found.append(ReviewedScan(scan, before, after, tuple(alerts)))
        else:
            excluded += len(alerts)
    return found, excluded


def _reviewed(
    number: str, kind: str, outline: BaseGeometry, confirmed: bool, edit: OutlineEdit | None
) -> ReviewedAlert:
    if edit is None or not confirmed:
        return ReviewedAlert(number, kind, outline, confirmed)
    return ReviewedAlert(number, kind, edit.outline, confirmed, CORRECTED)


def _confirmed_alerts(session: Session, viewer: Viewer) -> set[int]:
    """Return the ids of alerts that a user confirmed at some time, even if it was undone since.

    A user confirms by a verdict on the pages, by works found in the field, or by moving the alert on, as programs do
    through the API, which need not state a verdict.
    """
    states = read_states()
    later = {name for name in states.states if states.category(name) in ("correcting", "closed")}
    rows = session.execute(
        select(Transition.alert_id, Transition.evidence, Transition.to_state)
        .join(AlertRow, AlertRow.id == Transition.alert_id)
        .where(visible_to(AlertRow.grid_code, viewer), Transition.role != "system")
    )
    return {
        alert_id
        for alert_id, evidence, state in rows
        if evidence.get("verdict") == "true" or evidence.get("works") or state in _JUDGED_TRUE or state in later
    }
