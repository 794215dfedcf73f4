"""Connections to PostgreSQL that notice when the server, or a firewall in between, has gone silent."""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

RV = TypeVar("RV")

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 40
"""Limit of one statement, enforced by the server."""

ANSWER_SECONDS = 45.0
"""Limit of waiting for an answer, enforced here. A firewall that drops a connection silently leaves the program waiting
for ever otherwise; together with the retry the service is back within a minute."""

IDLE_SECONDS = {"read": 600, "write": 120}
"""Limit of a transaction between two statements: the server ends those of a program that has vanished, and with them
their locks."""

BEGIN = {
    kind: f"BEGIN{isolation}; SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s';"
    f" SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS[kind]}s'"
    for kind, isolation in (("read", " ISOLATION LEVEL REPEATABLE READ"), ("write", ""))
}
"""Begin a transaction with its limits, in one message. By default, each query sees a snapshot of its own; a reader sees
one. The limits hold for one transaction, so that they work behind a pooler that assigns servers by transaction."""

CONNECT_ARGUMENTS: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # ms until unacknowledged data ends the connection
    "prepare_threshold": None,  # a pooler that assigns servers by transaction cannot keep prepared statements
}
"""Arguments of libpq and psycopg. No ``options``: poolers such as pgbouncer reject them."""


class AnsweredConnection(psycopg.Connection[TupleRow]):
    """A connection that is closed with an error when no answer arrives within ``answer_seconds``; None: no limit."""

    answer_seconds: float | None = ANSWER_SECONDS

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for the server's answer.

        Raises:
            OperationalError: none arrived in time; the connection is closed.
        """
        if timeout is not None or self.answer_seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_seconds)
        except errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"the server did not answer within {self.answer_seconds:g} seconds; the connection was closed"
            ) from None
