"""Dump and restore of the database: SQLite's online backup, or pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import inspect, text

from errors import OutputError, SettingsError
from store.objects.folder import create_folder, fsync_path
from store.schema.database import Database
from store.schema.migrate import ensure_postgis
from store.schema.tables import Base

_SERVICE_TABLES = {*Base.metadata.tables, "alembic_version"}
"""Tables of the service. Others in the same database, such as QGIS layer styles, are left alone."""


def tables(database: Database) -> tuple[str, ...]:
    """Return the names of the service's existing tables, without creating a missing SQLite file."""
    if database.sqlite and not _path(database).exists():
        return ()
    database.check()
    return tuple(sorted(set(inspect(database.engine).get_table_names()) & _SERVICE_TABLES))


def check_tools(database: Database) -> None:
    """Check that pg_dump and pg_restore are installed and that the server is reachable.

    Raises:
        SettingsError: they are missing, or it is unreachable.
    """
    if not database.sqlite:
        database.check()
        for program in ("pg_dump", "pg_restore"):
            _find_program(program)


def dump_database(database: Database, to: Path) -> None:
    """Write a consistent snapshot of the database to a file while other transactions continue.

    Raises:
        SettingsError: pg_dump is missing or older than the server.
        OutputError: the file cannot be written.
    """
    if database.sqlite:
        _dump_sqlite(_path(database), to)
        return
    schema = inspect(database.engine).default_schema_name
    selection = [f'--table="{schema}"."{name}"' for name in tables(database)]
    # without extensions: restoring PostGIS would need special rights
    _run(database, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={to}", *selection)


def restore_database(database: Database, file: Path, *, replace: bool, dumped: tuple[str, ...]) -> None:
    """Restore the database from a dump, atomically.

    Args:
        database: an empty database, or one that no process is using.
        file: from :func:`dump_database`; for SQLite it is moved.
        replace: whether to replace existing tables.
        dumped: names of the tables in the dump.

    Raises:
        SettingsError: pg_restore is missing or fails; the database is unchanged.
    """
    if database.sqlite:
        _restore_sqlite(file, _path(database))
        return
    with database.engine.begin() as connection:
        ensure_postgis(connection)
    if replace:  # tables that are not in the dump would conflict with the next migration
        with database.write() as session:
            for name in set(tables(database)) - set(dumped):
                session.execute(text(f'DROP TABLE "{name}" CASCADE'))
    clean = ["--clean", "--if-exists"] if replace else []
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", *clean]
    _run(database, "pg_restore", *options, str(file))


def _path(database: Database) -> Path:
    return Path(str(database.engine.url.database))


def _dump_sqlite(path: Path, to: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # a single file without a write-ahead log
            (result,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise OutputError(f"The database {path} cannot be copied to {to.parent}: {error}.") from error
    if result != "ok":
        raise OutputError(
            f"The database {path} is damaged ({result}); no backup was created. Restore an earlier backup."
        )


def _restore_sqlite(file: Path, path: Path) -> None:
    create_folder(path.parent)
    partial = path.with_name(f".{path.name}.part")
    shutil.move(file, partial)
    fsync_path(partial)
    for suffix in ("-wal", "-shm"):  # files of the old database must not be applied to the new one
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    partial.replace(path)
    fsync_path(path.parent)


def _run(database: Database, program: str, *arguments: str) -> None:
    """Run a PostgreSQL client program on the database; SettingsError with its first messages if it fails."""
    url = database.engine.url
    # not on the command line, which is visible to every user of the machine
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    address = url._replace(drivername="postgresql", password=None).render_as_string(hide_password=False)
    result = subprocess.run(
        [_find_program(program), "--no-password", f"--dbname={address}", *arguments],
        env=os.environ | {"PGCONNECT_TIMEOUT": "10", "LC_ALL": "C.UTF-8"} | password,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        message = " ".join(line.strip() for line in result.stderr.splitlines()[:3])
        raise SettingsError(f"{program} failed: {message or f'exit code {result.returncode}'}")


def _find_program(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise SettingsError(
            f"{program} is not installed; install the PostgreSQL client programs (the package postgresql-client) of "
            "the server's version or newer."
        )
    return path
