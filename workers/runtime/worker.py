"""One worker process and its children: ``python -m workers.runtime.worker --queues scan --processes 2``."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
import warnings
from functools import cache
from typing import Any

from celery import Celery, signals
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import SecurityWarning

from configs.service import ServiceSettings, read_service
from service.context import Context
from service.job_registry import queue_name
from service.logs import set_up_logging
from service.process import exit_with_parent
from service.publishing import TASK
from workers.runtime import shutdown
from workers.runtime.celery_app import make_app
from workers.runtime.job_runner import run_job


def main(arguments: list[str] | None = None) -> int:
    """Work until asked to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers.runtime.worker", description=__doc__)
    parser.add_argument("--queues", required=True, help="ingest, scan, deliver, capture; several with commas")
    parser.add_argument("--processes", type=int, default=1, help="jobs done at once")
    parser.add_argument("--parent", type=int, default=0, help="end with this process")
    given = parser.parse_args(arguments)
    if given.parent:
        exit_with_parent(given.parent)
    settings = read_service()
    set_up_logging(settings)
    return work(settings, given.queues.split(","), given.processes)


def work(settings: ServiceSettings, queues: list[str], processes: int) -> int:
    """Work off ``queues`` with so many children, until asked to stop; returns the exit code."""
    threads = compute_threads(processes)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["OMP_WAIT_POLICY"] = "passive"  # threads that spin while they wait slow all processes down sevenfold
    for noisy in ("celery.worker.strategy", "celery.app.trace"):  # two lines for each message; a job has its own line
        logging.getLogger(noisy).setLevel(logging.WARNING)
    warnings.simplefilter("ignore", SecurityWarning)  # about pickle as root: messages are JSON, and hold a number
    warnings.simplefilter("ignore", CPendingDeprecationWarning)  # about jobs that outlive a connection: they shall
    app = make_app(settings)
    _add_task(app, settings, threads)
    signals.worker_shutting_down.connect(_on_stop, weak=False)
    worker: Any = app.Worker(
        hostname=f"{'+'.join(queues)}@{socket.gethostname()}",
        queues=[queue_name(queue) for queue in queues],
        concurrency=processes,
        pool="prefork",
        optimization="fair",
        loglevel=settings.log.level.upper(),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def compute_threads(processes: int) -> int:
    """Threads for each of so many processes that compute."""
    return max(1, (os.cpu_count() or 1) // max(1, processes))


def _add_task(app: Celery, settings: ServiceSettings, threads: int) -> None:
    @cache
    def context() -> Context:  # first called in a child, after the fork
        return Context.from_settings(settings, threads)

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def run(job_id: int) -> None:
        run_job(context(), job_id)


def _on_stop(**_: object) -> None:
    shutdown.request_shutdown()


if __name__ == "__main__":
    sys.exit(main())
