"""A database that is busy or out of reach is 503 with Retry-After on every route; any other fault of it stays a 500."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from unittest.mock import Mock

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, NoResultFound, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from starlette.testclient import TestClient

from service.context import Context
from store.access.api_keys import add_key
from store.access.users import user_by_login
from store.schema import database as database_module
from store.schema.database import Database
from store.schema.database_errors import is_temporary
from tests.web.conftest import NOW, ORIGIN
from web.app import make_app

Answer = tuple[int, str | None]


@pytest.fixture
def key(service: Context) -> str:
    """A key that was never used: its first use is recorded before the body is read."""
    with service.database.write() as session:
        user = user_by_login(session, "town")
        assert user is not None
        return add_key(session, user, "test", NOW, days=1, scopes=["read", "upload"])


@pytest.fixture
def client(service: Context, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A program with that key, of a service that does not wait for a lock."""
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0)
    service.database = Database(service.database.url)
    headers = {"authorization": f"Bearer {key}", "origin": ORIGIN}
    yield TestClient(make_app(service), base_url=ORIGIN, headers=headers, raise_server_exceptions=False)
    service.database.close()


def _answers(client: TestClient) -> dict[str, Answer]:
    responses = {
        "in the route": client.post("/sign-in", data={"login": "town", "password": "wrong"}),
        "while authenticating": client.get("/api/scenes"),
        "before the body is read": client.post("/api/batches", json={}),
    }
    return {name: (response.status_code, response.headers.get("retry-after")) for name, response in responses.items()}


BUSY = dict.fromkeys(["in the route", "while authenticating", "before the body is read"], (503, "5"))


def test_a_writer_in_another_process_makes_requests_503(service: Context, client: TestClient) -> None:
    other = sqlite3.connect(service.settings.home / "tuban.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert _answers(client) == BUSY
    other.close()
    assert client.get("/api/scenes").status_code == 200


def test_a_writer_in_another_thread_makes_requests_503(service: Context, client: TestClient) -> None:
    with service.database.write():
        assert _answers(client) == BUSY
    assert client.get("/api/scenes").status_code == 200


def test_waiting_writers_hold_no_connection(service: Context) -> None:
    with service.database.write(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_module, "BUSY_SECONDS", 0)
        before = service.database.engine.pool.checkedout()  # type: ignore[attr-defined]
        with pytest.raises(OperationalError, match="locked"), service.database.write():
            pass
        assert service.database.engine.pool.checkedout() == before == 1  # type: ignore[attr-defined]


def test_without_a_free_connection_requests_are_503(service: Context, client: TestClient) -> None:
    pool = service.database.engine.pool
    pool._timeout = 0  # type: ignore[attr-defined]
    with ExitStack() as held:
        for _ in range(pool.size() + pool._max_overflow):  # type: ignore[attr-defined]
            held.enter_context(service.database.engine.connect())
        assert _answers(client) == BUSY
    assert client.get("/api/scenes").status_code == 200


def test_a_missing_table_is_an_error_of_the_server(
    service: Context, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "web.app.logger", Mock()
    )  # without the set-up of the service, logging a traceback takes seconds
    with service.database.write() as session:
        session.execute(text("ALTER TABLE scenes RENAME TO lost"))
    assert client.get("/api/scenes").status_code == 500


@pytest.mark.parametrize(
    ("error", "temporary"),
    [
        (NoFreeConnection("QueuePool limit of size 5 overflow 10 reached"), True),
        (OperationalError("", None, sqlite3.OperationalError("database is locked")), True),
        (OperationalError("", None, sqlite3.OperationalError("database table is locked: alerts")), True),
        (OperationalError("", None, sqlite3.OperationalError("no such table: alerts")), False),
        (OperationalError("", None, psycopg.OperationalError("server closed the connection unexpectedly")), True),
        (OperationalError("", None, psycopg.errors.TooManyConnections()), True),
        (ProgrammingError("", None, psycopg.errors.UndefinedTable()), False),
        (IntegrityError("", None, sqlite3.IntegrityError("UNIQUE constraint failed")), False),
        (NoResultFound(), False),
    ],
)
def test_only_faults_that_pass_by_themselves_are_temporary(error: Exception, temporary: bool) -> None:
    assert is_temporary(error) is temporary
