"""The jobs of one batch, worked off in this process; workers that run elsewhere may help."""

from __future__ import annotations

import time
from collections.abc import Callable

from service.context import Context
from store.jobs.recovery import due_jobs
from store.scenes.batches import BatchReport, batch_report, count_files, unfinished_jobs
from workers.runtime.job_runner import run_job

PAUSE_SECONDS = 0.5
"""Between two looks at jobs that are another worker's, or not yet due."""

Told = Callable[[int, int], None]
"""Called after each job with how many files have their outcome, and how many there are."""


def run_batch(
    context: Context, batch_id: int, told: Told | None = None, pause: Callable[[float], None] = time.sleep
) -> BatchReport:
    """Work until each file of a batch has its outcome, or its job is dead.

    Args:
        context: of this process.
        batch_id: which batch.
        told: is told how far it is.
        pause: waits for so many seconds.

    Returns:
        how the batch stands at the end.
    """
    while True:
        with context.database.read() as session:
            jobs = [job.id for job in unfinished_jobs(session, batch_id) if job.state != "dead"]
        if not jobs:
            return _report(context, batch_id)
        outcomes = []
        for job_id in jobs:
            outcomes.append(run_job(context, job_id))
            if told is not None:
                told(*_counted(context, batch_id))
        if set(outcomes) <= {"not to be had", "lost", "waiting"}:
            _bury_the_dead(context)
            pause(PAUSE_SECONDS)


def _bury_the_dead(context: Context) -> None:
    """Where no service runs, nobody else finds jobs whose last attempt was killed."""
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


def _counted(context: Context, batch_id: int) -> tuple[int, int]:
    with context.database.read() as session:
        counts = count_files(session, [batch_id])[batch_id]
    total = sum(counts.values())
    return total - counts.get("waiting", 0), total


def _report(context: Context, batch_id: int) -> BatchReport:
    with context.database.read() as session:
        report = batch_report(session, batch_id)
    assert report is not None
    return report
