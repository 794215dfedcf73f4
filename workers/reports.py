"""Job of reports: plan them by the schedule, fill those whose period has ended, tell of missing ones."""

from __future__ import annotations

import structlog

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from service.reports.schedule import HOURLY
from store.reports.planning import fill_ended, plan_reports
from store.reports.report_messages import write_report_messages
from store.schema.database import Session

logger = structlog.get_logger("tuban.reports")


def hour(context: Context, job: JobRun) -> Commit:
    """Plan and fill reports; written in one transaction, so that summaries agree with what they sum up."""

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
