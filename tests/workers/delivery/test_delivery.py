"""Delivery to the queue, hooks and the drop folder: at least once, in order, readable without Celery."""

from __future__ import annotations

import datetime as dt
import json
import random
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp
import kombu
import pytest
import redis
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from sqlalchemy import select

from configs.service import ServiceSettings, read_service
from errors import SettingsError
from service.context import Context, JobRun
from store.alerts.outbox import announce
from store.jobs.queue import list_jobs
from store.schema.database import Database
from store.schema.tables import AlertRow, Delivery, Job
from tests.services import RABBITMQ, REDIS
from tests.store.sample_alerts import NOW, add_alert, add_village_with_alert
from workers.delivery.alert_queue import read_queue, send_to_queue
from workers.delivery.deliver import JOB_KINDS, deliver
from workers.delivery.delivery_errors import DeliveryRejected

READER = Path(__file__).parents[3] / "examples" / "read_queue.py"
EVENT = {"id": "1", "type": "tuban.alert.created", "data": {"properties": {"number": "线索"}}}


def _amqp_connection() -> amqp.Connection:
    url = urlsplit(RABBITMQ)
    return amqp.Connection(f"{url.hostname}:{url.port or 5672}", url.username, url.password)


@pytest.fixture
def name() -> str:
    return f"enforcement_{secrets.token_hex(4)}"


@pytest.fixture
def rabbitmq(name: str) -> Iterator[ServiceSettings]:
    """RabbitMQ, with the name of a queue that does not exist yet."""
    try:
        connection = _amqp_connection()
        connection.connect()
    except OSError as error:
        pytest.skip(f"no RabbitMQ at {RABBITMQ}: {error}")
    yield read_service(broker=RABBITMQ, delivery={"queue": name})
    connection.channel().queue_delete(name)
    connection.close()


@pytest.fixture
def redis_server(name: str) -> Iterator[ServiceSettings]:
    """Redis, with the name of a stream that does not exist yet."""
    with closing(redis.Redis.from_url(REDIS)) as client:
        try:
            client.ping()
        except redis.ConnectionError as error:
            pytest.skip(f"no Redis at {REDIS}: {error}")
        yield read_service(broker=REDIS, delivery={"queue": name})
        client.delete(name, f"{name}:list")


@pytest.fixture(params=["rabbitmq", "redis_server"])
def broker(request: pytest.FixtureRequest) -> ServiceSettings:
    """Each broker that has queues."""
    settings: ServiceSettings = request.getfixturevalue(request.param)
    return settings


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


class Clock:
    """A clock that stands still unless the test sets it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now


def _context(settings: ServiceSettings, database: Database) -> Context:
    return Context(settings, database, Clock())


def _announce(context: Context, *kinds: str) -> None:
    for kind in kinds or ("tuban.alert.created",):
        with context.database.write() as session:
            announce(session, session.get_one(AlertRow, 1), kind, context.settings, context.clock())


def _job_run(delivery_id: int) -> JobRun:
    return JobRun(1, {"delivery_id": delivery_id}, 1, lambda _: None, lambda: False)


def _run(context: Context, delivery_id: int) -> str:
    """Run a delivery's job and return the state of the delivery."""
    commit = deliver(context, _job_run(delivery_id))
    with context.database.write() as session:
        if commit is not None:
            commit(session)
    with context.database.read() as session:
        return session.get_one(Delivery, delivery_id).state


def test_deliveries_have_one_job_kind() -> None:
    assert [(kind.name, kind.queue) for kind in JOB_KINDS] == [("deliver", "deliver")]


def test_an_event_reaches_a_queue_that_did_not_exist(broker: ServiceSettings, database: Database) -> None:
    add_village_with_alert(database)
    context = _context(broker, database)
    _announce(context)
    assert _run(context, 1) == "delivered"
    (message,) = read_queue(broker, remove=False, limit=5)
    with database.read() as session:
        assert json.loads(message) == session.get_one(Delivery, 1).event


