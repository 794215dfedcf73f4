"""Failing scans whose job died, and resuming them when the job is revived.

The ground of a failed scan is recorded as not compared. Its progress is kept, so that :func:`resume_scan` continues
from there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from errors import Reason
from store.scans.nights import UNFINISHED, update_night_state
from store.scans.scans import FAILED_FROM, lock_scan, report_uncompared
from store.schema.job_states import in_state
from store.schema.tables import Job, Scan, UncomparedGround


def job_key(scan_id: int, step: str) -> str:
    """Return the unique key of a job of a scan."""
    return f"scan:{scan_id}:{step}"


def fail_scans(session: Session, dead: Iterable[Job], now: dt.datetime) -> None:
    """Fail the scans of dead jobs, each with the error of its job.

    Args:
        session: the transaction that marked the jobs as dead; call this afterwards, since it locks scans, then nights.
        dead: dead jobs of any kind.
        now: current time.
    """
    nights = set()
    for job in sorted(filter(_of_scan, dead), key=lambda job: int(job.payload["scan"])):
        scan = lock_scan(session, int(job.payload["scan"]))
        if scan is None or scan.state not in UNFINISHED:
            continue
        scan.result = {**scan.result, FAILED_FROM: scan.state}
        scan.state, scan.finished_at = "failed", now
        report_uncompared(session, scan, Reason(job.error, "job.dead", error=job.error))
        if scan.night_id is not None:
            nights.add(scan.night_id)
    for night_id in sorted(nights):
        update_night_state(session, night_id, now)


def resume_scan(session: Session, job: Job, now: dt.datetime) -> None:
    """Restore the scan of a revived job to its state before the failure, unless another of its jobs is still dead."""
    if not _of_scan(job):
        return
    scan = lock_scan(session, int(job.payload["scan"]))
    if scan is None or FAILED_FROM not in scan.result or _has_dead_job(session, scan, job):
        return
    result = dict(scan.result)
    scan.state, scan.reason, scan.why, scan.finished_at = result.pop(FAILED_FROM), "", {}, None
    scan.result = result
    session.execute(delete(UncomparedGround).where(UncomparedGround.scan_id == scan.id))
    if scan.night_id is not None:
        update_night_state(session, scan.night_id, now)


def _of_scan(job: Job) -> bool:
    return job.kind.startswith("scan.") and "scan" in job.payload


def _has_dead_job(session: Session, scan: Scan, excluding: Job) -> bool:
    key = job_key(scan.id, "")
    dead = select(Job.id).where(in_state("dead"), Job.unique_key.startswith(key), Job.id != excluding.id)
    return session.scalar(dead.limit(1)) is not None
