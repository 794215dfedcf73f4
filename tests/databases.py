"""Database fixtures: empty databases, and migrated ones that are created once per test process."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from store.schema.database import Database
from store.schema.migrate import upgrade
from store.schema.tables import Base
from tests.services import POSTGRESQL

_SERVER = POSTGRESQL.rsplit("/", 1)[0]


def embedded_database(path: Path) -> Database:
    """Create a SQLite file with all tables by copying a migrated one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_migrated_file())
    return Database(f"sqlite:///{path}")


@cache
def _migrated_file() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tuban.db"
        database = Database(f"sqlite:///{path}")
        upgrade(database)
        database.close()  # checkpoints the write-ahead log into the file
        return path.read_bytes()


def _execute(address: str, *statements: str) -> None:
    engine = create_engine(address, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
    except OperationalError as error:
        pytest.skip(f"no PostgreSQL with PostGIS at {POSTGRESQL}: {str(error.orig).strip()}")
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def postgis_template() -> Iterator[str]:
    """The name of an empty database with PostGIS, the template of the others."""
    name = f"tuban_template_{secrets.token_hex(4)}"
    _execute(POSTGRESQL, f"CREATE DATABASE {name}")
    _execute(f"{_SERVER}/{name}", "CREATE EXTENSION postgis")
    yield name
    _execute(POSTGRESQL, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgresql_url(postgis_template: str) -> Iterator[str]:
    """An empty PostgreSQL database with PostGIS for one test. Slow: only for tests that migrate."""
    yield from _copied(postgis_template)


@pytest.fixture(scope="session")
def tables_template(postgis_template: str) -> Iterator[str]:
    """The name of a migrated database, the template of those with tables."""
    name = f"tuban_tables_{secrets.token_hex(4)}"
    _execute(POSTGRESQL, f"CREATE DATABASE {name} TEMPLATE {postgis_template}")
    database = Database(f"{_SERVER}/{name}")
    upgrade(database)
    database.close()
    yield name
    _execute(POSTGRESQL, f"DROP DATABASE {name} WITH (FORCE)")


def _copied(template: str) -> Iterator[str]:
    """Give the URL of a new database that is a copy of ``template``."""
    name = f"tuban_copy_{secrets.token_hex(6)}"
    _execute(POSTGRESQL, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield f"{_SERVER}/{name}"
    _execute(POSTGRESQL, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgresql_with_tables(tables_template: str) -> Iterator[str]:
    """The migrated database that :func:`postgresql` empties for each test."""
    yield from _copied(tables_template)


@pytest.fixture
def migrated_postgresql_url(tables_template: str) -> Iterator[str]:
    """A PostgreSQL database with all tables for one test that more than one process or engine uses."""
    yield from _copied(tables_template)


@pytest.fixture(scope="session")
def _emptying(postgresql_with_tables: str) -> Iterator[Engine]:
    """An engine that keeps its connection: a new one would read the catalogue anew for each test."""
    engine = create_engine(postgresql_with_tables, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    yield engine
    engine.dispose()


@pytest.fixture
def postgresql(_emptying: Engine, postgresql_with_tables: str) -> Iterator[Database]:
    """A PostgreSQL database with all tables, no rows, and all sequences reset to 1."""
    with _emptying.connect() as connection:
        for statement in (
            # connections that an earlier test left open would block the deletes
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            "SET session_replication_role = replica",  # skips foreign key checks
            "DO $$ BEGIN " + "".join(f"DELETE FROM {table.name}; " for table in Base.metadata.sorted_tables) + "END $$",
            "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences "
            "WHERE schemaname = 'public'",
        ):
            connection.execute(text(statement))
    database = Database(postgresql_with_tables)
    yield database
    database.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """A SQLite database with all tables and no rows."""
    database = embedded_database(tmp_path / "tuban.db")
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(request: pytest.FixtureRequest) -> Database:
    """A database of each kind with all tables and no rows."""
    database: Database = request.getfixturevalue(request.param)
    return database


@pytest.fixture
def database(each_database: Database) -> Database:
    """The same; test modules that need only SQLite override this fixture."""
    return each_database


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind, for one test."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tuban.db'}"
    return str(request.getfixturevalue("postgresql_url"))
