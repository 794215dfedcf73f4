"""Add jobs of nights and scans; their handlers, which import torch, are not imported."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from store.jobs.queue import add_job
from store.scans.failed_scans import job_key
from store.schema.database import Session

QUEUE: Literal["scan"] = "scan"


def add_night_job(session: Session, day: dt.date, now: dt.datetime, again: bool = False) -> int | None:
    """Add a job that plans the night of a local date.

    Args:
        session: of a write transaction.
        day: local date.
        now: current time.
        again: plan it once more, for images received since it was planned.

    Returns:
        The job id; None: the night already has a planning job.
    """
    key = f"night:{day.isoformat()}"
    payload = {"day": day.isoformat()}
    if again:
        key = f"{key}:{now.isoformat()}"
    return add_job(session, kind="night.plan", queue=QUEUE, payload=payload, unique_key=key, now=now)


def add_prepare_job(session: Session, scan_id: int, now: dt.datetime) -> int | None:
    """Add the first job of a planned scan."""
    key = job_key(scan_id, "prepare")
    return add_job(session, kind="scan.prepare", queue=QUEUE, payload={"scan": scan_id}, unique_key=key, now=now)


def add_blocks_job(session: Session, scan_id: int, part: int, blocks: tuple[int, int], now: dt.datetime) -> int | None:
    """Add a job that compares the blocks of a scan in a half-open range of block indices."""
    payload = {"scan": scan_id, "part": part, "first": blocks[0], "end": blocks[1]}
    key = job_key(scan_id, f"blocks:{part}")
    return add_job(session, kind="scan.blocks", queue=QUEUE, payload=payload, unique_key=key, now=now)


def add_merge_job(session: Session, scan_id: int, now: dt.datetime) -> int | None:
    """Add the job that merges the results of all blocks of a scan."""
    key = job_key(scan_id, "merge")
    return add_job(session, kind="scan.merge", queue=QUEUE, payload={"scan": scan_id}, unique_key=key, now=now)
