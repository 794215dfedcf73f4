"""Prometheus metrics and health checks, on 127.0.0.1.

``/metrics`` is computed from the database on each request, so it is correct for any number of processes.
``/health/live`` answers as long as this process does; ``/health/ready`` answers 503 with the reasons when the service
is not able to work.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from configs.version import program_version
from errors import SettingsError
from service.context import Context
from service.monitoring.problems import PROBLEM_KINDS, alive_seconds, cause_of, find_problems
from store.schema.database_errors import DatabaseError
from store.views.statistics import ServiceStatistics, read_statistics

ADDRESS = "127.0.0.1"

logger = structlog.get_logger("tuban.metrics")


class StatisticsCollector(Collector):
    """Prometheus collector that queries the database on each scrape."""

    def __init__(self, context: Context) -> None:
        """Store the context; nothing is queried yet."""
        self._context = context

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics; without the database only problems, version and ``tuban_database_reachable``."""
        found = {problem.kind for problem in find_problems(self._context)}
        yield _gauge(
            "tuban_problem",
            "1: the service has this problem, as `tuban status` describes it",
            ("problem",),
            {(kind,): float(kind in found) for kind in PROBLEM_KINDS},
        )
        yield _gauge("tuban_build_info", "1, with the program's version", ("version",), {(program_version(),): 1})
        reachable = GaugeMetricFamily("tuban_database_reachable", "1: the database answers")
        try:
            statistics = _statistics(self._context)
        except DatabaseError as error:
            logger.warning("database unavailable; no metrics", error=cause_of(error))
            reachable.add_metric((), 0)
            yield reachable
            return
        reachable.add_metric((), 1)
        yield reachable
        yield from to_metrics(statistics)
        yield _gauge("tuban_disk_free_bytes", "Free space in the home folder", (), {(): _free_bytes(self._context)})


def to_metrics(statistics: ServiceStatistics) -> Iterable[Metric]:
    """Convert statistics to Prometheus metrics: counts, seconds, km² per hour and megapixels per hour."""
    yield from _queue_metrics(statistics)
    yield from _scan_metrics(statistics)
    yield from _delivery_metrics(statistics)
    yield from _camera_metrics(statistics)
    yield _gauge("tuban_files", "Files of batches by outcome", ("state",), _single(statistics.files))
    yield _gauge("tuban_alerts", "Alerts in each state", ("state", "kind"), statistics.alerts)
    yield _gauge("tuban_processes", "Processes seen recently", ("part",), _single(statistics.processes))
    if statistics.integrity is not None:
        damaged = {(): statistics.integrity.damaged}
        yield _gauge("tuban_damaged_objects", "Stored objects that are missing or damaged", (), damaged)
    if statistics.audit is not None:
        finished = statistics.audit.finished_at.timestamp()
        yield _gauge("tuban_audit_timestamp_seconds", "Time of the last audit of all alert logs", (), {(): finished})
        yield _gauge(
            "tuban_audit_broken_alerts", "Alerts with a broken log in that audit", (), {(): statistics.audit.broken}
        )


def _queue_metrics(statistics: ServiceStatistics) -> Iterable[Metric]:
    queues = {queue.queue: queue for queue in statistics.queues}
    yield _gauge(
        "tuban_queue_jobs",
        "Waiting, running and dead jobs",
        ("queue", "state"),
        {
            (name, state): getattr(queue, state)
            for name, queue in queues.items()
            for state in ("waiting", "running", "dead")
        },
    )
    yield _gauge(
        "tuban_queue_oldest_seconds",
        "Seconds since the oldest waiting job became due",
        ("queue",),
        {(name,): queue.oldest_seconds for name, queue in queues.items()},
    )
    yield _gauge("tuban_jobs", "Jobs of each kind in each state", ("kind", "state"), statistics.jobs)


