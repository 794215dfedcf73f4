"""Captures that have grown old, and their frames: deleted unless something still needs them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.schema.camera_tables import CaptureRow, PresetRow

AT_ONCE = 5000
"""Captures that are looked for at once."""


@dataclass(frozen=True)
class ExpiredCaptures:
    """What may go.

    Attributes:
        ids: of captures.
        keys: of their frames among the objects, as far as nothing else needs them.
    """

    ids: list[int]
    keys: list[str]


def expired_captures(session: Session, before: dt.datetime) -> ExpiredCaptures:
    """Captures from before a moment, the oldest first, at most :data:`AT_ONCE`.

    Left out are those that are evidence of an alert, and the last one of each camera; the frames that views are measured
    in stay.
    """
    last = select(func.max(CaptureRow.taken_at)).group_by(CaptureRow.camera_id)
    rows = session.execute(
        select(CaptureRow.id, CaptureRow.object_key)
        .where(CaptureRow.taken_at < before, CaptureRow.scene_id.is_(None), CaptureRow.taken_at.not_in(last))
        .order_by(CaptureRow.taken_at)
        .limit(AT_ONCE)
    ).all()
    ids, keys = [row.id for row in rows], {row.object_key for row in rows}
    return ExpiredCaptures(ids, sorted(keys - referenced_keys(session, keys, ids)))


def remove_captures(session: Session, ids: Collection[int]) -> None:
    """Remove captures that are no evidence. ``session``: of a transaction that writes."""
    session.execute(delete(CaptureRow).where(CaptureRow.id.in_(ids), CaptureRow.scene_id.is_(None)))


def referenced_keys(session: Session, keys: Collection[str], besides: Collection[int] = ()) -> set[str]:
    """Those of the frames that a view or a capture still has; captures ``besides`` do not count."""
    views = select(PresetRow.reference_key).where(PresetRow.reference_key.in_(keys))
    captures = select(CaptureRow.id, CaptureRow.object_key).where(CaptureRow.object_key.in_(keys))
    gone = set(besides)
    return set(session.scalars(views)) | {key for number, key in session.execute(captures) if number not in gone}
