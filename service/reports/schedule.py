"""When reports are planned and filled: a job every hour, which also tells of missing ones."""

from __future__ import annotations

import datetime as dt

from store.access.users import has_active_user
from store.jobs.queue import add_job
from store.schema.database import Session

HOURLY = "reports.hour"
"""Kind of the job of an hour."""


def reports_due(session: Session, now: dt.datetime, zone: dt.tzinfo) -> str | None:
    """Return the hour whose job is due, as 2026-11-27T09; None: there is nobody who reports yet."""
    return f"{now.astimezone(zone):%Y-%m-%dT%H}" if has_active_user(session) else None


def add_reports_job(session: Session, hour: str, now: dt.datetime) -> int | None:
    """Add the job that plans and fills reports; there is one per hour."""
    return add_job(
        session, kind=HOURLY, queue="deliver", payload={"hour": hour}, unique_key=f"{HOURLY}:{hour}", now=now
    )
