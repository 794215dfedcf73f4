"""Nightly runs in the viewer's area: scans, uncompared ground and the reasons."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from errors import Reason
from store.access.rights import Viewer, scene_visible_to
from store.scans.nights import recent_nights
from store.schema.tables import Night, Scan, SceneRow, UncomparedGround
from store.search.night_summary import MIN_AREA_M2, NightSummaries


class NightView(NamedTuple):
    """A night and its summary (:func:`store.scans.nights.night_summary`) for the viewer's area."""

    night: Night
    summary: dict[str, Any]


class NightGap(NamedTuple):
    """Ground that a night could not compare."""

    scene_id: int
    scene: str
    date: dt.date | None
    area_m2: float
    reason: Reason
    bounds: tuple[float, float, float, float]


class NightScan(NamedTuple):
    """A scan of a night with its two scenes."""

    scan: Scan
    before: SceneRow
    after: SceneRow


def visible_nights(session: Session, viewer: Viewer, limit: int) -> list[NightView]:
    """List the latest nights, newest first, each with its summary for the viewer's area."""
    summaries = NightSummaries(session, viewer)
    return [NightView(night, summaries.of(night)) for night in recent_nights(session, limit)]


def visible_night(session: Session, viewer: Viewer, day: dt.date) -> NightView | None:
    """Return the night of a local day; None: none was planned."""
    night = session.scalar(select(Night).where(Night.day == day))
    return NightView(night, NightSummaries(session, viewer).of(night)) if night is not None else None


def night_gaps(session: Session, viewer: Viewer, night_id: int, limit: int) -> list[NightGap]:
    """List the viewer's ground that a night could not compare, largest first."""
    query = (
        select(UncomparedGround, SceneRow.name, SceneRow.date)
        .join(SceneRow, SceneRow.id == UncomparedGround.scene_id)
        .where(UncomparedGround.night_id == night_id)
        .where(scene_visible_to(viewer, UncomparedGround.scene_id, UncomparedGround.area_code))
        .order_by(UncomparedGround.area_m2.desc(), UncomparedGround.id)
        .limit(limit)
    )
    summaries = NightSummaries(session, viewer)
    gaps = []
    for gap, name, date in session.execute(query):
        outline, own_m2 = summaries.uncompared_in_area(gap)
        if own_m2 < MIN_AREA_M2:
            continue
        west, south, east, north = outline.bounds
        reason = Reason.from_json(gap.reason, gap.why)
        gaps.append(NightGap(gap.scene_id, name, date, own_m2, reason, (west, south, east, north)))
    return sorted(gaps, key=lambda gap: -gap.area_m2)


def night_scans(session: Session, viewer: Viewer, night_id: int, limit: int) -> list[NightScan]:
    """List the viewer's scans of a night in the order in which they were planned."""
    before, after = aliased(SceneRow), aliased(SceneRow)
    query = (
        select(Scan, before, after)
        .join(before, before.id == Scan.before_id)
        .join(after, after.id == Scan.after_id)
        .where(Scan.night_id == night_id, scene_visible_to(viewer, Scan.after_id, Scan.area_code))
        .order_by(Scan.id)
        .limit(limit)
    )
    return [NightScan(*row) for row in session.execute(query)]
