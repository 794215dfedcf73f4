"""Schedule of the weekly audit, and its job; the job's handler is not imported."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from configs.service import WEEKDAYS, AuditSettings
from service.night_schedule import local_time_to_utc
from store.jobs.queue import add_job
from store.schema.database import Session


def audit_due(now: dt.datetime, settings: AuditSettings, zone: ZoneInfo) -> dt.date:
    """Return the local date of the most recent planned audit, which is less than eight days ago.

    A missed audit stays due until the next one. The function has no state: callers claim the date before they act
    on it (:func:`store.jobs.schedule_slots.claim_slot`).
    """
    today = now.astimezone(zone).date()
    day = today - dt.timedelta(days=(today.weekday() - WEEKDAYS.index(settings.weekday)) % 7)
    return day if local_time_to_utc(day, settings.at, zone) <= now else day - dt.timedelta(days=7)


def add_audit_job(session: Session, day: dt.date, now: dt.datetime) -> int | None:
    """Add a job that verifies the logs of all alerts; there is one per planned date."""
    key = f"alerts:audit:{day}"
    return add_job(session, kind="alerts.audit", queue="ingest", payload={}, unique_key=key, now=now)