def _scan_metrics(statistics: ServiceStatistics) -> Iterable[Metric]:
    yield _gauge("tuban_scans", "Scans in each state", ("state",), _single(statistics.scans))
    recent = statistics.lately
    yield _gauge("tuban_scans_lately", f"Scans done in the last {recent.hours:g} hours", (), {(): recent.scans})
    yield _gauge("tuban_scan_km2_per_hour", "Recent area compared per hour of scanning", (), {(): recent.km2_per_hour})
    yield _gauge(
        "tuban_scan_megapixels_per_hour",
        "Recent megapixels compared per hour of scanning",
        (),
        {(): recent.megapixels_per_hour},
    )
    if statistics.night is not None:
        started = statistics.night.begun_at.timestamp()
        yield _gauge("tuban_night_begun_timestamp_seconds", "Start of the last night", (), {(): started})


def _delivery_metrics(statistics: ServiceStatistics) -> Iterable[Metric]:
    yield _gauge(
        "tuban_deliveries",
        "Waiting, dead and delivered deliveries",
        ("target", "state"),
        {
            (target.target, state): getattr(target, state)
            for target in statistics.targets
            for state in ("waiting", "dead", "delivered")
        },
    )
    yield _gauge(
        "tuban_delivery_oldest_seconds",
        "Age of the oldest undelivered event",
        ("target",),
        {(target.target,): target.oldest_seconds for target in statistics.targets},
    )


def _camera_metrics(statistics: ServiceStatistics) -> Iterable[Metric]:
    yield _gauge(
        "tuban_camera",
        "1 for the current state of each camera",
        ("camera", "state"),
        {(camera.name, camera.state): 1 for camera in statistics.cameras},
    )
    yield _gauge(
        "tuban_camera_captured_timestamp_seconds",
        "Time of the last capture of each camera",
        ("camera",),
        {(camera.name,): camera.captured_at.timestamp() for camera in statistics.cameras if camera.captured_at},
    )


def readiness_problems(context: Context) -> list[str]:
    """Return the reasons why the service does not do all of its work; empty: it is ready."""
    return [str(problem.reason) for problem in find_problems(context)]


class MetricsServer:
    """HTTP server on a background thread, until it is closed."""

    def __init__(self, context: Context, port: int) -> None:
        """Start serving ``/metrics``, ``/health/live`` and ``/health/ready`` on 127.0.0.1.

        Args:
            context: of this process.
            port: TCP port; 0: any free one.

        Raises:
            SettingsError: the port is in use.
        """
        registry = CollectorRegistry(auto_describe=False)
        registry.register(StatisticsCollector(context))
        handler = type("Handler", (_Handler,), {"context": context, "registry": registry})
        try:
            self._server = ThreadingHTTPServer((ADDRESS, port), handler)
        except OSError as error:
            raise SettingsError(
                f"Port {port} of {ADDRESS} cannot be used for metrics ({error.strerror}); set TUBAN_METRICS_PORT."
            ) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    context: Context
    registry: CollectorRegistry
    server_version = "Tuban"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        """Answer one of the three paths."""
        path = urlsplit(self.path).path
        if path == "/metrics":
            self._send(200, generate_latest(self.registry), CONTENT_TYPE_LATEST)
        elif path == "/health/live":
            self._send_json(200, {"live": True, "version": program_version()})
        elif path == "/health/ready":
            reasons = readiness_problems(self.context)
            answer = {"ready": not reasons, "reasons": reasons, "version": program_version()}
            self._send_json(503 if reasons else 200, answer)
        else:
            self._send_json(404, {"paths": ["/metrics", "/health/live", "/health/ready"]})

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  (http.server names it so)
        """Do not log requests."""

    def _send_json(self, status: int, payload: dict[str, Any]) -> None:
        self._send(status, json.dumps(payload, ensure_ascii=False).encode(), "application/json; charset=utf-8")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _statistics(context: Context) -> ServiceStatistics:
    with context.database.read() as session:
        return read_statistics(session, context.clock(), alive_seconds(context.settings))


def _free_bytes(context: Context) -> float:
    return float(shutil.disk_usage(context.settings.home).free)


def _gauge(name: str, description: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    """Return a gauge; ``values`` maps tuples of label values to the value."""
    family = GaugeMetricFamily(name, description, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family


def _single(counts: Mapping[str, int]) -> Mapping[Any, float]:
    return {(name,): count for name, count in counts.items()}
