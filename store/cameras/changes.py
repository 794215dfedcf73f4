"""Persistent changes in camera presets, each recorded as a scan and reported once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from imagery.cameras.camera import GroundChange
from store.schema.camera_tables import CameraChange
from store.schema.insert import insert_new
from store.schema.outlines import bounds_of
from store.schema.tables import Scan

_SAME_PLACE_OVERLAP = 0.5  # minimum overlap, as a share of the smaller outline in the frame, to be the same place
_GROWTH_FACTOR = 1.5  # a known place is reported again when its area has grown by this factor


@dataclass(frozen=True)
class ReportedChange:
    """The features by which a reported change is recognized again."""

    kind: str
    in_frame: shapely.Polygon
    area_m2: float
    first_seen: dt.datetime


def reported_changes(session: Session, preset_id: int) -> list[ReportedChange]:
    """Return all reported changes of a preset."""
    rows = session.execute(
        select(CameraChange.kind, CameraChange.in_frame, CameraChange.area_m2, CameraChange.first_seen).where(
            CameraChange.preset_id == preset_id
        )
    )
    return [ReportedChange(kind, shapely.from_wkt(wkt), area, first) for kind, wkt, area, first in rows]


def is_new_change(change: GroundChange, reported: list[ReportedChange]) -> bool:
    """Return whether a change was not reported yet: another place, kind or time, or significant growth."""
    for known in reported:
        overlap = change.in_frame.intersection(known.in_frame).area
        same_place = overlap >= _SAME_PLACE_OVERLAP * min(change.in_frame.area, known.in_frame.area)
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
