"""The tables brought to the version that this program works with, and back.

Revisions are files in ``store/migrations/versions``. A migration is one transaction on both databases: it happens whole
or not at all, and a second process that migrates at the same moment waits and finds nothing left to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from errors import SettingsError
from store.schema.database import Database

_LOCK = 0x747562616E  # "tuban": who holds it migrates


def upgrade(database: Database, to: str = "head") -> None:
    """Bring the tables up to revision ``to``; an empty database gets them all, a missing SQLite file is made.

    Raises:
        SettingsError: the database cannot be reached or written, lacks PostGIS, or holds tables of something else.
    """
    _make_folder(database)
    database.check()
    with _alone(database) as connection:
        if _revision(connection) is None and (found := _foreign_tables(connection)):
            raise SettingsError(
                f"The database {_shown(database)} holds tables that Tuban's migrations did not make "
                f"({', '.join(found)}); name an empty database in TUBAN_DATABASE."
            )
        if not database.sqlite:
            ensure_postgis(connection)
        _run(connection, to, up=True)


def downgrade(database: Database, to: str) -> None:
    """Bring the tables down to revision ``to`` ("base": remove them all, with what is in them).

    Raises:
        SettingsError: the database cannot be reached or written.
    """
    database.check()
    with _alone(database) as connection:
        _run(connection, to, up=False)


def current_revision(database: Database) -> str | None:
    """Return the revision of the tables; None: no migration made any."""
    with database.engine.connect() as connection:
        return _revision(connection)


def head_revision() -> str:
    """Return the revision that this program works with."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def is_known_revision(revision: str) -> bool:
    """Whether this program has the revision."""
    return revision in _known()


def ensure_postgis(connection: Connection) -> None:
    """See that a PostgreSQL database has PostGIS; made where this user may.

    Raises:
        SettingsError: there is none; says what to install or to run.
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
    """See that the tables are those that this program works with.

    Raises:
        SettingsError: they are not, or nothing answers; the message says what to do.
    """
    shown = _shown(database)
    found = None
    if not _is_missing_file(database):  # connecting would make an empty one
        database.check()
        found = current_revision(database)
    if found == head_revision():
        return
    if found is None:
        raise SettingsError(
            f"The database {shown} has no tables of Tuban yet; `tuban up` or `tuban migrate` makes them."
        )
    if not is_known_revision(found):
        raise SettingsError(
            f"The tables in {shown} are of revision {found}, which this version of Tuban does not know (its own is "
            f"{head_revision()}); install the version that made them, or a newer one."
        )
    raise SettingsError(
        f"The tables in {shown} are of revision {found}, this version of Tuban needs {head_revision()}; "
        "make a backup, then `tuban up` or `tuban migrate` migrates."
    )


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    # ConfigParser takes a % for the beginning of a name
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _run(connection: Connection, to: str, *, up: bool) -> None:
    try:
        (command.upgrade if up else command.downgrade)(_config(connection), to)
    except CommandError as error:
        raise SettingsError(f"The tables cannot be migrated to {to!r}: {error}") from error


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """One transaction, in which no other process migrates."""
    with database.engine.connect().execution_options(tuban_write=True) as connection:
        driver: Any = connection.connection.driver_connection
        if database.sqlite:
            # making a table anew must not delete the rows that point to it; can only be said outside of a transaction
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():  # on SQLite this is the writer's lock
                if not database.sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                yield connection
                if database.sqlite and (lost := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise SettingsError(
                        f"The migration would leave rows of {lost[0]} pointing to rows of {lost[2]} that are not "
                        "there; nothing was changed."
                    )
        except DBAPIError as error:
            raise SettingsError(
                f"The database {_shown(database)} cannot be migrated: {str(error.orig).strip().splitlines()[0]}"
            ) from error
        finally:
            if database.sqlite and not connection.invalidated:
                driver.execute("PRAGMA foreign_keys=ON")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _foreign_tables(connection: Connection) -> list[str]:
    """Of the schema where ours are made; those of PostGIS' further extensions lie in others and are seen as well."""
    inspector = inspect(connection)
    names = inspector.get_table_names(schema=inspector.default_schema_name)
    return sorted(set(names) - {"spatial_ref_sys", "alembic_version"})


def _make_folder(database: Database) -> None:
    if database.sqlite and (path := database.engine.url.database):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"The folder of the database {path} cannot be made ({error.strerror}).") from error


def _is_missing_file(database: Database) -> bool:
    path = database.engine.url.database if database.sqlite else None
    return bool(path) and not Path(str(path)).exists()


def _shown(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=True)
