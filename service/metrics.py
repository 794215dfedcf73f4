"""Metrics for Prometheus and the state of health, on 127.0.0.1.

``/metrics`` is counted in the database when it is asked for, so it is right whatever number of processes there is.
``/health/live`` answers as long as this process does; ``/health/ready`` answers 503, with the reasons, when the
service cannot do its work.
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

from errors import SettingsError
from service.context import Context
from store.schema.database_errors import DatabaseError
from store.views.statistics import ALIVE_SECONDS, ServiceStatistics, read_statistics

ADDRESS = "127.0.0.1"

logger = structlog.get_logger("tuban.metrics")


class FigureCollector(Collector):
    """Counts when it is asked."""

    def __init__(self, context: Context) -> None:
        """Nothing is counted yet."""
        self._context = context

    def collect(self) -> Iterable[Metric]:
        """All metrics; only that the database does not answer, when it does not."""
        reachable = GaugeMetricFamily("tuban_database_reachable", "1: the database answers")
        try:
            figures = _figures(self._context)
        except DatabaseError as error:
            logger.warning("no metrics: the database does not answer", error=_cause(error))
            reachable.add_metric((), 0)
            yield reachable
            return
        reachable.add_metric((), 1)
        yield reachable
        yield from to_metrics(figures)
        yield _gauge("tuban_disk_free_bytes", "Room in the service's folder", (), {(): _free_bytes(self._context)})


def to_metrics(figures: ServiceStatistics) -> Iterable[Metric]:
    """ServiceStatistics as metrics of Prometheus: seconds, km² and megapixels an hour, counts."""
    queues = {queue.queue: queue for queue in figures.queues}
    yield _gauge(
        "tuban_queue_jobs",
        "Jobs that wait, run or are dead",
        ("queue", "state"),
        {
            (name, state): getattr(queue, state)
            for name, queue in queues.items()
            for state in ("waiting", "running", "dead")
        },
    )
    yield _gauge(
        "tuban_queue_oldest_seconds",
        "For how long the oldest waiting job could have begun",
        ("queue",),
        {(name,): queue.oldest_seconds for name, queue in queues.items()},
    )
    yield _gauge("tuban_jobs", "Jobs of each kind in each state", ("kind", "state"), figures.jobs)
    yield _gauge("tuban_scans", "Scans in each state", ("state",), _single(figures.scans))
    lately = figures.lately
    yield _gauge("tuban_scans_lately", f"Scans done in {lately.hours:g} hours", (), {(): lately.scans})
    yield _gauge(
        "tuban_scan_km2_per_hour", "Ground compared in an hour of scanning, lately", (), {(): lately.km2_per_hour}
    )
    yield _gauge(
        "tuban_scan_megapixels_per_hour",
        "Megapixels compared in an hour of scanning, lately",
        (),
        {(): lately.megapixels_per_hour},
    )
    yield _gauge("tuban_files", "Files of batches by what became of them", ("state",), _single(figures.files))
    yield _gauge("tuban_alerts", "Alerts in each state", ("state", "kind"), figures.alerts)
    yield _gauge(
        "tuban_deliveries",
        "Deliveries that wait, are dead, were delivered",
        ("target", "state"),
        {
            (target.target, state): getattr(target, state)
            for target in figures.targets
            for state in ("waiting", "dead", "delivered")
        },
    )
    yield _gauge(
        "tuban_delivery_oldest_seconds",
        "Age of the oldest delivery that was not taken yet",
        ("target",),
        {(target.target,): target.oldest_seconds for target in figures.targets},
    )
    yield _gauge("tuban_processes", "Processes seen lately", ("part",), _single(figures.processes))
    yield _gauge(
        "tuban_camera",
        "1 for the state that each camera is in",
        ("camera", "state"),
        {(camera.name, camera.state): 1 for camera in figures.cameras},
    )
    yield _gauge(
        "tuban_camera_captured_timestamp_seconds",
        "When each camera was captured last",
        ("camera",),
        {(camera.name,): camera.captured_at.timestamp() for camera in figures.cameras if camera.captured_at},
    )
    if figures.night is not None:
        begun = figures.night.begun_at.timestamp()
        yield _gauge("tuban_night_begun_timestamp_seconds", "When the last night began", (), {(): begun})
    if figures.audit is not None:
        ended = figures.audit.finished_at.timestamp()
        yield _gauge("tuban_audit_timestamp_seconds", "When the logs of all alerts were last verified", (), {(): ended})
        yield _gauge("tuban_audit_broken_alerts", "Alerts whose log was broken then", (), {(): figures.audit.broken})


def readiness_problems(context: Context) -> list[str]:
    """Why the service cannot do its work; empty: it can."""
    reasons = []
    try:
        if not _figures(context).processes.get("worker"):
            reasons.append(f"no worker was seen within {_alive_seconds(context):g} seconds")
    except DatabaseError as error:
        reasons.append(f"the database does not answer: {_cause(error)}")
    try:
        free, least = _free_bytes(context) / 2**20, context.settings.limits.free_disk_mib
        if free < least:
            reasons.append(f"{free:.0f} MiB are free in {context.settings.home}; {least} are needed")
    except OSError as error:
        reasons.append(f"the folder {context.settings.home} cannot be read: {error.strerror}")
    return reasons


class MetricsServer:
    """Serves until it is closed, on threads of its own."""

    def __init__(self, context: Context, port: int) -> None:
        """Begin to serve.

        Args:
            context: of this process.
            port: on 127.0.0.1; 0: any free one.

        Raises:
            SettingsError: the port is taken.
        """
        registry = CollectorRegistry(auto_describe=False)
        registry.register(FigureCollector(context))
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


def serve(context: Context, port: int) -> MetricsServer:
    """Serve ``/metrics``, ``/health/live`` and ``/health/ready`` on 127.0.0.1.

    Raises:
        SettingsError: the port is taken.
    """
    return MetricsServer(context, port)


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
            self._answer(200, generate_latest(self.registry), CONTENT_TYPE_LATEST)
        elif path == "/health/live":
            self._tell(200, {"live": True})
        elif path == "/health/ready":
            reasons = readiness_problems(self.context)
            self._tell(503 if reasons else 200, {"ready": not reasons, "reasons": reasons})
        else:
            self._tell(404, {"paths": ["/metrics", "/health/live", "/health/ready"]})

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  (http.server names it so)
        """Requests are not worth a line."""

    def _tell(self, status: int, told: dict[str, Any]) -> None:
        self._answer(status, json.dumps(told, ensure_ascii=False).encode(), "application/json; charset=utf-8")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _figures(context: Context) -> ServiceStatistics:
    with context.database.read() as session:
        return read_statistics(session, context.clock(), _alive_seconds(context))


def _alive_seconds(context: Context) -> float:
    return max(ALIVE_SECONDS, 2 * context.settings.jobs.heartbeat_seconds)


def _free_bytes(context: Context) -> float:
    return float(shutil.disk_usage(context.settings.home).free)


def _gauge(name: str, said: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    """A metric; ``values`` is by the values of its labels, as tuples."""
    family = GaugeMetricFamily(name, said, labels=labels)
    for label, value in values.items():
        family.add_metric(label, value)
    return family


def _single(counts: Mapping[str, int]) -> Mapping[Any, float]:
    return {(name,): count for name, count in counts.items()}


def _cause(error: DatabaseError) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
