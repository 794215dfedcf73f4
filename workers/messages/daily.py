"""Jobs of deadlines: the messages and escalations of a day, and running deadlines after a change of the calendar."""

from __future__ import annotations

import datetime as dt

import structlog

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from service.messages.schedule import DAILY
from service.monitoring.problems import find_problems
from store.chain_settings import read_chain_values
from store.deadlines.alert_deadlines import recompute_deadlines
from store.deadlines.calendar import RECOMPUTE
from store.deadlines.daily_messages import write_daily_messages
from store.documents.reply_clock import write_reply_messages
from store.messages.recipients import People
from store.messages.sendings import people_with_messages
from store.messages.writing import add_collection, write_message
from store.schema.database import Session
from store.tips.reply_deadlines import recompute_reply_dates
from store.tips.tip_messages import write_overdue_tips

logger = structlog.get_logger("tuban.deadlines")


def day(context: Context, job: JobRun) -> Commit:
    """Escalate what is overdue, write the messages of the day, and let the digest of each person be collected."""
    today = dt.date.fromisoformat(job.payload["day"])
    failed = [problem for problem in find_problems(context) if problem.kind.startswith("night")]

    def commit(session: Session) -> None:
        now = context.clock()
        values = read_chain_values(session)
        counts = write_daily_messages(session, today, now, values, context.settings.zone)
        counts |= write_overdue_tips(session, People(session), today, now, values)
        counts["documents"] = write_reply_messages(session, today, now)
        for problem in failed:
            content = {"why": {"words": str(problem.reason), **problem.reason.to_json()}}
            event = f"{problem.kind}:{today}"
            write_message(
                session, People(session).calendar_editors(), "night_failed", event=event, now=now, content=content
            )
        for person_id in people_with_messages(session):
            add_collection(session, person_id, now, at=now, digest=True)
        logger.info("messages of the day written", day=today.isoformat(), **counts)

    return commit


def recompute(context: Context, job: JobRun) -> Commit:
    """Compute all running deadlines again after a change of the calendar, in one transaction."""
    who, year = str(job.payload["who"]), int(job.payload["year"])

    def commit(session: Session) -> None:
        moved = recompute_deadlines(
            session, context.settings.zone, kind="calendar", who=who, now=context.clock(), detail={"year": year}
        )
        tips = recompute_reply_dates(session, who=who, now=context.clock())
        logger.info("deadlines computed again", year=year, moved=moved, tips=tips)

    return commit


JOB_KINDS = (JobKind(DAILY, "deliver", day), JobKind(RECOMPUTE, "deliver", recompute))
