"""What views of cameras showed persistently: compared like two scenes, and reported once."""

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

_SAME = 0.5  # share of the smaller outline in the frame from which two are one place
_GROWN = 1.5  # times the area from which a place is news again


@dataclass(frozen=True)
class ReportedChange:
    """A change of a view that was reported, as far as it is needed to know it again."""

    kind: str
    in_frame: shapely.Polygon
    area_m2: float
    first_seen: dt.datetime


def reported_changes(session: Session, preset_id: int) -> list[ReportedChange]:
    """All changes of a view that were reported."""
    rows = session.execute(
        select(CameraChange.kind, CameraChange.in_frame, CameraChange.area_m2, CameraChange.first_seen).where(
            CameraChange.preset_id == preset_id
        )
    )
    return [ReportedChange(kind, shapely.from_wkt(wkt), area, first) for kind, wkt, area, first in rows]


def is_new_change(change: GroundChange, reported: list[ReportedChange]) -> bool:
    """Whether a change has not been reported yet: another place, kind or time, or grown since."""
    for known in reported:
        common = change.in_frame.intersection(known.in_frame).area
        same_place = common >= _SAME * min(change.in_frame.area, known.in_frame.area)
        earlier = change.compared_with < known.first_seen  # else the place had been seen so, and changed again
        if same_place and earlier and change.kind == known.kind and change.area_m2 < _GROWN * known.area_m2:
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
    """Write down that two captures, which are scenes, were compared; None: that was written before.

    Args:
        session: of a transaction that writes.
        unique_key: says which captures.
        before: scene of the earlier one.
        after: scene of the later one.
        area_code: of the camera.
        result: what was looked at, as of a scan between nights.
        changes: how many were found.
        weights_sha256: of the network that told their kinds; "": none did.
        settings_sha256: of the settings of the comparison.
        now: this moment.
    """
    made = insert_new(
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
            "created_at": now,
            "started_at": now,
            "finished_at": now,
        },
        Scan.id,
    )
    return None if made is None else session.get_one(Scan, made)


def record_reported_change(session: Session, preset_id: int, scan_id: int, change: GroundChange, now: dt.datetime) -> None:
    """Remember that a change was reported."""
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
