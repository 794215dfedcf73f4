"""A scan with a dead job has failed: nobody waits for it, and the ground that it was to compare is told as not seen.

What it had come to is kept, so that :func:`resume_scan` goes on from there once a person revives the job.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from errors import Reason
from store.scans.nights import UNFINISHED, update_night_state
from store.scans.scans import FAILED_FROM, lock_scan, report_uncompared
from store.schema.tables import Job, Scan, UncomparedGround


def job_key(scan_id: int, step: str) -> str:
    """Unique key of a job that works on a scan."""
    return f"scan:{scan_id}:{step}"


def fail_scans(session: Session, dead: Iterable[Job], now: dt.datetime) -> None:
    """End the scans of jobs that became dead, each with the error of its job.

    Args:
        session: of the transaction in which they became dead; after that, as scans and then nights are locked here.
        dead: jobs of any kind.
        now: this moment.
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
    """Let the scan of a job that is revived go on where it was, unless another one of its jobs is still dead."""
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


def _has_dead_job(session: Session, scan: Scan, besides: Job) -> bool:
    key = job_key(scan.id, "")
    dead = select(Job.id).where(Job.state == "dead", Job.unique_key.startswith(key), Job.id != besides.id)
    return session.scalar(dead.limit(1)) is not None
