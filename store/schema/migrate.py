"""Upgrade and downgrade of the database schema.

Revisions are files in ``store/migrations/versions``. A migration is one transaction on both databases: it is applied
completely or not at all. A second process that migrates concurrently waits and then finds nothing to do.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, column, func, inspect, select, table, text
from sqlalchemy.exc import DBAPIError, SAWarning

from configs.secret_file import deny_others
from errors import SettingsError
from store.schema.database import Database
from store.schema.postgresql_connection import ANSWER_SECONDS

_OTHER_TABLES = {"spatial_ref_sys", "alembic_version"}
"""Tables of PostGIS and Alembic."""

_LOCK = 0x747562616E  # "tuban" in ASCII; advisory lock held during a migration


def upgrade(database: Database, to: str = "head") -> None:
    """Upgrade the schema to revision ``to``; a missing SQLite file is created.

    Raises:
        SettingsError: the database cannot be reached or written, lacks PostGIS, or holds tables of another program.
    """
    _create_folder(database)
    database.check()
    with _migration_transaction(database) as connection:
        if _revision(connection) is None and (found := _foreign_tables(connection)):
            raise SettingsError(
                f"The database {_display_url(database)} holds tables that Tuban's migrations did not create "
                f"({', '.join(found)}); set TUBAN_DATABASE to an empty database."
            )
        if not database.sqlite:
            ensure_postgis(connection)
        _run(connection, to, up=True)


def downgrade(database: Database, to: str, check_loss: Callable[[Mapping[str, int]], None] | None = None) -> None:
    """Downgrade the schema to revision ``to`` ("base" drops all tables with their rows).

    Args:
        database: the database.
        to: target revision.
        check_loss: called before the commit with what is deleted: the rows of each table (``cameras``), and the rows
            with a value in each column (``alerts.assignee``) of the other tables. If it raises, nothing is changed.

    Raises:
        SettingsError: the database cannot be reached or written.
    """
    database.check()
    with _migration_transaction(database) as connection:
        before = _columns(connection) if check_loss else {}
        counts = {name: _count_values(connection, name, columns) for name, columns in before.items()}
        _run(connection, to, up=False)
        if check_loss:
            after = _columns(connection)
            check_loss({name: rows for name, rows in _lost(counts, after).items() if rows})


def current_revision(database: Database) -> str | None:
    """Return the revision of the database; None if it was never migrated."""
    with database.engine.connect() as connection:
        return _revision(connection)


def head_revision() -> str:
    """Return the revision that this version of the program needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def is_known_revision(revision: str) -> bool:
    """Return whether this version of the program has the revision."""
    return revision in _known_revisions()


def ensure_postgis(connection: Connection) -> None:
    """Create the PostGIS extension unless it exists.

    Raises:
        SettingsError: the extension is missing and cannot be created; the message says what to install or run.
    """
    if connection.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'postgis'")):
        return
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE EXTENSION postgis"))
    except DBAPIError as error:
        url = connection.engine.url
        raise SettingsError(
            f"The database {url.database} has no PostGIS ({str(error.orig).strip().splitlines()[0]}). Install PostGIS "
            f"on the server (the package postgresql-…-postgis-3), then let a superuser run: "
            f"psql -d {url.database} -c 'CREATE EXTENSION postgis'"
        ) from error


def check_current(database: Database) -> None:
    """Check that the schema has the revision that this program needs.

    Raises:
        SettingsError: it has another one, or the database is unreachable; the message says what to do.
    """
    url = _display_url(database)
    found = None
    if not _is_missing_file(database):  # connecting would create an empty file
        database.check()
        found = current_revision(database)
    if found == head_revision():
        return
    if found is None:
        raise SettingsError(
            f"The database {url} has no tables of Tuban yet; `tuban up` or `tuban migrate` creates them.",
            "setup.no_tables",
            url=str(url),
        )
    if not is_known_revision(found):
        raise SettingsError(
            f"The database {url} is at revision {found}, which this version of Tuban does not know (it needs "
            f"{head_revision()}); install the version that migrated it, or a newer one.",
            "setup.newer",
            url=str(url),
            found=str(found),
        )
    raise SettingsError(
        f"The database {url} is at revision {found}, and this version of Tuban needs {head_revision()}; "
        "make a backup, then run `tuban up` or `tuban migrate`.",
        "setup.older",
        url=str(url),
        found=str(found),
        needed=str(head_revision()),
    )


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    # ConfigParser would interpolate a %
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _columns(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return the columns of each table of the default schema, in their order."""
    inspector = inspect(connection)
    names = set(inspector.get_table_names(schema=inspector.default_schema_name)) - _OTHER_TABLES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # SQLAlchemy does not know the type of PostGIS
        return {name: tuple(str(each["name"]) for each in inspector.get_columns(name)) for name in sorted(names)}


def _count_values(connection: Connection, name: str, columns: tuple[str, ...]) -> dict[str, int]:
    """Return the number of rows of a table under "", and those with a value in each column."""
    counted = table(name, *(column(each) for each in columns))
    counts = connection.execute(select(func.count(), *(func.count(each) for each in counted.columns))).one()
    return dict(zip(("", *columns), map(int, counts), strict=True))


def _lost(counts: Mapping[str, Mapping[str, int]], after: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    lost: dict[str, int] = {}
    for name, of_table in counts.items():
        if name not in after:
            lost[name] = of_table[""]
        else:
            lost |= {f"{name}.{each}": rows for each, rows in of_table.items() if each and each not in after[name]}
    return lost


def _known_revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _run(connection: Connection, to: str, *, up: bool) -> None:
    try:
        (command.upgrade if up else command.downgrade)(_config(connection), to)
    except CommandError as error:
        raise SettingsError(f"The database cannot be migrated to {to!r}: {error}") from error


@contextmanager
def _migration_transaction(database: Database) -> Iterator[Connection]:
    """Open a transaction that excludes migrations by other processes."""
    with database.engine.connect().execution_options(tuban_write=True) as connection:
        driver: Any = connection.connection.driver_connection
        if database.sqlite:
            # recreating a table must not delete the rows that refer to it; only possible outside a transaction
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():  # on SQLite this takes the write lock
                if not database.sqlite:
                    driver.answer_seconds = None  # changes of large tables take long, and wait for other processes
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                yield connection
                if database.sqlite and (violation := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise SettingsError(
                        f"The migration would leave rows of {violation[0]} that refer to missing rows of "
                        f"{violation[2]}; nothing was changed."
                    )
        except DBAPIError as error:
            raise SettingsError(
                f"The database {_display_url(database)} cannot be migrated: {str(error.orig).strip().splitlines()[0]}"
            ) from error
        finally:
            if not database.sqlite:
                driver.answer_seconds = ANSWER_SECONDS
            elif not connection.invalidated:
                driver.execute("PRAGMA foreign_keys=ON")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _foreign_tables(connection: Connection) -> list[str]:
    """List other programs' tables in the default schema; the extensions of PostGIS have schemas of their own."""
    inspector = inspect(connection)
    names = inspector.get_table_names(schema=inspector.default_schema_name)
    return sorted(set(names) - _OTHER_TABLES)


def _create_folder(database: Database) -> None:
    if database.sqlite and (path := database.engine.url.database):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
            deny_others(Path(path))  # its write-ahead log gets the same mode
        except OSError as error:
            raise SettingsError(f"The folder of the database {path} cannot be created ({error.strerror}).") from error


def _is_missing_file(database: Database) -> bool:
    path = database.engine.url.database if database.sqlite else None
    return bool(path) and not Path(str(path)).exists()


def _display_url(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=True)
