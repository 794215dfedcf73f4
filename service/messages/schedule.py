"""When the messages of a day are written, and the job that writes them."""

from __future__ import annotations

import datetime as dt

from configs.service import ServiceSettings
from service.night_schedule import night_due
from store.access.users import has_active_user
from store.chain_settings import read_chain_values
from store.jobs.queue import add_job
from store.schema.database import Session

DAILY = "deadlines.day"
"""Kind of the job of a day."""

CATCH_UP_HOURS = 20.0


def digest_due(session: Session, now: dt.datetime, settings: ServiceSettings) -> dt.date | None:
    """Return the local date whose messages are due.

    None: they are more than :data:`CATCH_UP_HOURS` late, or there is nobody to be told yet.
    """
    if not has_active_user(session):
        return None
    at = read_chain_values(session).text("messages.digest_at")
    return night_due(now, at, settings.zone, CATCH_UP_HOURS)


def add_daily_job(session: Session, day: dt.date, now: dt.datetime) -> int | None:
    """Add the job that escalates overdue alerts and writes the messages of a day; there is one per day."""
    payload = {"day": day.isoformat()}
    return add_job(session, kind=DAILY, queue="deliver", payload=payload, unique_key=f"{DAILY}:{day}", now=now)
