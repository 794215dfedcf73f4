"""A broker or object store that a firewall cuts off silently is a problem while that lasts, and back after it.

The same for PostgreSQL: ``tests/store/schema/test_silent_server.py``; for hooks: ``tests/workers/delivery``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from service import broker as broker_connection
from service.broker import queue_lengths
from service.context import Context
from service.monitoring import problems
from service.publishing import publish
from store.objects import s3
from store.objects.object_store import ObjectStoreUnavailable
from tests.firewall import Firewall
from tests.service.monitoring.test_problems import kinds, service

SILENT = 0.3
LIMIT_SECONDS = 60.0
"""What a request may last on a machine that is busy; without time limits it lasts for ever."""


def test_the_time_limits_add_up_to_less_than_a_minute() -> None:
    attempts = 3  # the default of boto3; each is on a new connection
    assert broker_connection.CONNECT_SECONDS + broker_connection.SILENT_SECONDS < 60
    assert 2 * broker_connection.HEARTBEAT_SECONDS <= 60
    assert attempts * (s3.CONNECT_SECONDS + s3.ANSWER_SECONDS) <= 60


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (broker_connection, "CONNECT_SECONDS"),
        (broker_connection, "SILENT_SECONDS"),
        (s3, "CONNECT_SECONDS"),
        (s3, "ANSWER_SECONDS"),
    ):
        monkeypatch.setattr(module, name, SILENT)
    monkeypatch.setattr(problems, "RECHECK_SECONDS", -1.0)


def _firewall_before(address: str) -> tuple[Firewall, str]:
    parts = urlsplit(address)
    firewall = Firewall(parts.hostname or "", parts.port or 0)
    login = parts.netloc.rpartition("@")[0]
    return firewall, urlunsplit(parts._replace(netloc=(f"{login}@" if login else "") + f"127.0.0.1:{firewall.port}"))


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Context, Firewall]]:
    """A service whose broker is behind a firewall."""
    kind = request.param
    server = request.getfixturevalue("redis_server").url if kind == "redis" else request.getfixturevalue("rabbitmq_url")
    firewall, address = _firewall_before(server)
    context = service(tmp_path, broker=address)
    yield context, firewall
    firewall.close()
    context.database.close()


def test_messages_are_sent_again_after_a_silent_connection(broker: tuple[Context, Firewall]) -> None:
    context, firewall = broker
    assert publish(context.settings, [(1, "scan")]) == []
    firewall.drop_silently()
    started = time.monotonic()
    unsent = publish(context.settings, [(2, "scan")])  # the schedule publishes it again
    assert publish(context.settings, [(3, "scan"), *((job_id, "scan") for job_id in unsent)]) == []
    assert time.monotonic() - started < LIMIT_SECONDS
    assert queue_lengths(context.settings)["scan"] >= 3


def test_a_silent_broker_is_a_problem_until_it_answers(broker: tuple[Context, Firewall]) -> None:
    context, firewall = broker
    assert kinds(context) == []
    firewall.blocked = True
    started = time.monotonic()
    assert kinds(context) == ["broker"]
    assert publish(context.settings, [(4, "scan")]) == [4]
    assert time.monotonic() - started < LIMIT_SECONDS
    firewall.blocked = False
    assert kinds(context) == []
    assert publish(context.settings, [(4, "scan")]) == []


@pytest.fixture
def store(tmp_path: Path, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Context, Firewall]]:
    """A service whose object store is behind a firewall."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    firewall, address = _firewall_before(s3_endpoint)
    context = service(tmp_path, objects="s3://tuban/x", s3_endpoint=address)
    yield context, firewall
    firewall.close()
    context.database.close()


def test_objects_are_read_on_a_new_connection_after_a_silent_one(store: tuple[Context, Firewall]) -> None:
    context, firewall = store
    context.objects.put("a/b", b"content")
    firewall.drop_silently()
    assert context.objects.size("a/b") == 7
    assert kinds(context) == []


def test_a_silent_object_store_is_a_problem_until_it_answers(store: tuple[Context, Firewall]) -> None:
    context, firewall = store
    context.objects.put("a/b", b"content")
    firewall.drop_silently()
    firewall.blocked = True
    assert kinds(context) == ["objects"]
    with pytest.raises(ObjectStoreUnavailable, match=r"is unavailable for a/b"):
        context.objects.size("a/b")
    firewall.blocked = False
    assert kinds(context) == []
