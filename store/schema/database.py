"""The database: SQLite in a file, or PostgreSQL with PostGIS."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session, sessionmaker

import store.schema.alert_revision as _stamps  # noqa: F401  (every process that writes alerts raises their revision)
from errors import SettingsError

__all__ = ["BUSY_SECONDS", "Database", "Session", "after_commit"]

BUSY_SECONDS = 60
"""How long a writer waits for another one on SQLite."""


class Database:
    """Connections to one database. Made once for each process, after the fork.

    A transaction is ``with database.write() as session`` (or ``read``): committed at its end, rolled back on an error.
    On SQLite, ``write`` begins with the lock that lets one writer in at a time, so that two never deadlock.
    """

    def __init__(self, url: str, echo: bool = False) -> None:
        """Make the engine; nothing is connected yet. ``url`` as in ``configs/service.yaml``.

        Raises:
            SettingsError: the address cannot be understood.
        """
        self.url = url
        self.sqlite = url.startswith("sqlite")
        arguments: dict[str, Any] = {"timeout": BUSY_SECONDS} if self.sqlite else {"connect_timeout": 10}
        try:
            self.engine: Engine = create_engine(url, echo=echo, pool_pre_ping=not self.sqlite, connect_args=arguments)
        except (ArgumentError, ValueError) as error:  # the message must not show a password
            raise SettingsError(
                "The address of the database cannot be understood; expected sqlite:///PATH or "
                "postgresql+psycopg://user:password@host:port/name, special characters of the password as %XX."
            ) from error
        if self.sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes."""
        with self._sessions() as session:
            if self.sqlite:
                session.connection(execution_options={"tuban_write": True})
            with session.begin() if not session.in_transaction() else session.get_transaction():  # type: ignore[union-attr]
                yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads one state of things; what it changes is not kept."""
        with self._sessions() as session:
            if not self.sqlite:  # PostgreSQL's default lets each query see another state
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    def check(self) -> None:
        """Connect once. Waits for nobody who writes.

        Raises:
            SettingsError: nothing answers there, or it is no database.
        """
        try:
            with self.engine.connect():
                pass
        except DBAPIError as error:
            shown = self.engine.url.render_as_string(hide_password=True)
            cause = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
            raise SettingsError(f"The database {shown} cannot be reached: {cause}.") from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def after_commit(session: Session, action: Callable[[Session], None]) -> None:
    """Call ``action`` once when the open transaction of ``session`` has been committed; never if it is rolled back."""
    event.listen(session, "after_commit", action, once=True)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # the driver's own transactions are off: BEGIN is ours, so that a writer can say IMMEDIATE
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    _keep_a_write_ahead_log(cursor)
    cursor.close()


def _keep_a_write_ahead_log(cursor: Any) -> None:
    """Kept in the file, so it is set once. SQLite does not wait for others with that, as it does with all else."""
    latest = time.monotonic() + BUSY_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > latest:
                raise
            time.sleep(0.05)


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get("tuban_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
