"""Publishing: one message per job with every broker; unsent messages are published later."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import kombu
import pytest

from errors import SettingsError
from service.broker import check_broker, queue_lengths, redacted_address
from service.context import Context
from service.job_registry import QUEUES, queue_name
from service.message_files import broker_folders
from service.publishing import TASK, publish
from store.jobs.queue import add_job
from tests.brokers import OwnRedis
from tests.workers.embedded import NOW, clock_of, context_in, given_job, job_of
from workers.runtime.celery_app import make_app
from workers.runtime.reaper import reap


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def take_all(context: Context, queue: str) -> list[dict[str, object]]:
    """Receive all waiting messages: headers, body and content type."""
    app = make_app(context.settings)
    messages = []
    with app.connection_for_read() as connection, connection.channel() as channel:
        waiting = app.amqp.queues[queue_name(queue)].bind(channel)
        waiting.declare()
        while message := waiting.get(no_ack=True):
            messages.append({"headers": message.headers, "body": message.payload, "type": message.content_type})
    return messages


def test_a_message_is_json_with_the_job_id(broker: str, tmp_path: Path) -> None:
    context = context_in(tmp_path, broker=broker)
    for queue in QUEUES:
        take_all(context, queue)  # other tests use the same server
    assert publish(context.settings, [(7, "scan"), (8, "scan"), (9, "ingest")]) == []
    assert queue_lengths(context.settings) == {"ingest": 1, "scan": 2, "deliver": 0, "capture": 0}
    messages = take_all(context, "scan") + take_all(context, "ingest")
    assert [message["body"][0] for message in messages] == [[7], [8], [9]]  # type: ignore[index]
    assert {message["type"] for message in messages} == {"application/json"}
    headers = messages[0]["headers"]
    assert isinstance(headers, dict)
    assert (headers["task"], headers["timelimit"]) == (TASK, [3720.0, 3600.0])


def test_jobs_are_published_after_their_transaction(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    with context.database.write() as session:
        add_job(session, kind="a", queue="scan", payload={}, unique_key="a", now=NOW)
        session.flush()
        assert queue_lengths(context.settings)["scan"] == 0
    assert queue_lengths(context.settings)["scan"] == 1


def test_jobs_that_their_command_runs_itself_are_not_published(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    with context.database.write(publish=False) as session:
        add_job(session, kind="a", queue="scan", payload={}, unique_key="a", now=NOW)
    assert queue_lengths(context.settings)["scan"] == 0


def test_jobs_of_a_failed_transaction_are_not_published(tmp_path: Path) -> None:
    context = context_in(tmp_path)

    def fail() -> None:
        with context.database.write() as session:
            add_job(session, kind="a", queue="scan", payload={}, unique_key="a", now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert queue_lengths(context.settings)["scan"] == 0


@pytest.mark.parametrize("address", ["redis://127.0.0.1:{port}/0", "amqp://guest:secret@127.0.0.1:{port}//"])
def test_jobs_are_published_when_the_broker_is_available_again(address: str, tmp_path: Path, unused_port: int) -> None:
    context = context_in(tmp_path)
    available = context.settings
    unavailable = available.model_copy(update={"broker": address.format(port=unused_port)})
    context.settings = unavailable
    with context.database.write() as session:
        job_id = add_job(session, kind="a", queue="scan", payload={}, unique_key="a", now=NOW)
    assert job_id is not None
    assert job_of(context, job_id).published_at is None
    assert reap(context) == 0
    context.settings = available
    assert reap(context) == 1
    assert queue_lengths(available)["scan"] == 1


@pytest.mark.parametrize("address", ["redis://127.0.0.1:{port}/0", "amqp://guest:secret@127.0.0.1:{port}//"])
def test_an_unreachable_broker_is_reported_in_one_line(address: str, tmp_path: Path, unused_port: int) -> None:
    settings = context_in(tmp_path).settings.model_copy(update={"broker": address.format(port=unused_port)})
    with pytest.raises(SettingsError) as error:
        check_broker(settings)
    assert str(unused_port) in str(error.value)
    assert "cannot be reached" in str(error.value)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_an_incompatible_queue_is_reported_in_one_line(rabbitmq_url: str, tmp_path: Path) -> None:
    settings = context_in(tmp_path).settings.model_copy(update={"broker": rabbitmq_url})
    with kombu.Connection(rabbitmq_url) as connection, connection.channel() as channel:
        channel.queue_delete("tuban.deliver")
        channel.queue_declare("tuban.deliver", durable=False, auto_delete=False)
    with pytest.raises(SettingsError, match=r"another version created.*tuban\.deliver"):
        check_broker(settings)
    with kombu.Connection(rabbitmq_url) as connection, connection.channel() as channel:
        channel.queue_delete("tuban.deliver")
    check_broker(settings)


def test_the_password_of_a_broker_is_not_shown(tmp_path: Path) -> None:
    settings = context_in(tmp_path).settings
    amqp = settings.model_copy(update={"broker": "amqp://tuban:secret@broker.local:5672//"})
    assert redacted_address(amqp) == "amqp://tuban:***@broker.local:5672//"
    assert redacted_address(settings) == str(settings.home.resolve() / "broker")


def test_a_lost_message_is_republished_but_not_while_others_wait(broker: str, tmp_path: Path) -> None:
    context = context_in(tmp_path, broker=broker)
    take_all(context, "scan")
    job_id = given_job(context, "a")
    clock_of(context).forward(61)
    publish(context.settings, [(0, "scan")])
    assert reap(context) == 0
    assert [message["body"][0] for message in take_all(context, "scan")] == [[0]]  # type: ignore[index]
    assert reap(context) == 1
    assert [message["body"][0] for message in take_all(context, "scan")] == [[job_id]]  # type: ignore[index]
    assert reap(context) == 0


def test_messages_arrive_after_redis_restarted_empty(tmp_path: Path) -> None:
    """Its client reconnects silently; a binding, which is a key, would be gone for good."""
    redis = OwnRedis()
    try:
        context = context_in(tmp_path, broker=redis.url)
        check_broker(context.settings)
        assert publish(context.settings, [(1, "scan")]) == []
        redis.stop()
        redis.start()
        assert publish(context.settings, [(2, "scan")]) == []
        assert [message["body"][0] for message in take_all(context, "scan")] == [[2]]  # type: ignore[index]
    finally:
        redis.stop()


def test_message_files_are_written_and_claimed_atomically(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    folder = Path(broker_folders(context.settings.home)["data_folder_in"])
    publish(context.settings, [(7, "scan")])
    (message,) = folder.iterdir()
    assert not message.name.startswith(".")
    assert json.loads(message.read_text())["headers"]["task"] == TASK
    (folder / ".half.tuban.scan.msg").write_text("{")
    (folder / "0.tuban.scan.msg").write_text('{"body": ')
    assert len(take_all(context, "scan")) == 1
    assert [path.name for path in folder.iterdir()] == [".half.tuban.scan.msg"]
    check_broker(context.settings)
    assert len(list(folder.iterdir())) == 1
    os.utime(folder / ".half.tuban.scan.msg", (0, 0))
    check_broker(context.settings)
    assert list(folder.iterdir()) == []
