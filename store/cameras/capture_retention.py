"""Retention of captures: select and delete expired ones with frames that nothing else refers to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.retention.holds import Held
from store.schema.camera_tables import CameraRow, CaptureRow, PresetRow

BATCH_SIZE = 5000
"""Maximum number of captures per query."""


@dataclass(frozen=True)
class ExpiredCaptures:
    """Captures and objects that may be deleted.

    Attributes:
        ids: ids of the captures.
        keys: object keys of their frames that nothing else refers to.
    """

    ids: list[int]
    keys: list[str]


def expired_captures(session: Session, before: dt.datetime) -> ExpiredCaptures:
    """Return up to :data:`BATCH_SIZE` captures taken before a time, oldest first.

    Excluded are evidence of alerts, the latest capture of each camera, the reference frames of presets, and cameras
    of areas on hold.
    """
    held = Held(session)
    kept = [
        camera_id
        for camera_id, code in session.execute(select(CameraRow.id, CameraRow.area_code))
        if held.covers_ground(code)
    ]
    last = select(func.max(CaptureRow.taken_at)).group_by(CaptureRow.camera_id)
    rows = session.execute(
        select(CaptureRow.id, CaptureRow.object_key)
        .where(CaptureRow.taken_at < before, CaptureRow.scene_id.is_(None), CaptureRow.taken_at.not_in(last))
        .where(CaptureRow.camera_id.not_in(kept))
        .order_by(CaptureRow.taken_at)
        .limit(BATCH_SIZE)
    ).all()
    ids, keys = [row.id for row in rows], {row.object_key for row in rows}
    return ExpiredCaptures(ids, sorted(keys - referenced_keys(session, keys, ids)))


def remove_captures(session: Session, ids: Collection[int]) -> None:
    """Delete captures unless they are evidence; ``session`` is a write transaction."""
    session.execute(delete(CaptureRow).where(CaptureRow.id.in_(ids), CaptureRow.scene_id.is_(None)))


def referenced_keys(session: Session, keys: Collection[str], excluding: Collection[int] = ()) -> set[str]:
    """Return those of ``keys`` that a preset or a capture refers to, except the captures ``excluding``."""
    presets = select(PresetRow.reference_key).where(PresetRow.reference_key.in_(keys))
    captures = select(CaptureRow.id, CaptureRow.object_key).where(CaptureRow.object_key.in_(keys))
    excluded = set(excluding)
    return set(session.scalars(presets)) | {
        key for capture_id, key in session.execute(captures) if capture_id not in excluded
    }
