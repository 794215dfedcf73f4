"""When the weekly audit is due, and its job, added without importing what does it."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from configs.service import WEEKDAYS, AuditSettings
from service.night_schedule import local_time_to_utc
from store.jobs.queue import add_job
from store.schema.database import Session


def audit_due(now: dt.datetime, settings: AuditSettings, zone: ZoneInfo) -> dt.date:
    """Return the local date of the last planned audit whose moment has come: less than eight days ago.

    One that was missed is due until the next one. Asked again it gives the same date again: who acts on it takes the
    date first (:func:`store.jobs.schedule_slots.take`).
    """
    today = now.astimezone(zone).date()
    day = today - dt.timedelta(days=(today.weekday() - WEEKDAYS.index(settings.weekday)) % 7)
    return day if local_time_to_utc(day, settings.at, zone) <= now else day - dt.timedelta(days=7)


def add_audit_job(session: Session, day: dt.date, now: dt.datetime) -> int | None:
    """Have the logs of all alerts verified, once for each planned date."""
    key = f"alerts:audit:{day}"
    return add_job(session, kind="alerts.audit", queue="ingest", payload={}, unique_key=key, now=now)
