"""``tuban queue`` and ``tuban deliveries``."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
import typer
from typer.testing import CliRunner

from cli.administration.deliveries import deliveries, queue
from configs.service import read_service
from errors import SettingsError
from service.broker import check_broker
from store.alerts.outbox import announce, mark_failed
from store.jobs.queue import list_jobs
from store.schema.database import Database
from store.schema.tables import AlertRow, Delivery
from tests.databases import embedded_database
from tests.services import REDIS
from tests.store.sample_alerts import NOW, add_village_with_alert
from workers.delivery.alert_queue import send_to_queue


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An embedded service with a dead delivery, followed by a waiting one of the same alert."""
    monkeypatch.setenv("TUBAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    check_broker(read_service())  # creates its folders, as `tuban up` does
    database = embedded_database(tmp_path / "home" / "tuban.db")
    add_village_with_alert(database)
    with database.write() as session:
        for kind in ("tuban.alert.created", "tuban.alert.seen_again"):
            announce(session, session.get_one(AlertRow, 1), kind, read_service(), NOW)
        mark_failed(session, 1, "no [bold]room", NOW, attempts=1, backoff_seconds=())
    yield database
    database.close()


def _tuban(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(deliveries)
    app.command()(queue)
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def _states(database: Database) -> list[str]:
    with database.read() as session:
        return [session.get_one(Delivery, number).state for number in (1, 2)]


def test_waiting_and_dead_deliveries_are_listed_with_the_reason(database: Database) -> None:
    listed = _tuban("deliveries")
    assert "330106W2026110001" in listed
    assert "created 1" in listed
    assert "dead" in listed
    assert "no [bold]room" in listed
    assert "seen_again 2" in listed
    assert "seen_again" not in _tuban("deliveries", "1")


def test_a_dead_delivery_is_revived_and_its_job_published(database: Database) -> None:
    assert _tuban("deliveries", "--revive", "--all") == "1 revived.\n"
    assert _states(database) == ["waiting", "waiting"]
    with database.read() as session:
        newest = list_jobs(session)[0]
        assert (newest.payload, newest.state) == ({"delivery_id": 1}, "waiting")
        assert newest.published_at is not None


def test_dropping_a_delivery_publishes_the_next_one(database: Database) -> None:
    assert _tuban("deliveries", "--drop", "1") == "1 dropped.\n"
    assert _states(database) == ["dropped", "waiting"]
    with database.read() as session:
        assert list_jobs(session)[0].payload == {"delivery_id": 2}


@pytest.mark.parametrize(
    "arguments", [("--revive", "2"), ("--drop", "99"), ("--revive",), ("--drop", "--all"), ("--revive", "--drop", "1")]
)
def test_invalid_combinations_are_rejected(database: Database, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError):
        _tuban("deliveries", *arguments)
    assert _states(database) == ["dead", "waiting"]


def test_the_queue_is_printed_as_one_json_object_per_line(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"enforcement_{secrets.token_hex(4)}"
    monkeypatch.setenv("TUBAN_BROKER", REDIS)
    monkeypatch.setenv("TUBAN_DELIVERY__QUEUE", name)
    with closing(redis.Redis.from_url(REDIS)) as client:
        try:
            client.ping()
        except redis.ConnectionError as error:
            pytest.skip(f"no Redis at {REDIS}: {error}")
        for number in ("1", "2"):
            send_to_queue({"id": number, "type": "tuban.alert.created", "village": "东穆坞村"}, read_service())
        for _ in range(2):
            assert [json.loads(line)["id"] for line in _tuban("queue").splitlines()] == ["1", "2"]
        assert json.loads(_tuban("queue", "--take", "--limit", "1"))["village"] == "东穆坞村"
        assert json.loads(_tuban("queue", "--take"))["id"] == "2"
        assert _tuban("queue") == ""
        client.delete(name)
