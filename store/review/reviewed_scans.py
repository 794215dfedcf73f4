"""Reviewed alerts grouped by their latest scan, as training data."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from enforcement.states import read_states
from store.access.rights import Viewer, may_see, visible_to
from store.schema.tables import AlertRow, Observation, Scan, SceneRow, Transition

_CONFIRMED_MEANINGS = ("open", "correcting", "closed")
_UNDECIDED = ("new", "returned", "disputed", "bad_imagery")


@dataclass(frozen=True)
class ReviewedAlert:
    """An alert that a user confirmed or rejected.

    Attributes:
        alert: its number.
        kind: its present kind, which a user may have corrected.
        outline: as the scan detected it; longitude, latitude.
        confirmed: True: a real change; False: a false change.
    """

    alert: str
    kind: str
    outline: BaseGeometry
    confirmed: bool


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
    last = select(func.max(Observation.id).label("id")).group_by(Observation.alert_id).subquery()
    rows = session.execute(
        select(AlertRow.id, AlertRow.number, AlertRow.kind, AlertRow.state, Observation.outline, Observation.scan_id)
        .join(Observation, Observation.alert_id == AlertRow.id)
        .join(last, last.c.id == Observation.id)
        .where(visible_to(AlertRow.grid_code, viewer), AlertRow.state.in_(sorted(rejected | decided)))
        .order_by(AlertRow.id)
    )
    of_scan: dict[int, list[ReviewedAlert]] = defaultdict(list)
    for alert_id, number, kind, state, outline, scan_id in rows:
        if state in rejected or alert_id in confirmed:
            of_scan[scan_id].append(ReviewedAlert(number, kind, outline, state not in rejected))
    found, excluded = [], 0
    for scan_id, alerts in sorted(of_scan.items()):
        scan = session.get_one(Scan, scan_id)
        before, after = session.get_one(SceneRow, scan.before_id), session.get_one(SceneRow, scan.after_id)
        if may_see(viewer, before.area_code) and may_see(viewer, after.area_code):
            found.append(ReviewedScan(scan, before, after, tuple(alerts)))
        else:
            excluded += len(alerts)
    return found, excluded


def _confirmed_alerts(session: Session, viewer: Viewer) -> set[int]:
    """Return the ids of alerts that a user confirmed at some time, even if it was undone since."""
    rows = session.execute(
        select(Transition.alert_id, Transition.evidence)
        .join(AlertRow, AlertRow.id == Transition.alert_id)
        .where(visible_to(AlertRow.grid_code, viewer), Transition.role != "system")
    )
    return {alert_id for alert_id, evidence in rows if evidence.get("verdict") == "true" or evidence.get("works")}
