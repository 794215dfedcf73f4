"""The clock of a database server, which all machines of an installation share."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

import structlog
from sqlalchemy import text

from store.schema.database import Database
from store.schema.database_errors import DatabaseError

SYNCHRONIZED_EVERY = 60.0
RETRY_SECONDS = 10.0

logger = structlog.get_logger("tuban.clock")


def system_clock() -> dt.datetime:
    """Return the time of this machine, in UTC."""
    return dt.datetime.now(dt.UTC)


class DatabaseClock:
    """Time of the database server: read once a minute, continued by the monotonic clock in between.

    While the server is unreachable, the monotonic clock continues; before it was ever reached, this machine's clock is
    used. Not thread-safe by locks, and need not be: concurrent calls at most read the server's time twice.
    """

    def __init__(
        self,
        database: Database,
        seconds: Callable[[], float] = time.monotonic,
        fallback: Callable[[], dt.datetime] = system_clock,
    ) -> None:
        """Set the database, a monotonic clock and the clock until the server is reached, without connecting."""
        self._database = database
        self._seconds = seconds
        self._fallback = fallback
        self._reference: tuple[dt.datetime, float] | None = None
        self._due_at: float | None = None

    def __call__(self) -> dt.datetime:
        """Return the current time, in UTC."""
        if self._due_at is None or self._seconds() >= self._due_at:
            self._synchronize()
        if self._reference is None:
            return self._fallback()
        moment, at = self._reference
        return moment + dt.timedelta(seconds=self._seconds() - at)

    def _synchronize(self) -> None:
        started = self._seconds()
        try:
            with self._database.read() as session:
                moment: dt.datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        except DatabaseError as error:
            self._due_at = self._seconds() + RETRY_SECONDS
            logger.warning("the time of the database server is unknown", error=str(error).splitlines()[0])
            return
        ended = self._seconds()
        self._reference = moment.astimezone(dt.UTC), (started + ended) / 2
        self._due_at = ended + SYNCHRONIZED_EVERY
