"""Persistent changes in camera presets, each recorded as a scan and reported once, and the works that they built."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from enforcement.ledger.sighting import DEMOLITION
from enforcement.states import read_states
from imagery.cameras.camera import GroundChange
from imagery.set_operations import intersection
from store.schema.camera_tables import CameraChange, CaptureRow
from store.schema.insert import insert_new
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Observation, Scan

_SAME_PLACE_OVERLAP = 0.5  # minimum overlap, as a share of the smaller outline in the frame, to be the same place
_GROWTH_FACTOR = 1.5  # a known place is reported again when its area has grown by this factor


@dataclass(frozen=True)
class ReportedChange:
    """The features by which a reported change is recognized again."""

    kind: str
    in_frame: shapely.Polygon
    area_m2: float
    first_seen: dt.datetime


@dataclass(frozen=True)
class ReportedWorks:
    """Works that stand in a preset, as far as its captures say.

    Attributes:
        number: id of the latest report.
        scan_id: the scan of that report.
        in_frame, area_m2: as last reported.
        not_yet_at: time of the capture from before the works.
        shown_by: the capture of the latest report that shows them.
    """

    number: int
    scan_id: int
    in_frame: shapely.Polygon
    area_m2: float
    not_yet_at: dt.datetime
    shown_by: CaptureRow


def reported_changes(session: Session, preset_id: int) -> list[ReportedChange]:
    """Return all reported changes of a preset."""
    rows = session.execute(
        select(CameraChange.kind, CameraChange.in_frame, CameraChange.area_m2, CameraChange.first_seen).where(
            CameraChange.preset_id == preset_id
        )
    )
    return [ReportedChange(kind, shapely.from_wkt(wkt), area, first) for kind, wkt, area, first in rows]


def standing_works(session: Session, preset_id: int) -> list[ReportedWorks]:
    """Return the works that a preset has reported and that are not gone, without those of withdrawn scans."""
    before, after = aliased(CaptureRow), aliased(CaptureRow)
    rows = session.execute(
        select(CameraChange, before.taken_at, after)
        .join(Scan, Scan.id == CameraChange.scan_id)
        .join(before, (before.scene_id == Scan.before_id) & (before.preset_id == CameraChange.preset_id))
        .join(after, (after.scene_id == Scan.after_id) & (after.preset_id == CameraChange.preset_id))
        .where(CameraChange.preset_id == preset_id, Scan.withdrawn_at.is_(None))
        .order_by(CameraChange.id)
    )
    standing: list[ReportedWorks] = []
    for change, not_yet_at, shown_by in rows:
        outline = shapely.from_wkt(change.in_frame)
        same = [works for works in standing if _same_place(outline, works.in_frame)]
        standing = [works for works in standing if works not in same]
        if change.kind != DEMOLITION:
            earliest = min([not_yet_at, *(works.not_yet_at for works in same)])
            standing.append(ReportedWorks(change.id, change.scan_id, outline, change.area_m2, earliest, shown_by))
    return standing


def is_under_review(session: Session, works: ReportedWorks) -> bool:
    """Return whether an alert of reported works is open, so that their end is a sighting of it."""
    table = read_states()
    query = select(AlertRow.state).join(Observation).where(Observation.scan_id == works.scan_id)
    return any(
        table.category(state) in ("open", "correcting", "suppressed", "transient") for state in session.scalars(query)
    )


def _same_place(one: shapely.Polygon, other: shapely.Polygon) -> bool:
    overlap = intersection(one.buffer(0), other.buffer(0)).area
    return bool(overlap >= _SAME_PLACE_OVERLAP * min(one.area, other.area))


def is_new_change(change: GroundChange, reported: list[ReportedChange], standing: list[ReportedWorks]) -> bool:
    """Return whether a change was not reported yet: another place, kind or time, or significant growth.

    Args:
        change: of a comparison; one of known works is new as long as these are as the comparison knew them.
        reported: all reported changes of the preset.
        standing: the works that stand.
    """
    if change.works is not None:
        return any(works.number == change.works for works in standing)
    for known in reported:
        same_place = _same_place(change.in_frame, known.in_frame)
        earlier = change.compared_with < known.first_seen  # otherwise the place has changed once more since then
        if same_place and earlier and change.kind == known.kind and change.area_m2 < _GROWTH_FACTOR * known.area_m2:
            return False
    return True


def add_camera_scan(
    session: Session,
    *,
    unique_key: str,
    before: int,
    after: int,
    area_code: str,
    result: Mapping[str, Any],
    changes: int,
    weights_sha256: str,
    settings_sha256: str,
    now: dt.datetime,
) -> Scan | None:
    """Add a finished scan of two captures that became scenes; None if the key exists already.

    Args:
        session: a write transaction.
        unique_key: identifies the captures.
        before: scene id of the earlier capture.
        after: scene id of the later capture.
        area_code: of the camera.
        result: compared ground, in the format of nightly scans.
        changes: number of detected changes.
        weights_sha256: checksum of the classifying network; "": none was used.
        settings_sha256: checksum of the comparison's settings.
        now: current time.
    """
    scan_id = insert_new(
        session,
        Scan,
        {
            "unique_key": unique_key,
            "area_code": area_code,
            "before_id": before,
            "after_id": after,
            "state": "done",
            "reason": "",
            "blocks": 0,
            "block_jobs": 0,
            "result": dict(result),
            "settings_sha256": settings_sha256,
            "weights_sha256": weights_sha256,
            "changes": changes,
            "withdrawn_why": "",
            "created_at": now,
            "started_at": now,
            "finished_at": now,
        },
        Scan.id,
    )
    return None if scan_id is None else session.get_one(Scan, scan_id)


def record_reported_change(
    session: Session, preset_id: int, scan_id: int, change: GroundChange, now: dt.datetime
) -> None:
    """Record a change as reported."""
    session.add(
        CameraChange(
            preset_id=preset_id,
            scan_id=scan_id,
            kind=change.kind,
            in_frame=shapely.to_wkt(change.in_frame, rounding_precision=1),
            area_m2=change.area_m2,
            score=change.score,
            first_seen=change.first_seen,
            last_seen=change.last_seen,
            created_at=now,
            **bounds_of(change.outline),
        )
    )
