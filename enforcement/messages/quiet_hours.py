"""Quiet hours: local times within which nothing is sent."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo


def quiet_until(now: dt.datetime, start: str, end: str, zone: ZoneInfo) -> dt.datetime | None:
    """Return when the quiet hours that include ``now`` end; None: it is not within them.

    Args:
        now: current time, aware.
        start: local time like ``22:00``, or "" for no quiet hours.
        end: local time like ``07:00``; may be on the next day.
        zone: of both.
    """
    if not start or not end or start == end:
        return None
    local = now.astimezone(zone)
    begins, ends = dt.time.fromisoformat(start), dt.time.fromisoformat(end)
    time = local.time()
    quiet = begins <= time < ends if begins < ends else time >= begins or time < ends
    if not quiet:
        return None
    day = local.date() + dt.timedelta(days=1) if time >= ends else local.date()
    return dt.datetime.combine(day, ends, tzinfo=zone).astimezone(dt.UTC)
