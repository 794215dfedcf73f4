"""Job time: a clock for leases, heartbeats and retry delays that is never set back.

When the system's clock is set back, rows with times of the hour that is repeated would have to wait until it has passed
again: a job due at once would not be claimed, and the lease of a dead worker would not expire. Job time is the system's
time plus an offset that grows by each such step. Offset and latest job time are rows of ``counters``. Heartbeats keep
them current, so a step is noticed within seconds. The functions of this room and edit locks take the
current time and convert it; other times of rows (created, started, finished) are the system's.
"""

from __future__ import annotations

import datetime as dt

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.schema.counters import lock_counter
from store.schema.tables import Counter

TOLERANCE = dt.timedelta(seconds=5)
"""Smaller steps back are ordinary corrections of a clock; job time stands still meanwhile."""

RECORDED_EVERY = dt.timedelta(seconds=5)
"""The latest job time is recorded this often at most, because each record locks a row."""

_OFFSET = "job clock: offset in microseconds"
_LATEST = "job clock: latest time in microseconds"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_CACHED = "tuban_job_clock"

logger = structlog.get_logger("tuban.jobs")


def job_time(session: Session, now: dt.datetime) -> dt.datetime:
    """Return the current job time.

    Args:
        session: any transaction.
        now: current time of the system, aware.
    """
    offset, latest = _read(session)
    return max(now + offset, latest)


def shift_to_job_time(session: Session, moment: dt.datetime) -> dt.datetime:
    """Return the job time of a recent moment before now."""
    return moment + _read(session)[0]


def advance(session: Session, now: dt.datetime) -> dt.datetime:
    """Return the current job time and record it; if the clock was set back, the offset grows.

    Args:
        session: a write transaction.
        now: current time of the system, aware.
    """
    offset, latest = _read(session)
    if latest - TOLERANCE <= now + offset < latest + RECORDED_EVERY:
        return max(now + offset, latest)
    offset_row, latest_row = lock_counter(session, _OFFSET), lock_counter(session, _LATEST)
    offset, latest = offset_row.value * _MICROSECOND, _EPOCH + latest_row.value * _MICROSECOND
    if now + offset < latest - TOLERANCE:
        step = latest - (now + offset)
        logger.warning("the clock was set back; leases and retries continue", seconds=round(step.total_seconds()))
        offset_row.value += step // _MICROSECOND
        offset += step
    latest = max(now + offset, latest)
    latest_row.value = (latest - _EPOCH) // _MICROSECOND
    session.flush()
    session.info[_CACHED] = offset, latest
    return latest


def _read(session: Session) -> tuple[dt.timedelta, dt.datetime]:
    """Return the offset and the latest job time, read once per transaction."""
    cached: tuple[dt.timedelta, dt.datetime] | None = session.info.get(_CACHED)
    if cached is not None:
        return cached
    rows = session.execute(select(Counter.name, Counter.value).where(Counter.name.in_((_OFFSET, _LATEST))))
    values = {name: value for name, value in rows}  # noqa: C416  (rows are no pairs to a type checker)
    found = values.get(_OFFSET, 0) * _MICROSECOND, _EPOCH + values.get(_LATEST, 0) * _MICROSECOND
    session.info[_CACHED] = found
    return found
