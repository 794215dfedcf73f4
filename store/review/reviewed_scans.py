"""What people said of leads, sorted by the scans that saw them last: to train on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from enforcement.states import read_states
from store.access.rights import Viewer, may_see, under
from store.schema.tables import Alert, Observation, Scan, SceneRow, Transition

_GOES_ON = ("open", "correcting", "closed")
_UNDECIDED = ("new", "returned", "disputed", "bad_imagery")


@dataclass(frozen=True)
class ReviewedLead:
    """A lead of which a person said whether its change is there.

    Attributes:
        lead: its number.
        kind: as it is now; a person may have set another one.
        outline: as the scan saw it; longitude, latitude.
        confirmed: the change is there; False: a false change.
    """

    lead: str
    kind: str
    outline: BaseGeometry
    confirmed: bool


@dataclass(frozen=True)
class ReviewedScan:
    """A scan with its scenes and the reviewed leads that it saw last."""

    scan: Scan
    before: SceneRow
    after: SceneRow
    leads: tuple[ReviewedLead, ...]


def reviewed_scans(session: Session, viewer: Viewer) -> tuple[list[ReviewedScan], int]:
    """Return the scans of the viewer's reviewed leads, the oldest first, and how many leads were left out.

    Confirmed is what was judged true on the images, or where somebody saw works on the ground; rejected what is a false
    change now. All others are not told of. Left out are leads whose images the viewer may not take.

    Args:
        session: reads.
        viewer: who asks.
    """
    states = read_states()
    rejected = {name for name in states.states if states.is_rejected(name)}
    decided = {name for name in states.states if states.means(name) in _GOES_ON} - set(_UNDECIDED)
    told = _told(session, viewer)
    last = select(func.max(Observation.id).label("id")).group_by(Observation.alert_id).subquery()
    rows = session.execute(
        select(Alert.id, Alert.number, Alert.kind, Alert.state, Observation.outline, Observation.scan_id)
        .join(Observation, Observation.alert_id == Alert.id)
        .join(last, last.c.id == Observation.id)
        .where(under(Alert.grid_code, viewer), Alert.state.in_(sorted(rejected | decided)))
        .order_by(Alert.id)
    )
    of_scan: dict[int, list[ReviewedLead]] = defaultdict(list)
    for alert_id, number, kind, state, outline, scan_id in rows:
        if state in rejected or alert_id in told:
            of_scan[scan_id].append(ReviewedLead(number, kind, outline, state not in rejected))
    found, left_out = [], 0
    for scan_id, leads in sorted(of_scan.items()):
        scan = session.get_one(Scan, scan_id)
        before, after = session.get_one(SceneRow, scan.before_id), session.get_one(SceneRow, scan.after_id)
        if may_see(viewer, before.area_code) and may_see(viewer, after.area_code):
            found.append(ReviewedScan(scan, before, after, tuple(leads)))
        else:
            left_out += len(leads)
    return found, left_out


def _told(session: Session, viewer: Viewer) -> set[int]:
    """Leads of which a person once said that something is there; it may have been taken back since."""
    rows = session.execute(
        select(Transition.alert_id, Transition.evidence)
        .join(Alert, Alert.id == Transition.alert_id)
        .where(under(Alert.grid_code, viewer), Transition.role != "system")
    )
    return {alert_id for alert_id, evidence in rows if evidence.get("verdict") == "true" or evidence.get("works")}
