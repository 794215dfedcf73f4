"""Job of reports: plan them by the schedule, fill those whose period has ended, tell of missing ones."""

from __future__ import annotations

import structlog

from enforcement.typesetting.errors import MissingGlyphError
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from service.reports.files import store_missing_files
from service.reports.schedule import HOURLY
from store.reports.planning import fill_ended, plan_reports
from store.reports.report_messages import write_report_messages
from store.reports.report_rows import reports_without_files
from store.schema.database import Session

MAX_FILES = 20
"""Most reports whose files one job writes."""

logger = structlog.get_logger("tuban.reports")


def hour(context: Context, job: JobRun) -> Commit:
    """Plan and fill reports; written in one transaction, so that summaries agree with what they sum up.

    Files of submitted reports that are missing, because a process ended before they were kept, are kept first.
    """
    with context.database.read() as session:
        without_files = reports_without_files(session, MAX_FILES)
    for report_id in without_files:
        try:
            store_missing_files(context, report_id)
        except MissingGlyphError as error:  # of one report, which must not stop the others
            logger.error("report without files", report=report_id, error=str(error))

    def commit(session: Session) -> None:
        now, zone = context.clock(), context.settings.zone
        planned = plan_reports(session, now, zone)
        filled = fill_ended(session, now, zone)
        counts = write_report_messages(session, now)
        if planned or filled or any(counts.values()):
            logger.info("reports planned and filled", planned=planned, filled=filled, **counts)

    return commit


JOB_KINDS = (JobKind(HOURLY, "deliver", hour),)
"""Kinds of jobs of this module."""
