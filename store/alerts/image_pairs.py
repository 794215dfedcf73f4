"""The two images on which an alert was seen last."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.schema.tables import Observation, Scan, SceneRow


class ImagePair(NamedTuple):
    """The scan that saw an alert last, and its scenes."""

    scan: Scan
    before: SceneRow
    after: SceneRow


def latest_pair(session: Session, alert_id: int) -> ImagePair | None:
    """What an alert was seen on last, from above if it ever was; None: it was never seen by a scan.

    Whoever may see the alert may see these scenes where the alert is, and nowhere else: that is for the caller to keep.
    """
    return latest_pairs(session, [alert_id]).get(alert_id)


def latest_pairs(session: Session, alert_ids: Collection[int]) -> dict[int, ImagePair]:
    """The same of several alerts, by id; those that no scan saw are left out."""
    query = select(Observation.alert_id, Observation.scan_id).where(Observation.alert_id.in_(alert_ids))
    from_above = Observation.position_error.is_(None)
    last = {alert: scan for alert, scan in session.execute(query.order_by(from_above, Observation.id))}  # noqa: C416
    scans = {scan.id: scan for scan in session.scalars(select(Scan).where(Scan.id.in_(last.values())))}
    both = {scene for scan in scans.values() for scene in (scan.before_id, scan.after_id)}
    scenes = {scene.id: scene for scene in session.scalars(select(SceneRow).where(SceneRow.id.in_(both)))}
    pairs = {scan.id: ImagePair(scan, scenes[scan.before_id], scenes[scan.after_id]) for scan in scans.values()}
    return {alert: pairs[scan] for alert, scan in last.items()}
