"""Schedule of camera captures: each planned local time once per day, within an allowed delay."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from service.night_schedule import local_time_to_utc


def capture_due(now: dt.datetime, times: Sequence[str], zone: ZoneInfo, late_minutes: float) -> str | None:
    """Return the most recent planned slot, like ``2026-11-20T08:30``; None: it is later than allowed.

    Args:
        now: current time.
        times: local times, like ``08:30``.
        zone: local time zone.
        late_minutes: how late a capture may be.
    """
    today = now.astimezone(zone).date()
    passed = [
        (moment, f"{day}T{time}")
        for day in (today - dt.timedelta(days=1), today)
        for time in times
        if (moment := local_time_to_utc(day, time, zone)) <= now
    ]
    if not passed:
        return None
    moment, slot = max(passed)
    return slot if now - moment <= dt.timedelta(minutes=late_minutes) else None


def next_capture(now: dt.datetime, times: Sequence[str], zone: ZoneInfo) -> dt.datetime | None:
    """Return the next planned time; None: none is planned."""
    today = now.astimezone(zone).date()
    upcoming = [
        moment
        for day in (today, today + dt.timedelta(days=1))
        for time in times
        if (moment := local_time_to_utc(day, time, zone)) > now
    ]
    return min(upcoming, default=None)
