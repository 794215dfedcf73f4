"""When cameras are captured: each planned local time of each day once, unless it is long past."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from service.night_schedule import local_time_to_utc


def capture_due(now: dt.datetime, times: Sequence[str], zone: ZoneInfo, late_minutes: float) -> str | None:
    """The planned moment that has come last, like ``2026-11-20T08:30``; None: it is past by more than allowed.

    Args:
        now: this moment.
        times: local times, like ``08:30``.
        zone: where.
        late_minutes: by how much a capture may be late.
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
    """The next planned moment; None: none is planned."""
    today = now.astimezone(zone).date()
    coming = [
        moment
        for day in (today, today + dt.timedelta(days=1))
        for time in times
        if (moment := local_time_to_utc(day, time, zone)) > now
    ]
    return min(coming, default=None)
