"""Schedule of the nightly scan: one UTC time per local date, across daylight-saving changes."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo


def local_time_to_utc(day: dt.date, at: str, zone: ZoneInfo) -> dt.datetime:
    """Convert a local date and time to UTC.

    A local time skipped by daylight saving is read with the old offset, so it is delayed by the length of the gap; of
    a local time that occurs twice, the first is used.

    Args:
        day: local date.
        at: local time, like ``01:30``.
        zone: local time zone.
    """
    hour, minute = map(int, at.split(":"))
    return dt.datetime.combine(day, dt.time(hour, minute), tzinfo=zone).astimezone(dt.UTC)


def night_due(now: dt.datetime, at: str, zone: ZoneInfo, catch_up_hours: float) -> dt.date | None:
    """Return the local date of the most recent night; None: it was due more than ``catch_up_hours`` ago.

    The function has no state: callers claim the date before they act on it
    (:func:`store.jobs.schedule_slots.claim_slot`).
    """
    day = now.astimezone(zone).date()
    if local_time_to_utc(day, at, zone) > now:
        day -= dt.timedelta(days=1)
    delay = now - local_time_to_utc(day, at, zone)
    return day if delay <= dt.timedelta(hours=catch_up_hours) else None
