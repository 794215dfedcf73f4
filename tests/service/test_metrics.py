"""Metrics and health checks, computed from the database on each request."""

from __future__ import annotations

import datetime as dt
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from configs.service import read_service
from errors import SettingsError
from service.context import Context
from service.metrics import MetricsServer
from service.monitoring.problems import PROBLEM_KINDS
from store.alerts.outbox import announce, mark_delivered, mark_failed
from store.jobs.processes import record_heartbeat
from store.jobs.queue import add_job, claim
from store.scans.nights import open_night
from store.schema.database import Database
from store.schema.tables import AlertRow, Scan
from store.views.statistics import read_statistics, shown_target
from tests.store.sample_alerts import NOW, add_village_with_alert

HOOKS = [{"url": f"https://hook.example/in?key={key}", "secret": "s" * 16} for key in ("one", "two")]


@pytest.fixture
def database(sqlite: Database) -> Database:
    """SQLite; :func:`tests.databases.each_database` covers what may differ on PostgreSQL."""
    return sqlite


@pytest.fixture
def context(database: Database, tmp_path: Path) -> Context:
    return Context(read_service(home=tmp_path, delivery={"hooks": HOOKS}), database, lambda: NOW)


@pytest.fixture
def server(context: Context) -> Iterator[MetricsServer]:
    server = MetricsServer(context, 0)
    yield server
    server.close()


