"""The copy of a photo that browsers show: replaced when parts of it are blacked out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from store.schema.chain.evidence_tables import EvidenceFile

BLACKED_OUT = "blacked_out"
"""Key of a photo's record with the blacked-out parts, who blacked them out, and when."""

DESK_ROLES = ("township", "county", "city")
"""Roles that may black out parts of photos, and download the originals of such photos."""


def blacked_out_boxes(file: EvidenceFile) -> list[list[float]]:
    """Return the blacked-out parts of the copy: left, top, width, height as shares of the picture."""
    noted: dict[str, Any] = file.record.get(BLACKED_OUT) or {}
    return [list(map(float, box)) for box in noted.get("boxes", ())]


def set_shown_copy(
    session: Session, file: EvidenceFile, key: str, boxes: Sequence[Sequence[float]], who: str, now: dt.datetime
) -> str:
    """Let a photo be shown by another copy; return the key of the former one, to be deleted after the commit."""
    former = file.shown_key
    noted = {BLACKED_OUT: {"boxes": [list(box) for box in boxes], "by": who, "at": now.isoformat()}}
    file.shown_key, file.record = key, {**file.record, **noted}
    session.flush()
    return former if former != key else ""
