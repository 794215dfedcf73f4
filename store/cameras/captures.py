"""Captures of cameras with the results of their quality check."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from imagery.cameras.camera import Capture, Fault, Frame, Light, Quality
from store.schema.camera_tables import CaptureRow
from store.schema.insert import insert_new


def add_capture(
    session: Session,
    camera_id: int,
    preset_id: int | None,
    capture: Capture,
    object_key: str,
    now: dt.datetime,
) -> int | None:
    """Add a capture that passed through the quality check.

    Args:
        session: a write transaction.
        camera_id: of its camera.
        preset_id: the preset that it shows; None: no preset yet, or the camera has moved.
        capture: after :func:`imagery.cameras.quality_check.check_quality`.
        object_key: of its frame.
        now: current time.

    Returns:
        The id of the capture; None if one with the same time exists, as when a folder received no new image.
    """
    assert capture.quality is not None  # it was checked
    return insert_new(
        session,
        CaptureRow,
        {
            "camera_id": camera_id,
            "preset_id": preset_id,
            "taken_at": capture.taken_at,
            "object_key": object_key,
            "sha256": capture.sha256,
            "frames": capture.frames,
            "usable": capture.quality.usable,
            "quality": asdict(capture.quality),
            "light": asdict(capture.light) if capture.light else {},
            "comparison": {},
            "created_at": now,
        },
        CaptureRow.id,
    )


def list_captures(session: Session, camera_id: int, limit: int, before: dt.datetime | None = None) -> list[CaptureRow]:
    """Return the latest captures of a camera, newest first, optionally only those taken before a time."""
    query = select(CaptureRow).where(CaptureRow.camera_id == camera_id)
    if before is not None:
        query = query.where(CaptureRow.taken_at < before)
    return list(session.scalars(query.order_by(CaptureRow.taken_at.desc()).limit(limit)))


def get_capture(session: Session, camera_id: int, capture_id: int) -> CaptureRow | None:
    """Return a capture of the camera; None if it has no such capture."""
    return session.scalar(select(CaptureRow).where(CaptureRow.id == capture_id, CaptureRow.camera_id == camera_id))


def latest_captures(session: Session, cameras: Collection[int]) -> dict[int, CaptureRow]:
    """Return {camera id: latest capture} of the cameras that have captures."""
    latest = (
        select(CaptureRow.camera_id, func.max(CaptureRow.taken_at).label("taken_at"))
        .where(CaptureRow.camera_id.in_(cameras))
        .group_by(CaptureRow.camera_id)
        .subquery()
    )
    rows = session.scalars(
        select(CaptureRow).join(
            latest, (latest.c.camera_id == CaptureRow.camera_id) & (latest.c.taken_at == CaptureRow.taken_at)
        )
    )
    return {row.camera_id: row for row in rows}


def usable_captures(session: Session, preset_id: int, since: dt.datetime, until: dt.datetime) -> list[CaptureRow]:
    """Return the usable captures of a preset taken from ``since`` to ``until``, newest first."""
    query = select(CaptureRow).where(
        CaptureRow.preset_id == preset_id,
        CaptureRow.usable,
        CaptureRow.taken_at >= since,
        CaptureRow.taken_at <= until,
    )
    return list(session.scalars(query.order_by(CaptureRow.taken_at.desc())))


def light_from_json(row: CaptureRow) -> Light:
    """Return the lighting of a usable capture."""
    return Light(**{**row.light, "direction": tuple(row.light["direction"])})


def capture_data(row: CaptureRow, frame: Frame, zone: dt.tzinfo) -> Capture:
    """Return a capture as plain data, in local time."""
    light = light_from_json(row) if row.light else None
    taken_at = row.taken_at.astimezone(zone)
    return Capture(frame, taken_at, quality_from_json(row.quality), light, row.frames, row.sha256)


def quality_from_json(stored: Mapping[str, Any]) -> Quality:
    """Return the stored result of the quality check."""
    return Quality(**{**stored, "faults": tuple(Fault(**fault) for fault in stored["faults"])})
