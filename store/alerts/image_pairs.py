"""The image pair that shows an alert best: the latest image with the last one before the works."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.ledger.sighting import DEMOLITION
from store.schema.tables import AlertRow, Observation, Scan, SceneRow


class ImagePair(NamedTuple):
    """A scan and its two scenes."""

    scan: Scan
    before: SceneRow
    after: SceneRow


def latest_pair(session: Session, alert_id: int) -> ImagePair | None:
    """Return the latest image pair of an alert, orthoimages before camera frames; None: it has no observation.

    Access to the alert includes these scenes only at the place of the alert; the caller has to enforce that.
    """
    return latest_pairs(session, [alert_id]).get(alert_id)


def latest_pairs(session: Session, alert_ids: Collection[int]) -> dict[int, ImagePair]:
    """Return the latest image pair of several alerts, by id; alerts without observation are left out."""
    query = (
        select(Observation, AlertRow.not_yet_on)
        .join(AlertRow, AlertRow.id == Observation.alert_id)
        .where(Observation.alert_id.in_(alert_ids), Observation.scan_id.is_not(None))
    )
    rows = [(row, picture_order(row, not_yet_on)) for row, not_yet_on in session.execute(query)]
    rows.sort(key=lambda item: (item[0].position_error is None, item[0].kind != DEMOLITION, item[1]))
    last = {row.alert_id: row.scan_id for row, _ in rows if row.scan_id is not None}
    scans = {scan.id: scan for scan in session.scalars(select(Scan).where(Scan.id.in_(last.values())))}
    scene_ids = {scene for scan in scans.values() for scene in (scan.before_id, scan.after_id)}
    scenes = {scene.id: scene for scene in session.scalars(select(SceneRow).where(SceneRow.id.in_(scene_ids)))}
    pairs = {scan.id: ImagePair(scan, scenes[scan.before_id], scenes[scan.after_id]) for scan in scans.values()}
    return {alert: pairs[scan] for alert, scan in last.items()}


def picture_order(row: Observation, not_yet_on: dt.date | None) -> tuple[bool, dt.date, float, int]:
    """Sort key of observations by how well their images show the works; the best is last."""
    whole = not_yet_on is None or row.before_date is None or row.before_date <= not_yet_on
    return whole, row.after_date or dt.date.min, row.area_m2, row.id
