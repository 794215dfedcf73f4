"""Real services for tests: skipped with the reason where they are not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from store.database import Database
from store.tables import Base

POSTGRESQL = os.environ.get("TUBAN_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TUBAN_TEST_REDIS", "redis://127.0.0.1:6379/9")
RABBITMQ = os.environ.get("TUBAN_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//")


def _administer(*statements: str) -> None:
    engine = create_engine(POSTGRESQL, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
    except OperationalError as error:
        pytest.skip(f"no PostgreSQL at {POSTGRESQL}: {str(error.orig).strip()}")
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def postgis_template() -> Iterator[str]:
    """A database with PostGIS and nothing else in it, that others are copied from."""
    name = f"tuban_template_{secrets.token_hex(4)}"
    _administer(f"CREATE DATABASE {name}")
    engine = create_engine(POSTGRESQL.rsplit("/", 1)[0] + "/" + name, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text("CREATE EXTENSION postgis"))
    except OperationalError as error:
        pytest.skip(f"PostgreSQL has no PostGIS: {str(error.orig).strip()}")
    finally:
        engine.dispose()
    yield name
    _administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgresql_url(postgis_template: str) -> Iterator[str]:
    """An empty PostgreSQL database with PostGIS, this test's own."""
    name = f"tuban_test_{secrets.token_hex(6)}"
    _administer(f"CREATE DATABASE {name} TEMPLATE {postgis_template}")
    yield POSTGRESQL.rsplit("/", 1)[0] + "/" + name
    _administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each sort, this test's own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tuban.db'}"
    return str(request.getfixturevalue("postgresql_url"))


def with_tables(url: str) -> Iterator[Database]:
    """What a fixture yields from: a database with all tables, closed in the end."""
    database = Database(url)
    Base.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database of each sort with all tables, this test's own."""
    yield from with_tables(database_url)
