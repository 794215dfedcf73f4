"""Add camera jobs; their handlers are not imported."""

from __future__ import annotations

import datetime as dt

from store.jobs.queue import add_job
from store.schema.database import Session


def add_capture_job(session: Session, camera_id: int, slot: str, now: dt.datetime) -> int | None:
    """Add a job that captures a camera.

    Args:
        session: of a write transaction.
        camera_id: the camera.
        slot: the planned time, or another unique identifier of this capture; there is one job per camera and slot.
        now: current time.
    """
    key = f"capture:{camera_id}:{slot}"
    payload = {"camera": camera_id}
    return add_job(session, kind="camera.capture", queue="capture", payload=payload, unique_key=key, now=now)


def add_retention_job(session: Session, day: dt.date, now: dt.datetime) -> int | None:
    """Add a job that deletes old captures; there is one per day."""
    key = f"camera:forget:{day}"
    return add_job(session, kind="camera.forget", queue="capture", payload={}, unique_key=key, now=now)


def add_compare_job(session: Session, capture_id: int, now: dt.datetime) -> int | None:
    """Add a job that compares a capture with earlier ones of its view."""
    key = f"camera:compare:{capture_id}"
    payload = {"capture": capture_id}
    return add_job(session, kind="camera.compare", queue="scan", payload=payload, unique_key=key, now=now)
