"""Nightly runs in the viewer's area: scans, uncompared ground and the reasons."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from errors import Reason
from store.access.rights import Viewer, visible_to
from store.scans.nights import night_summary, partial_night_summary, recent_nights
from store.schema.tables import Night, Scan, SceneRow, UncomparedGround


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
    nights = recent_nights(session, limit)
    return [NightView(night, _summary(session, viewer, night)) for night in nights]


def visible_night(session: Session, viewer: Viewer, day: dt.date) -> NightView | None:
    """Return the night of a local day; None: none was planned."""
    night = session.scalar(select(Night).where(Night.day == day))
    return NightView(night, _summary(session, viewer, night)) if night is not None else None


def night_gaps(session: Session, viewer: Viewer, night_id: int, limit: int) -> list[NightGap]:
    """List the viewer's ground that a night could not compare, largest first."""
    query = (
        select(UncomparedGround, SceneRow.name, SceneRow.date)
        .join(SceneRow, SceneRow.id == UncomparedGround.scene_id)
        .where(UncomparedGround.night_id == night_id, visible_to(UncomparedGround.area_code, viewer))
        .order_by(UncomparedGround.area_m2.desc(), UncomparedGround.id)
        .limit(limit)
    )
    return [
        NightGap(
            gap.scene_id,
            name,
            date,
            gap.area_m2,
            Reason.from_json(gap.reason, gap.why),
            (gap.west, gap.south, gap.east, gap.north),
        )
        for gap, name, date in session.execute(query)
    ]


def night_scans(session: Session, viewer: Viewer, night_id: int, limit: int) -> list[NightScan]:
    """List the viewer's scans of a night in the order in which they were planned."""
    before, after = aliased(SceneRow), aliased(SceneRow)
    query = (
        select(Scan, before, after)
        .join(before, before.id == Scan.before_id)
        .join(after, after.id == Scan.after_id)
        .where(Scan.night_id == night_id, visible_to(Scan.area_code, viewer))
        .order_by(Scan.id)
        .limit(limit)
    )
    return [NightScan(*row) for row in session.execute(query)]


def _summary(session: Session, viewer: Viewer, night: Night) -> dict[str, Any]:
    if not viewer.code:
        return night_summary(session, night)
    return partial_night_summary(
        session, night, visible_to(Scan.area_code, viewer), visible_to(UncomparedGround.area_code, viewer)
    )
