"""A connection to PostgreSQL that a firewall drops silently ends within a time limit, and the next one works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from store.schema.database import Database
from store.schema.database_errors import DatabaseUnavailable
from store.schema.postgresql_connection import (
    ANSWER_SECONDS,
    CONNECT_ARGUMENTS,
    IDLE_SECONDS,
    STATEMENT_SECONDS,
    AnsweredConnection,
)
from tests.firewall import Firewall


@pytest.fixture
def firewall(postgresql: Database) -> Iterator[Firewall]:
    url = make_url(postgresql.url)
    firewall = Firewall(url.host or "127.0.0.1", url.port or 5432)
    yield firewall
    firewall.close()


@pytest.fixture
def database(postgresql: Database, firewall: Firewall, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The test database behind the firewall; answers are awaited for a quarter of a second."""
    url = make_url(postgresql.url).set(host="127.0.0.1", port=firewall.port)
    database = Database(url.render_as_string(hide_password=False))
    with database.read() as session:
        session.execute(text("SELECT 1"))
    monkeypatch.setattr(AnsweredConnection, "answer_seconds", 0.25)
    yield database
    database.close()


def test_a_silent_connection_is_an_error_and_the_next_transaction_reconnects(
    database: Database, firewall: Firewall
) -> None:
    with pytest.raises(DatabaseUnavailable, match="did not answer within"), database.write() as session:  # noqa: PT012
        session.execute(text("SELECT 1"))
        firewall.drop_silently()
        session.execute(text("SELECT 2"))
    with database.read() as session:
        assert session.scalar(text("SELECT 3")) == 3


def test_a_pooled_connection_that_went_silent_is_replaced_without_an_error(
    database: Database, firewall: Firewall
) -> None:
    before = firewall.accepted
    firewall.drop_silently()
    with database.read() as session:
        assert session.scalar(text("SELECT 3")) == 3
    assert firewall.accepted == before + 1


@pytest.mark.parametrize("kind", ["read", "write"])
def test_the_server_ends_statements_and_abandoned_transactions(postgresql: Database, kind: str) -> None:
    with getattr(postgresql, kind)() as session:
        assert session.scalar(text("SHOW statement_timeout")) == f"{STATEMENT_SECONDS}s"
        idle = session.scalar(text("SELECT extract(epoch FROM current_setting(:name)::interval)::int"), {
            "name": "idle_in_transaction_session_timeout"
        })  # fmt: skip
        assert idle == IDLE_SECONDS[kind]
    with postgresql.engine.connect() as connection:  # the limits are not those of the session: poolers share it
        assert connection.scalar(text("SHOW statement_timeout")) == "0"


def test_a_transaction_begins_with_one_message(postgresql: Database, tmp_path: Path) -> None:
    with postgresql.write() as session:
        server = session.connection().connection.driver_connection
    with (tmp_path / "messages").open("w+") as messages:
        server.pgconn.trace(messages.fileno())
        with postgresql.write() as session:
            session.execute(text("SELECT 1"))
        server.pgconn.untrace()
        messages.seek(0)
        sent = [line for line in messages if "\tF\t" in line]
    assert [line.partition('"')[2].partition(";")[0].strip('"\n ') for line in sent] == ["BEGIN", "SELECT 1", "COMMIT"]


def test_recovery_takes_less_than_a_minute() -> None:
    assert STATEMENT_SECONDS < ANSWER_SECONDS
    assert ANSWER_SECONDS + CONNECT_ARGUMENTS["connect_timeout"] < 60
    assert CONNECT_ARGUMENTS["tcp_user_timeout"] < 60_000


def test_nothing_is_used_that_a_pooler_by_transaction_rejects(postgresql: Database) -> None:
    assert "options" not in CONNECT_ARGUMENTS
    with postgresql.read() as session:
        for _ in range(8):  # by default, psycopg prepares a statement at its sixth execution
            session.execute(text("SELECT 1 AS never_prepared"))
        prepared = session.scalars(text("SELECT statement FROM pg_prepared_statements")).all()
    assert prepared == []
