"""The database: SQLite in a file, or PostgreSQL with PostGIS."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, delete, event, insert, table, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

import store.schema.alert_revision as _stamps  # noqa: F401  (every process that writes alerts raises their revision)
from errors import SettingsError
from store.schema.postgresql_connection import (
    BEGIN,
    CONNECT_ARGUMENTS,
    AnsweredConnection,
)

__all__ = ["BUSY_SECONDS", "Database", "Session", "after_commit"]

# SQLAlchemy 2.1 makes a class of each kind of statement on first use. Of two threads that do so at the same moment, one
# sees it unfinished, and the process never caches such statements again: here, there is one thread.
for _kind in (insert, update, delete, postgresql.insert, sqlite.insert):
    _kind(table("unused"))._annotate({})

BUSY_SECONDS = 60
"""How long a writer waits for the lock of another one on SQLite."""


class Database:
    """Connections to one database. Create one per process, after the fork.

    A transaction is ``with database.write() as session`` (or ``read``): committed at its end, rolled back on an error.
    On SQLite, ``write`` takes the write lock at its beginning, so that two writers never deadlock. The threads of a
    process wait for each other before they take a connection: SQLite's own waiting polls, and may pass one thread over
    for long. On PostgreSQL, one message to the server begins a transaction and sets its limits, and also finds out
    whether the server has closed the connection, which is then replaced.

    Attributes:
        publish: called with the session of a write transaction after its commit, if set; the process's context sends
            the jobs that the transaction added to the workers.
    """

    def __init__(self, url: str, echo: bool = False) -> None:
        """Create the engine without connecting. ``url`` as in ``configs/service.yaml``.

        Raises:
            SettingsError: the URL is invalid.
        """
        self.url = url
        self.sqlite = url.startswith("sqlite")
        arguments: dict[str, Any] = {"timeout": BUSY_SECONDS} if self.sqlite else CONNECT_ARGUMENTS
        try:
            # on PostgreSQL the driver would send a BEGIN of its own; _begin_postgresql does
            driver = {} if self.sqlite else {"isolation_level": "AUTOCOMMIT"}
            self.engine: Engine = create_engine(url, echo=echo, connect_args=arguments, **driver)
        except (ArgumentError, ValueError) as error:  # the message must not contain a password
            raise SettingsError(
                "The database URL is invalid; expected sqlite:///PATH or "
                "postgresql+psycopg://user:password@host:port/name, with special characters of the password as %XX."
            ) from error
        if self.sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "do_connect", _connect_postgresql)
            event.listen(self.engine, "begin", _begin_postgresql)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._writer = threading.Lock()
        self.publish: Callable[[Session], None] | None = None

    @contextmanager
    def write(self, *, publish: bool = True) -> Iterator[Session]:
        """Open a write transaction.

        Args:
            publish: send the jobs that it adds to the workers after the commit.

        Raises:
            OperationalError: on SQLite, another writer did not finish within :data:`BUSY_SECONDS`.
        """
        with self._only_writer(), self._sessions() as session:
            self._begin(session, "write")
            with session.get_transaction():  # type: ignore[union-attr]
                yield session
        if publish and self.publish is not None:
            self.publish(session)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a read transaction on one snapshot; its changes are not committed."""
        with self._sessions() as session:
            self._begin(session, "read")
            yield session

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        if not self.sqlite:
            yield
            return
        if not self._writer.acquire(timeout=BUSY_SECONDS):
            raise OperationalError("BEGIN IMMEDIATE", None, sqlite3.OperationalError("database is locked"))
        try:
            yield
        finally:
            self._writer.release()

    def _begin(self, session: Session, kind: str) -> None:
        """Begin the transaction of a session: ``read`` or ``write``."""
        if self.sqlite:
            session.connection(execution_options={"tuban_write": kind == "write"})
            return
        options = {"tuban_begin": BEGIN[kind]}
        try:
            session.connection(execution_options=options)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            session.rollback()
            session.connection(execution_options=options)  # a new one: all that are older are replaced

    def check(self) -> None:
        """Connect once, without waiting for writers.

        Raises:
            SettingsError: the database is unreachable, or the file is not a database.
        """
        try:
            with self.engine.connect():
                pass
        except DBAPIError as error:
            url = self.engine.url.render_as_string(hide_password=True)
            cause = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
            raise SettingsError(
                f"The database {url} cannot be reached: {cause}.", "setup.database", url=str(url), cause=str(cause)
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def after_commit(session: Session, action: Callable[[Session], None]) -> None:
    """Call ``action`` once after the open transaction of ``session`` commits; never if it is rolled back."""
    event.listen(session, "after_commit", action, once=True)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # the driver's implicit transactions are off, so that _begin_sqlite can use BEGIN IMMEDIATE for writers
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    _enable_wal(cursor)
    cursor.close()


def _enable_wal(cursor: Any) -> None:
    """Switch to a write-ahead log; the mode persists in the file. SQLite's busy timeout does not cover the switch."""
    deadline = time.monotonic() + BUSY_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _connect_postgresql(
    _dialect: Any, _record: Any, arguments: tuple[Any, ...], named: dict[str, Any]
) -> AnsweredConnection:
    return AnsweredConnection.connect(*arguments, **named)


def _begin_postgresql(connection: Any) -> None:
    options = connection.get_execution_options()
    if "isolation_level" not in options:  # otherwise the caller wants no transaction, or the driver begins it
        connection.exec_driver_sql(options.get("tuban_begin", "BEGIN"))


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get("tuban_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
