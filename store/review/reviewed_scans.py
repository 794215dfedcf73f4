"""What people said of alerts, sorted by the scans that saw them last: to train on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from enforcement.states import read_states
from store.access.rights import Viewer, may_see, visible_to
from store.schema.tables import AlertRow, Observation, Scan, SceneRow, Transition

_GOES_ON = ("open", "correcting", "closed")
_UNDECIDED = ("new", "returned", "disputed", "bad_imagery")


@dataclass(frozen=True)
class ReviewedAlert:
    """An alert of which a person said whether its change is there.

    Attributes:
        alert: its number.
        kind: as it is now; a person may have set another one.
        outline: as the scan saw it; longitude, latitude.
        confirmed: the change is there; False: a false change.
    """

    alert: str
    kind: str
    outline: BaseGeometry
    confirmed: bool


@dataclass(frozen=True)
class ReviewedScan:
    """A scan with its scenes and the reviewed alerts that it saw last."""

    scan: Scan
    before: SceneRow
    after: SceneRow
    alerts: tuple[ReviewedAlert, ...]


def reviewed_scans(session: Session, viewer: Viewer) -> tuple[list[ReviewedScan], int]:
    """Return the scans of the viewer's reviewed alerts, the oldest first, and how many alerts were left out.

    Confirmed is what was judged true on the images, or where somebody saw works on the ground; rejected what is a false
    change now. All others are not told of. Left out are alerts whose images the viewer may not take.

    Args:
        session: reads.
        viewer: who asks.
    """
    states = read_states()
    rejected = {name for name in states.states if states.is_rejected(name)}
    decided = {name for name in states.states if states.means(name) in _GOES_ON} - set(_UNDECIDED)
    told = _confirmed_alerts(session, viewer)
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
        if state in rejected or alert_id in told:
            of_scan[scan_id].append(ReviewedAlert(number, kind, outline, state not in rejected))
    found, left_out = [], 0
    for scan_id, alerts in sorted(of_scan.items()):
        scan = session.get_one(Scan, scan_id)
        before, after = session.get_one(SceneRow, scan.before_id), session.get_one(SceneRow, scan.after_id)
        if may_see(viewer, before.area_code) and may_see(viewer, after.area_code):
            found.append(ReviewedScan(scan, before, after, tuple(alerts)))
        else:
            left_out += len(alerts)
    return found, left_out


def _confirmed_alerts(session: Session, viewer: Viewer) -> set[int]:
    """Alerts of which a person once said that something is there; it may have been taken back since."""
    rows = session.execute(
        select(Transition.alert_id, Transition.evidence)
        .join(AlertRow, AlertRow.id == Transition.alert_id)
        .where(visible_to(AlertRow.grid_code, viewer), Transition.role != "system")
    )
    return {alert_id for alert_id, evidence in rows if evidence.get("verdict") == "true" or evidence.get("works")}
