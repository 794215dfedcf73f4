"""Run the jobs of one batch in this process; workers elsewhere may run some of them concurrently."""

from __future__ import annotations

import time
from collections.abc import Callable

from service.context import Context
from store.jobs.recovery import due_jobs
from store.scenes.batches import BatchReport, batch_report, count_files, unfinished_jobs
from workers.runtime.job_runner import run_job

PAUSE_SECONDS = 0.5
"""Polling interval while the remaining jobs belong to other workers or are not yet due."""

Progress = Callable[[int, int], None]
"""Called after each job with the number of files that have an outcome, and the number of all files."""


def run_batch(
    context: Context, batch_id: int, progress: Progress | None = None, sleep: Callable[[float], None] = time.sleep
) -> BatchReport:
    """Run jobs until every file of a batch has an outcome or its job is dead.

    Args:
        context: of this process.
        batch_id: the batch.
        progress: called after each job.
        sleep: waits for the given number of seconds.

    Returns:
        The final report of the batch.
    """
    while True:
        with context.database.read() as session:
            jobs = [job.id for job in unfinished_jobs(session, batch_id) if job.state != "dead"]
        if not jobs:
            return _report(context, batch_id)
        outcomes = []
        for job_id in jobs:
            outcomes.append(run_job(context, job_id))
            if progress is not None:
                progress(*_count_files(context, batch_id))
        if set(outcomes) <= {"unavailable", "lost", "waiting"}:
            _expire_leases(context)
            sleep(PAUSE_SECONDS)


def _expire_leases(context: Context) -> None:
    """Mark jobs dead whose last attempt was killed; without a running service there is no reaper to do so."""
    settings = context.settings
    with context.database.write() as session:
        due_jobs(
            session,
            context.clock(),
            republish_seconds=0.0,
            limit=0,
            max_attempts=settings.jobs.attempts,
            time_limits={"ingest": settings.limits.ingest_minutes},
            lease_seconds=settings.jobs.lease_seconds,
        )


def _count_files(context: Context, batch_id: int) -> tuple[int, int]:
    """Return the number of files with an outcome, and of all files."""
    with context.database.read() as session:
        counts = count_files(session, [batch_id])[batch_id]
    total = sum(counts.values())
    return total - counts.get("waiting", 0), total


def _report(context: Context, batch_id: int) -> BatchReport:
    with context.database.read() as session:
        report = batch_report(session, batch_id)
    assert report is not None
    return report
