"""Nightly job: check a part of the stored objects, all rows and all hash chains, and quarantine what is damaged."""

from __future__ import annotations

import structlog

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind, ReleaseJob
from store.integrity.check import check_chains, check_objects, check_rows, record_check
from store.integrity.damage import Damage, last_check
from store.reports.report_rows import check_report_chains
from store.schema.database import Session

logger = structlog.get_logger("tuban.integrity")


def log_check(damaged: tuple[Damage, ...], problems: list[str], objects: int, size: int) -> None:
    """Log the result of a check; damage and problems are errors."""
    for damage in damaged:
        logger.error("an object is damaged", key=damage.key, fault=damage.fault, detail=damage.detail)
    for problem in problems:
        logger.error("stored data is damaged", problem=problem)
    logger.info("checked objects", objects=objects, bytes=size, damaged=len(damaged), problems=len(problems))


def check(context: Context, job: JobRun) -> Commit:
    """Check objects from where the last check ended, ``check.gib_per_night`` at most. Damage does not fail the job."""

    def progress(_: int) -> None:
        job.progress(0.5)
        if job.should_stop():
            raise ReleaseJob

    begun_at = context.clock()
    with context.database.read() as session:
        former = last_check(session)
        start = former.next_key if former is not None else ""
    limit = context.settings.check.gib_per_night * 2**30
    result = check_objects(context.database, context.objects, start=start, max_bytes=limit, progress=progress)
    problems = check_rows(context.database) + check_chains(context.database) + check_report_chains(context.database)
    log_check(result.damaged, problems, result.objects, result.size)

    def commit(session: Session) -> None:
        record_check(session, result, problems, origin="schedule", begun_at=begun_at, now=context.clock())

    return commit


JOB_KINDS = (JobKind("objects.check", "ingest", check),)