def test_a_plain_client_reads_the_queue(broker: ServiceSettings, database: Database) -> None:
    add_village_with_alert(database)
    context = _context(broker, database)
    _announce(context, "tuban.alert.created", "tuban.alert.seen_again")
    assert [_run(context, delivery_id) for delivery_id in (1, 2)] == ["delivered", "delivered"]
    read = subprocess.run(
        [sys.executable, READER, broker.broker, broker.delivery.queue],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    events = [line.split()[1:4] for line in read.stdout.splitlines()]
    assert events == [
        ["tuban.alert.created", "330106W2026110001", "construction"],
        ["tuban.alert.seen_again", "330106W2026110001", "construction"],
    ]
    assert list(read_queue(broker, remove=False, limit=5)) == []


def test_an_amqp_message_is_persistent_in_a_durable_queue(rabbitmq: ServiceSettings, name: str) -> None:
    send_to_queue(EVENT, rabbitmq)
    with _amqp_connection() as connection:
        channel = connection.channel()
        message = channel.basic_get(name, no_ack=True)
        assert message.properties["delivery_mode"] == 2
        assert message.properties["content_type"] == "application/json"
        assert message.properties["message_id"] == "1"
        channel.queue_declare(name, durable=True, auto_delete=False)  # fails if declared otherwise


def test_an_existing_amqp_queue_is_used_with_its_own_arguments(rabbitmq: ServiceSettings, name: str) -> None:
    with _amqp_connection() as connection:
        connection.channel().queue_declare(name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    send_to_queue(EVENT, rabbitmq)
    assert [json.loads(message) for message in read_queue(rabbitmq, remove=True, limit=5)] == [EVENT]


def test_a_message_that_the_amqp_queue_rejects_is_not_delivered(rabbitmq: ServiceSettings, name: str) -> None:
    with _amqp_connection() as connection:
        connection.channel().queue_declare(
            name, durable=True, auto_delete=False, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
        )
    send_to_queue(EVENT, rabbitmq)
    with pytest.raises(DeliveryRejected, match="did not accept"):
        send_to_queue(EVENT, rabbitmq)


def test_a_redis_key_of_another_type_rejects_the_event(redis_server: ServiceSettings, name: str) -> None:
    with closing(redis.Redis.from_url(REDIS)) as client:
        client.set(name, "something else")
    with pytest.raises(DeliveryRejected, match="WRONGTYPE"):
        send_to_queue(EVENT, redis_server)


def test_kombu_decodes_and_acknowledges_a_message(rabbitmq: ServiceSettings, name: str) -> None:
    send_to_queue(EVENT, rabbitmq)
    with kombu.Connection(RABBITMQ) as connection, closing(connection.SimpleQueue(name)) as simple:
        message = simple.get(timeout=10)
        assert message.payload == EVENT
        message.ack()
    assert list(read_queue(rabbitmq, remove=False, limit=5)) == []


def test_a_redis_client_that_expects_a_list_loses_nothing(redis_server: ServiceSettings, name: str) -> None:
    send_to_queue(EVENT, redis_server)
    with closing(redis.Redis.from_url(REDIS)) as client, pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.brpop([name], timeout=1)
    assert [json.loads(message) for message in read_queue(redis_server, remove=True, limit=5)] == [EVENT]


def test_the_list_of_an_earlier_version_is_converted_in_order(redis_server: ServiceSettings, name: str) -> None:
    with closing(redis.Redis.from_url(REDIS)) as client:
        client.rpush(name, json.dumps(EVENT | {"id": "1"}), json.dumps(EVENT | {"id": "2"}))
    send_to_queue(EVENT | {"id": "3"}, redis_server)
    assert [json.loads(message)["id"] for message in read_queue(redis_server, remove=True, limit=5)] == ["1", "2", "3"]


def test_the_cloudevents_package_reads_a_message(broker: ServiceSettings, database: Database) -> None:
    add_village_with_alert(database)
    context = _context(broker, database)
    _announce(context)
    assert _run(context, 1) == "delivered"
    (message,) = read_queue(broker, remove=True, limit=5)
    event = JSONFormat().read(CloudEvent, message)
    with database.read() as session:
        stored = session.get_one(Delivery, 1).event
    assert (event.get_id(), event.get_type(), event.get_subject()) == (stored["id"], stored["type"], stored["subject"])
    assert event.get_data() == stored["data"]


def test_peeking_keeps_messages_in_order(broker: ServiceSettings) -> None:
    for index in range(3):
        send_to_queue(EVENT | {"id": str(index)}, broker)
    for _ in range(2):
        assert [json.loads(message)["id"] for message in read_queue(broker, remove=False, limit=2)] == ["0", "1"]


def test_a_message_is_removed_only_when_the_next_one_is_requested(broker: ServiceSettings) -> None:
    for index in range(2):
        send_to_queue(EVENT | {"id": str(index)}, broker)
    reading = read_queue(broker, remove=True, limit=5)
    assert isinstance(next(reading), bytes)
    next(reading)
    reading.close()  # the reader ended while it handled the second one
    assert [json.loads(message)["id"] for message in read_queue(broker, remove=False, limit=5)] == ["1"]


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_an_unreachable_broker_delays_the_delivery(scheme: str, database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings = read_service(broker=f"{scheme}://user:hidden@127.0.0.1:{port}/")
    add_village_with_alert(database)
    context = _context(settings, database)
    _announce(context)
    assert _run(context, 1) == "waiting"
    with database.read() as session:
        delivery = session.get_one(Delivery, 1)
        assert delivery.next_at == NOW + dt.timedelta(seconds=settings.delivery.backoff_seconds[0])
        assert "refused" in delivery.error
        assert "hidden" not in delivery.error
        assert [job.run_after for job in session.scalars(select(Job).order_by(Job.id))] == [NOW, delivery.next_at]


def test_without_a_broker_there_is_no_queue_to_read() -> None:
    with pytest.raises(SettingsError, match="events are written to"):
        list(read_queue(read_service(), remove=False, limit=1))


def test_without_a_broker_events_are_written_to_the_drop_folder(database: Database, tmp_path: Path) -> None:
    add_village_with_alert(database)
    context = _context(read_service(home=tmp_path), database)
    _announce(context)
    assert _run(context, 1) == "delivered"
    (dropped,) = (tmp_path / "delivery").glob("*/*.geojson")
    with database.read() as session:
        event_id = session.get_one(Delivery, 1).event_id
    assert json.loads(dropped.read_text("utf-8"))["properties"]["event_id"] == event_id


def test_a_process_that_dies_after_sending_sends_again_with_the_same_id(
    redis_server: ServiceSettings, database: Database
) -> None:
    add_village_with_alert(database)
    context = _context(redis_server, database)
    _announce(context)
    deliver(context, _job_run(1))  # and dies before its result is committed
    assert _run(context, 1) == "delivered"
    ids = [json.loads(message)["id"] for message in read_queue(redis_server, remove=True, limit=5)]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_a_second_event_is_not_sent_before_the_first(redis_server: ServiceSettings, database: Database) -> None:
    add_village_with_alert(database)
    context = _context(redis_server, database)
    _announce(context, "tuban.alert.created", "tuban.alert.seen_again")
    assert _run(context, 2) == "waiting"
    assert list(read_queue(redis_server, remove=False, limit=5)) == []


def test_a_delivered_event_is_not_sent_again(redis_server: ServiceSettings, database: Database) -> None:
    add_village_with_alert(database)
    context = _context(redis_server, database)
    _announce(context)
    _run(context, 1)
    assert deliver(context, _job_run(1)) is None
    assert len(list(read_queue(redis_server, remove=False, limit=5))) == 1


def test_events_wait_when_their_hook_is_removed_from_the_settings(database: Database, tmp_path: Path) -> None:
    add_village_with_alert(database)
    hooks = [{"url": "https://hook.example/", "secret": "s" * 16}]
    _announce(_context(read_service(broker=REDIS, delivery={"queue": "", "hooks": hooks}), database))
    assert _run(_context(read_service(home=tmp_path), database), 1) == "waiting"
    with database.read() as session:
        assert "no longer contain this hook" in session.get_one(Delivery, 1).error


def test_after_the_last_attempt_a_delivery_is_dead(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    settings: Any = read_service(delivery={"drop_folder": str(tmp_path / "file"), "attempts": 2})
    add_village_with_alert(database)
    context = _context(settings, database)
    _announce(context)
    assert [_run(context, 1), _run(context, 1)] == ["waiting", "dead"]
    with database.read() as session:
        assert "cannot be written" in session.get_one(Delivery, 1).error


def test_events_of_an_alert_arrive_in_order_despite_failures(database: Database, tmp_path: Path) -> None:
    """Jobs run in any order; some attempts fail, and some processes die after sending."""
    rng = random.Random(4)
    received: list[tuple[str, int]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            accepted = rng.random() < 0.7
            if accepted:
                received.append((event["subject"], int(event["sequence"])))
            self.send_response(204 if accepted else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hooks = [{"url": f"http://127.0.0.1:{server.server_address[1]}/", "secret": "s" * 16}]
    delivery = {"hooks": hooks, "allowed_hosts": ["127.0.0.1"], "backoff_seconds": [0], "attempts": 100}
    context = _context(read_service(home=tmp_path, broker=REDIS, delivery={"queue": "", **delivery}), database)
    numbers = ("330106W2026110001", "330106W2026110002")
    add_village_with_alert(database, numbers[0])
    with database.write() as session:
        add_alert(session, numbers[1])
    for _ in range(5):
        for alert_id in (1, 2):
            with database.write() as session:
                alert = session.get_one(AlertRow, alert_id)
                announce(session, alert, "tuban.alert.seen_again", context.settings, NOW)
    try:
        while waiting := _waiting(database):
            job_id, delivery_id = rng.choice(waiting)
            commit = deliver(context, _job_run(delivery_id))
            if rng.random() < 0.2:
                continue  # the process died before its result was committed
            with database.write() as session:
                session.get_one(Job, job_id).state = "done"
                if commit is not None:
                    commit(session)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    for number in numbers:
        sequences = [sequence for subject, sequence in received if subject == number]
        assert sequences == sorted(sequences)
        assert set(sequences) == {1, 2, 3, 4, 5}
    assert len(received) > 10  # some events were sent twice


def _waiting(database: Database) -> list[tuple[int, int]]:
    """Return waiting jobs with their deliveries."""
    with database.read() as session:
        return [(job.id, job.payload["delivery_id"]) for job in list_jobs(session, state="waiting")]
