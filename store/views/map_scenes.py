"""Scenes on a map: in a box, the latest first; and the two that an alert was seen on last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import NamedTuple

from shapely.geometry import box
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, under
from store.schema.outlines import near
from store.schema.tables import Observation, Scan, SceneRow
from store.search.alert_filter import Box


class SeenPair(NamedTuple):
    """The scan that saw an alert last, and its scenes."""

    scan: Scan
    before: SceneRow
    after: SceneRow


def scenes_in_box(
    session: Session,
    viewer: Viewer,
    bbox: Box,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    limit: int = 200,
) -> list[SceneRow]:
    """Scenes whose bounds touch ``bbox``, the latest first; those without a date last.

    Args:
        session: reads.
        viewer: who asks.
        bbox: west, south, east, north in degrees.
        since: first day of acquisition; with either day, scenes without one are left out.
        until: last day, included.
        limit: not more than so many.
    """
    query = select(SceneRow).where(near(SceneRow, box(*bbox)), under(SceneRow.area_code, viewer))
    if since is not None:
        query = query.where(SceneRow.date >= since)
    if until is not None:
        query = query.where(SceneRow.date <= until)
    order = (SceneRow.date.is_(None), SceneRow.date.desc(), SceneRow.id.desc())
    return list(session.scalars(query.order_by(*order).limit(limit)))


def last_pair(session: Session, alert_id: int) -> SeenPair | None:
    """What an alert was seen on last, from above if it ever was; None: it was never seen by a scan.

    Whoever may see the alert may see these scenes where the alert is, and nowhere else: that is for the caller to keep.
    """
    return last_pairs(session, [alert_id]).get(alert_id)


def last_pairs(session: Session, alert_ids: Collection[int]) -> dict[int, SeenPair]:
    """The same of several alerts, by id; those that no scan saw are left out."""
    query = select(Observation.alert_id, Observation.scan_id).where(Observation.alert_id.in_(alert_ids))
    from_above = Observation.position_error.is_(None)
    last = {alert: scan for alert, scan in session.execute(query.order_by(from_above, Observation.id))}  # noqa: C416
    scans = {scan.id: scan for scan in session.scalars(select(Scan).where(Scan.id.in_(last.values())))}
    both = {scene for scan in scans.values() for scene in (scan.before_id, scan.after_id)}
    scenes = {scene.id: scene for scene in session.scalars(select(SceneRow).where(SceneRow.id.in_(both)))}
    pairs = {scan.id: SeenPair(scan, scenes[scan.before_id], scenes[scan.after_id]) for scan in scans.values()}
    return {alert: pairs[scan] for alert, scan in last.items()}
