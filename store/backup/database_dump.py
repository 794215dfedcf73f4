"""The whole database as one file, and back: SQLite's own copy, or pg_dump's."""

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

_OURS = {*Base.metadata.tables, "alembic_version"}
"""Others in the same database, like QGIS' styles of layers, are nothing of the service's."""


def tables(database: Database) -> tuple[str, ...]:
    """Return the names of the service's tables; none where there is no SQLite file, and none is made."""
    if database.sqlite and not _path(database).exists():
        return ()
    database.check()
    return tuple(sorted(set(inspect(database.engine).get_table_names()) & _OURS))


def check_tools(database: Database) -> None:
    """See that the programs are there that save and load, and that the server answers.

    Raises:
        SettingsError: they are not, or it does not.
    """
    if not database.sqlite:
        database.check()
        for program in ("pg_dump", "pg_restore"):
            _find(program)


def dump_database(database: Database, to: Path) -> None:
    """Write what the database holds at one moment into a file. Others may go on writing meanwhile.

    Raises:
        SettingsError: pg_dump is missing or of another version than the server.
        OutputError: the file cannot be written.
    """
    if database.sqlite:
        _save_sqlite(_path(database), to)
        return
    schema = inspect(database.engine).default_schema_name
    wanted = [f'--table="{schema}"."{name}"' for name in tables(database)]
    # tables alone: whether this user may make PostGIS again in another database is another question
    _call(database, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={to}", *wanted)


def restore_database(database: Database, file: Path, *, replace: bool, kept: tuple[str, ...]) -> None:
    """Make the database what a file says, whole or not at all.

    Args:
        database: an empty one, or one that nobody uses now.
        file: of :func:`dump_database`; on SQLite it is moved.
        replace: whether what the database holds goes.
        kept: names of the tables in the file.

    Raises:
        SettingsError: pg_restore is missing or fails; the database is as it was.
    """
    if database.sqlite:
        _load_sqlite(file, _path(database))
        return
    with database.engine.begin() as connection:
        ensure_postgis(connection)
    if replace:  # tables that the file does not have would stay, and stand in the way of the next migration
        with database.write() as session:
            for name in set(tables(database)) - set(kept):
                session.execute(text(f'DROP TABLE "{name}" CASCADE'))
    clean = ["--clean", "--if-exists"] if replace else []
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", *clean]
    _call(database, "pg_restore", *options, str(file))


def _path(database: Database) -> Path:
    return Path(str(database.engine.url.database))


def _save_sqlite(path: Path, to: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
            (sound,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise OutputError(f"The database {path} cannot be copied to {to.parent}: {error}.") from error
    if sound != "ok":
        raise OutputError(f"The database {path} is damaged ({sound}); nothing was kept. Restore an earlier backup.")


def _load_sqlite(file: Path, path: Path) -> None:
    create_folder(path.parent)
    half = path.with_name(f".{path.name}.part")
    shutil.move(file, half)
    fsync_path(half)
    for beside in ("-wal", "-shm"):  # of the old database; the new one must not be read with them
        path.with_name(path.name + beside).unlink(missing_ok=True)
    half.replace(path)
    fsync_path(path.parent)


def _call(database: Database, program: str, *arguments: str) -> None:
    url = database.engine.url
    # not on the command line, where every user of the machine sees it
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    address = url._replace(drivername="postgresql", password=None).render_as_string(hide_password=False)
    done = subprocess.run(
        [_find(program), "--no-password", f"--dbname={address}", *arguments],
        env=os.environ | {"PGCONNECT_TIMEOUT": "10", "LC_ALL": "C.UTF-8"} | password,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join(line.strip() for line in done.stderr.splitlines()[:3])
        raise SettingsError(f"{program} failed: {said or f'exit code {done.returncode}'}")


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise SettingsError(
            f"{program} is not there; install PostgreSQL's client programs (the package postgresql-client), of the "
            "server's version or newer."
        )
    return found