def _get(server: MetricsServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _metrics(server: MetricsServer) -> dict[tuple[str, ...], float]:
    """Return metric values by name and label values."""
    status, body = _get(server, "/metrics")
    assert status == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


def _announce_alert(context: Context) -> None:
    add_village_with_alert(context.database)
    with context.database.write() as session:
        announce(session, session.get_one(AlertRow, 1), "tuban.alert.created", context.settings, NOW)


def test_queues_are_counted_with_the_age_of_the_oldest_job(context: Context, server: MetricsServer) -> None:
    early = NOW - dt.timedelta(seconds=90)
    with context.database.write() as session:
        for index in range(3):
            add_job(session, kind="scan.blocks", queue="scan", payload={}, unique_key=f"{index}", now=early)
        claim(session, 1, "somebody", NOW, 60)
    metrics = _metrics(server)
    assert metrics["tuban_build_info", version("tuban")] == 1
    assert metrics["tuban_queue_jobs", "scan", "waiting"] == 2
    assert metrics["tuban_queue_jobs", "scan", "running"] == 1
    assert metrics["tuban_queue_jobs", "ingest", "waiting"] == 0
    assert metrics["tuban_queue_oldest_seconds", "scan"] == 90
    assert metrics["tuban_jobs", "scan.blocks", "running"] == 1


def test_alerts_and_deliveries_are_counted(context: Context, server: MetricsServer) -> None:
    _announce_alert(context)
    with context.database.write() as session:
        mark_delivered(session, 1, NOW)
        mark_failed(session, 2, "refused", NOW, attempts=1, backoff_seconds=())
    metrics = _metrics(server)
    assert metrics["tuban_alerts", "construction", "new"] == 1
    assert metrics["tuban_deliveries", "delivered", "drop"] == 1
    hook = "hook:https://hook.example/in"
    assert (metrics["tuban_deliveries", "dead", hook], metrics["tuban_deliveries", "waiting", hook]) == (1, 1)


def test_the_key_of_a_hook_is_not_exposed(context: Context, server: MetricsServer) -> None:
    _announce_alert(context)
    assert "key=" not in _get(server, "/metrics")[1]
    assert shown_target("hook:https://hook.example/in?key=one") == "hook:https://hook.example/in"


def test_scan_rates_refer_to_the_time_in_which_scans_ran(context: Context, server: MetricsServer) -> None:
    add_village_with_alert(context.database)  # 2 km² at 0.5 m in half an hour
    metrics = _metrics(server)
    assert metrics["tuban_scan_km2_per_hour",] == pytest.approx(4.0)
    assert metrics["tuban_scan_megapixels_per_hour",] == pytest.approx(16.0)
    assert metrics["tuban_scans", "done"] == 1


def test_concurrent_scans_count_their_time_once(context: Context) -> None:
    add_village_with_alert(context.database)
    with context.database.write() as session:
        first = session.get_one(Scan, 1)
        columns = [column.name for column in Scan.__table__.columns if column.name not in ("id", "unique_key")]
        session.add(Scan(unique_key="scan 2", **{name: getattr(first, name) for name in columns}))
        session.flush()
        lately = read_statistics(session, NOW).lately
    assert (lately.scans, lately.km2, lately.busy_hours) == (2, 4.0, 0.5)


def test_old_scans_do_not_count_for_the_rate(context: Context) -> None:
    add_village_with_alert(context.database)
    with context.database.read() as session:
        lately = read_statistics(session, NOW + dt.timedelta(days=2)).lately
    assert (lately.scans, lately.km2_per_hour) == (0, 0.0)


def test_statistics_have_the_last_night_and_live_processes(context: Context) -> None:
    with context.database.write() as session:
        open_night(session, dt.date(2026, 11, 30), NOW - dt.timedelta(days=1))
        open_night(session, dt.date(2026, 12, 1), NOW)
        record_heartbeat(session, "host:2:light", "worker", NOW - dt.timedelta(hours=1))
        record_heartbeat(session, "host:1:light", "worker", NOW)
    with context.database.read() as session:
        statistics = read_statistics(session, NOW)
    assert statistics.night is not None
    assert statistics.night.day == dt.date(2026, 12, 1)
    assert statistics.processes == {"worker": 1}


def test_statistics_are_equal_on_each_database(each_database: Database) -> None:
    add_village_with_alert(each_database)
    with each_database.write() as session:
        announce(session, session.get_one(AlertRow, 1), "tuban.alert.created", read_service(), NOW)
        open_night(session, dt.date(2026, 12, 1), NOW)
        record_heartbeat(session, "host:1:light", "worker", NOW)
    with each_database.read() as session:
        statistics = read_statistics(session, NOW + dt.timedelta(seconds=5))
    assert {queue.queue: (queue.waiting, queue.oldest_seconds) for queue in statistics.queues} == {
        "ingest": (0, 0),
        "scan": (0, 0),
        "deliver": (1, 5),
        "capture": (0, 0),
    }
    assert statistics.jobs == {("deliver", "waiting"): 1}
    assert statistics.alerts == {("new", "construction"): 1}
    assert statistics.scans == {"done": 1}
    assert statistics.lately.km2_per_hour == pytest.approx(4.0)
    assert [(target.target, target.waiting, target.oldest_seconds) for target in statistics.targets] == [("drop", 1, 5)]
    assert statistics.night is not None
    assert (statistics.processes, statistics.night.begun_at) == ({"worker": 1}, NOW)


def test_metrics_follow_the_database(context: Context, server: MetricsServer) -> None:
    assert _metrics(server).get(("tuban_processes", "worker")) is None
    with context.database.write() as session:
        record_heartbeat(session, "host:1:light", "worker", NOW)
    assert _metrics(server)["tuban_processes", "worker"] == 1


def _ready(server: MetricsServer) -> tuple[int, list[str]]:
    status, body = _get(server, "/health/ready")
    payload: dict[str, Any] = json.loads(body)
    assert payload["ready"] == (status == 200)
    return status, payload["reasons"]


def test_ready_after_the_heartbeat_of_a_worker(context: Context, server: MetricsServer) -> None:
    status, reasons = _ready(server)
    assert status == 503
    assert [reason.partition(" was ")[0] for reason in reasons] == ["No worker", "The schedule"]
    with context.database.write() as session:
        record_heartbeat(session, "host:1:light", "worker", NOW)
        record_heartbeat(session, "host:2:schedule", "schedule", NOW)
    assert _ready(server) == (200, [])


def test_not_ready_with_a_full_disk(context: Context, database: Database) -> None:
    limits = context.settings.limits.model_copy(update={"free_disk_mib": 10**9})
    full = Context(context.settings.model_copy(update={"limits": limits}), database, lambda: NOW)
    server = MetricsServer(full, 0)
    status, reasons = _ready(server)
    server.close()
    assert status == 503
    assert any("2000000000 are needed" in reason for reason in reasons)


@pytest.fixture
def unreachable(tmp_path: Path) -> Iterator[MetricsServer]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    database = Database(f"postgresql+psycopg://tuban:hidden@127.0.0.1:{port}/tuban")
    server = MetricsServer(Context(read_service(home=tmp_path), database, lambda: NOW), 0)
    yield server
    server.close()
    database.close()


def test_not_ready_but_alive_without_the_database(unreachable: MetricsServer) -> None:
    status, reasons = _ready(unreachable)
    assert status == 503
    assert reasons[0].startswith("The database does not answer: ")
    assert "hidden" not in reasons[0]
    assert _get(unreachable, "/health/live")[0] == 200


def test_without_the_database_only_it_and_the_version_are_measured(unreachable: MetricsServer) -> None:
    measured = _metrics(unreachable)
    problems = {kind: measured.pop(("tuban_problem", kind)) for kind in PROBLEM_KINDS}
    assert measured == {("tuban_database_reachable",): 0, ("tuban_build_info", version("tuban")): 1}
    assert [kind for kind, value in problems.items() if value] == ["database"]


def test_other_paths_are_not_found(server: MetricsServer) -> None:
    assert _get(server, "/etc/passwd")[0] == 404


def test_metrics_are_served_on_loopback_only(server: MetricsServer) -> None:
    assert server._server.server_address[0] == "127.0.0.1"


def test_a_port_in_use_is_an_error(context: Context, server: MetricsServer) -> None:
    with pytest.raises(SettingsError, match="cannot be used for metrics"):
        MetricsServer(context, server.port)
