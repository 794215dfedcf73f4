"""Move a service to another database and object store: from SQLite and files to PostgreSQL and S3, or back.

Objects are copied first and verified by their checksums, so an interrupted move resumes with those that are missing.
Rows are copied in one transaction, which is committed only after every row was compared and every log of an alert
verified in the new database. The source is not changed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Table, func, insert, null, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from errors import SettingsError
from store.alerts.audit import Audit, audit_alerts
from store.backup.backup import check_service_stopped
from store.backup.database_dump import tables
from store.objects.object_store import ObjectNotFound, ObjectStore
from store.schema.database import Database
from store.schema.migrate import check_current, upgrade
from store.schema.tables import Base

ROWS_AT_ONCE = 500

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class MoveSummary:
    """What was moved.

    Attributes:
        rows: number of rows of each table.
        objects: number of objects in the new store.
        copied: how many of them were copied now; the others were there already.
        alerts: number of alerts whose logs were verified in the new database.
        transitions: number of verified transitions.
    """

    rows: dict[str, int]
    objects: int
    copied: int
    alerts: int
    transitions: int


def move(
    source: Database,
    source_objects: ObjectStore,
    target: Database,
    target_objects: ObjectStore,
    *,
    now: dt.datetime,
    progress: Progress = lambda _part, _fraction: None,
) -> MoveSummary:
    """Copy everything from one database and object store to others.

    Args:
        source: a database with the schema of this version, which no process uses.
        source_objects: its object store.
        target: an empty database.
        target_objects: may be the same store; objects that are there already are verified and kept.
        now: current time.
        progress: called with the name of the current part and the fraction of it completed.

    Raises:
        SettingsError: the source is outdated or in use, the target is not empty, or the copy differs from the source;
            the target database then has no rows.
        OutputError: an object cannot be written.
    """
    check_current(source)
    check_service_stopped(source, now)
    _check_empty(target)
    target_objects.check()
    objects, copied = _copy_objects(source_objects, target_objects, progress)
    upgrade(target)
    try:
        rows, audit = _copy_rows(source, target, progress)
    except DBAPIError as error:
        cause = str(error.orig).strip().splitlines()[0]
        raise SettingsError(
            f"The rows cannot be written to the new database: {cause}. It is empty as before."
        ) from error
    return MoveSummary(rows, objects, copied, audit.alerts, audit.transitions)


def _check_empty(database: Database) -> None:
    """Raise SettingsError if any table of the database has a row."""
    existing = set(tables(database)) & set(Base.metadata.tables)
    if not existing:  # connecting would create a missing SQLite file
        return
    with database.engine.connect() as connection:
        for name in sorted(existing):
            if connection.execute(select(1).select_from(Base.metadata.tables[name]).limit(1)).first() is not None:
                url = database.engine.url.render_as_string(hide_password=True)
                raise SettingsError(
                    f"The database {url} is not empty: its table {name} has rows. Set TUBAN_DATABASE to an empty "
                    "database, or move the SQLite file away."
                )


def _copy_objects(source: ObjectStore, target: ObjectStore, progress: Progress) -> tuple[int, int]:
    """Copy missing and different objects, and compare their checksums; return the numbers of all and of copied ones."""
    keys = list(source.keys(""))
    copied = 0
    for done, key in enumerate(keys, 1):
        try:
            with source.local(key) as path:
                digest = source.digest(key)
                if not _has(target, key, digest):
                    target.put(key, path)
                    copied += 1
                    if target.digest(key) != digest:
                        raise SettingsError(
                            f"The object {key} was not copied correctly; check both object stores, and repeat the move."
                        )
        except ObjectNotFound as error:
            raise SettingsError(f"The object {key} disappeared during the move; is a process still running?") from error
        progress("Copying objects", done / len(keys))
    return len(keys), copied


def _has(target: ObjectStore, key: str, digest: str) -> bool:
    try:
        return target.digest(key) == digest
    except ObjectNotFound:
        return False


def _copy_rows(source: Database, target: Database, progress: Progress) -> tuple[dict[str, int], Audit]:
    counts: dict[str, int] = {}
    ordered = Base.metadata.sorted_tables
    with source.read() as old, target.write() as new:
        for done, table in enumerate(ordered, 1):
            counts[table.name] = _copy_table(old, new, table)
            progress("Copying rows", done / len(ordered))
        new.flush()
        for done, table in enumerate(ordered, 1):
            _compare(old, new, table)
            progress("Comparing rows", done / len(ordered))
        before, after = audit_alerts(_Open(old)), audit_alerts(_Open(new))
        if before != after:
            raise SettingsError(
                "The logs of alerts differ between the two databases; nothing was written. Repeat the move."
            )
        if not target.sqlite:
            _continue_sequences(new, ordered)
    return counts, after


def _copy_table(old: Session, new: Session, table: Table) -> int:
    """Copy all rows. References of a table to itself are written afterwards, because rows may refer to later ones."""
    own = [column for column in table.columns if any(key.column.table is table for key in column.foreign_keys)]
    nullable = [column.name for column in table.columns if isinstance(column.type, JSON) and column.nullable]
    count, deferred = 0, []
    for rows in _pages(old, table):
        values = [dict(row._mapping) for row in rows]
        for row in values:
            if any(row[column.name] is not None for column in own):
                deferred.append({column.name: row[column.name] for column in (*table.primary_key, *own)})
                row |= {column.name: None for column in own}
            # None would be written as the JSON value null
            row |= {name: null() for name in nullable if row[name] is None}
        if nullable:  # SQL expressions among the values exclude one statement for many rows
            for row in values:
                new.execute(insert(table).values(row))
        else:
            new.execute(insert(table), values)
        count += len(values)
    for row in deferred:
        matching = [column == row[column.name] for column in table.primary_key]
        new.execute(update(table).where(*matching).values({column.name: row[column.name] for column in own}))
    return count


def _pages(session: Session, table: Table) -> Iterator[Sequence[Any]]:
    ordered = select(*table.columns).order_by(*table.primary_key).execution_options(yield_per=ROWS_AT_ONCE)
    yield from session.execute(ordered).partitions()


def _compare(old: Session, new: Session, table: Table) -> None:
    """Raise SettingsError unless all rows are equal, value by value."""
    sums = []
    for session in (old, new):
        digest, count = hashlib.sha256(), 0
        for rows in _pages(session, table):
            for row in rows:
                digest.update(repr([_plain(value) for value in row]).encode())
                count += 1
        sums.append((count, digest.hexdigest()))
    if sums[0] != sums[1]:
        raise SettingsError(
            f"The table {table.name} has {sums[0][0]} rows and its copy {sums[1][0]}, or their values differ; nothing "
            "was written. Repeat the move."
        )


def _plain(value: object) -> object:
    """Return a value whose representation is the same on both databases."""
    return value.wkb if hasattr(value, "wkb") else value


def _continue_sequences(session: Session, ordered: list[Table]) -> None:
    """Let the sequences of PostgreSQL continue after the highest id of each table."""
    for table in ordered:
        column = table.autoincrement_column
        if column is not None:
            highest = session.scalar(select(func.max(column)))
            name = session.scalar(text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": table.name, "c": column.name})
            if name and highest is not None:
                session.execute(text("SELECT setval(:name, :value)"), {"name": name, "value": highest})


class _Open:
    """An open transaction in place of a database, for functions that only read."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give the transaction."""
        yield self._session
