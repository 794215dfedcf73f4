"""When the night is: one moment for each local date, whatever the clocks do."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo


def local_time_to_utc(day: dt.date, at: str, zone: ZoneInfo) -> dt.datetime:
    """Return the moment at which the night of a local date begins, in UTC.

    A local time that the clocks skip is taken as if they had not been changed yet, so it comes by as much later as
    they skip; of one that comes twice, the first is taken.

    Args:
        day: local date.
        at: local time, like ``01:30``.
        zone: where.
    """
    hour, minute = map(int, at.split(":"))
    return dt.datetime.combine(day, dt.time(hour, minute), tzinfo=zone).astimezone(dt.UTC)


def night_due(now: dt.datetime, at: str, zone: ZoneInfo, catch_up_hours: float) -> dt.date | None:
    """Return the local date of the last night that has begun; None: it began more than ``catch_up_hours`` ago.

    Asked again it gives the same date again: who acts on it takes the date first (:func:`store.jobs.schedule_slots.take`).
    """
    day = now.astimezone(zone).date()
    if local_time_to_utc(day, at, zone) > now:
        day -= dt.timedelta(days=1)
    missed_by = now - local_time_to_utc(day, at, zone)
    return day if missed_by <= dt.timedelta(hours=catch_up_hours) else None
