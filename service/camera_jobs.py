"""The jobs of cameras, added without importing what does them."""

from __future__ import annotations

import datetime as dt

from store.jobs.queue import add_job
from store.schema.database import Session


def add_capture_job(session: Session, camera_id: int, slot: str, now: dt.datetime) -> int | None:
    """Have a camera captured.

    Args:
        session: of a transaction that writes.
        camera_id: which.
        slot: the planned moment, or what else makes this capture one of its own; there is one job for each.
        now: this moment.
    """
    key = f"capture:{camera_id}:{slot}"
    payload = {"camera": camera_id}
    return add_job(session, kind="camera.capture", queue="capture", payload=payload, unique_key=key, now=now)


def add_retention_job(session: Session, day: dt.date, now: dt.datetime) -> int | None:
    """Have old captures deleted, once a day."""
    key = f"camera:forget:{day}"
    return add_job(session, kind="camera.forget", queue="capture", payload={}, unique_key=key, now=now)


def add_compare_job(session: Session, capture_id: int, now: dt.datetime) -> int | None:
    """Have a capture compared with earlier ones of its view."""
    key = f"camera:compare:{capture_id}"
    payload = {"capture": capture_id}
    return add_job(session, kind="camera.compare", queue="scan", payload=payload, unique_key=key, now=now)
