"""The jobs of nights and scans, added without importing what does them: a schedule holds no network's libraries."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from store.jobs.queue import add_job
from store.scans.failed_scans import job_key
from store.schema.database import Session

QUEUE: Literal["scan"] = "scan"


def add_night_job(session: Session, day: dt.date, now: dt.datetime, again: bool = False) -> int | None:
    """Have the night of a local day planned.

    Args:
        session: of a transaction that writes.
        day: local date.
        now: this moment.
        again: also when it was planned before, for what came in since.

    Returns:
        The job; None: the night was planned, or is to be planned, already.
    """
    key = f"night:{day.isoformat()}"
    payload = {"day": day.isoformat()}
    if again:
        key = f"{key}:{now.isoformat()}"
    return add_job(session, kind="night.plan", queue=QUEUE, payload=payload, unique_key=key, now=now)


def add_prepare_job(session: Session, scan_id: int, now: dt.datetime) -> int | None:
    """Have a planned scan begun."""
    key = job_key(scan_id, "prepare")
    return add_job(session, kind="scan.prepare", queue=QUEUE, payload={"scan": scan_id}, unique_key=key, now=now)


def add_blocks_job(session: Session, scan_id: int, part: int, blocks: tuple[int, int], now: dt.datetime) -> int | None:
    """Have a part of a scan's blocks compared, given as a half-open range."""
    payload = {"scan": scan_id, "part": part, "first": blocks[0], "end": blocks[1]}
    key = job_key(scan_id, f"blocks:{part}")
    return add_job(session, kind="scan.blocks", queue=QUEUE, payload=payload, unique_key=key, now=now)


def add_merge_job(session: Session, scan_id: int, now: dt.datetime) -> int | None:
    """Have what the blocks of a scan found joined."""
    key = job_key(scan_id, "merge")
    return add_job(session, kind="scan.merge", queue=QUEUE, payload={"scan": scan_id}, unique_key=key, now=now)
