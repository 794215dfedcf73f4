"""Job time: a clock for leases, heartbeats and retry delays that is never set back.

When the system's clock is set back, rows with times of the hour that is repeated would have to wait until it has passed
again: a job due at once would not be claimed, and the lease of a dead worker would not expire. Job time is the system's
time plus an offset that grows by each such step. Offset and latest job time are rows of ``counters``. Heartbeats keep
them current, so a step is noticed within seconds. The functions of this room and edit locks take the
current time and convert it; other times of rows (created, started, finished) are the system's.
"""

from __future__ import annotations

import datetime as dt
import time
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from store.schema.counters import lock_counter
from store.schema.database import after_commit
from store.schema.insert import insert_new
from store.schema.tables import Counter

TOLERANCE = dt.timedelta(seconds=5)
"""Smaller steps back are ordinary corrections of a clock; job time stands still meanwhile."""

RECORDED_EVERY = dt.timedelta(seconds=5)
"""The latest job time is recorded this often at most, because each record locks a row."""

READ_EVERY = 1.0
"""Seconds for which a process keeps what it has read: a thousand workers ask for the time with each claim."""

_OFFSET = "job clock: offset in microseconds"
_LATEST = "job clock: latest time in microseconds"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_CACHED = "tuban_job_clock"
_READ = select(Counter.__table__.c.name, Counter.__table__.c.value).where(
    Counter.__table__.c.name.in_((_OFFSET, _LATEST))
)

_recent: WeakKeyDictionary[Engine, tuple[float, tuple[dt.timedelta, dt.datetime]]] = WeakKeyDictionary()
"""Engine → monotonic time of the last reading, and what was read."""

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

    Nobody waits for the rows: of a thousand workers that find the latest time outdated at the same moment, one records
    it. A worker that waited would compare its ``now`` with later times, and take the difference for a clock set back.

    Args:
        session: a write transaction.
        now: current time of the system, aware.
    """
    offset, latest = _read(session)
    if _is_current(now + offset, latest):
        return max(now + offset, latest)
    latest_row = _lock_latest(session, exists=latest > _EPOCH)
    if latest_row is None:
        return max(now + offset, latest)
    offset_row = lock_counter(session, _OFFSET)  # only locked together with the other one
    offset, latest = offset_row.value * _MICROSECOND, _EPOCH + latest_row.value * _MICROSECOND
    if not _is_current(now + offset, latest):
        if now + offset < latest - TOLERANCE:
            step = latest - (now + offset)
            logger.warning("the clock was set back; leases and retries continue", seconds=round(step.total_seconds()))
            offset_row.value += step // _MICROSECOND
            offset += step
        latest = max(now + offset, latest)
        latest_row.value = (latest - _EPOCH) // _MICROSECOND
        session.flush()
        after_commit(session, _forget)
    session.info[_CACHED] = offset, latest
    return max(now + offset, latest)


def _forget(session: Session) -> None:
    _recent.pop(session.get_bind().engine, None)


def _is_current(at: dt.datetime, latest: dt.datetime) -> bool:
    """Return whether job time passes normally and its record is recent."""
    return latest - TOLERANCE <= at < latest + RECORDED_EVERY


def _lock_latest(session: Session, exists: bool) -> Counter | None:
    """Lock the record of the latest job time; None: another transaction has locked it, to record it now."""
    if not exists and insert_new(session, Counter, {"name": _LATEST, "value": 0}, Counter.name) is None:
        return None
    query = select(Counter).where(Counter.name == _LATEST).with_for_update(skip_locked=True)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def _read(session: Session) -> tuple[dt.timedelta, dt.datetime]:
    """Return the offset and the latest job time, read once per transaction, and once a second by a process.

    In this second, another process may have noticed a step back: job time then stands still in this process, so that
    leases end a few seconds early.
    """
    cached: tuple[dt.timedelta, dt.datetime] | None = session.info.get(_CACHED)
    if cached is not None:
        return cached
    engine = session.get_bind().engine
    recent = _recent.get(engine)
    if recent is not None and time.monotonic() < recent[0] + READ_EVERY:
        return recent[1]
    values: dict[str, int] = {row[0]: row[1] for row in session.execute(_READ)}
    found = values.get(_OFFSET, 0) * _MICROSECOND, _EPOCH + values.get(_LATEST, 0) * _MICROSECOND
    session.info[_CACHED] = found
    _recent[engine] = time.monotonic(), found
    return found
