"""Worker process with child processes: ``python -m workers.runtime.worker --queues scan --processes 2``."""

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

from configs.machine import usable_cores
from configs.service import ServiceSettings, read_service
from errors import TubanError
from service.context import Context
from service.installed_weights import check_detector
from service.job_registry import queue_name
from service.logs import log_version, set_up_logging
from service.process import exit_with_parent
from service.publishing import TASK
from workers.runtime import shutdown
from workers.runtime.celery_app import make_app
from workers.runtime.job_runner import run_job


def main(arguments: list[str] | None = None) -> int:
    """Run a worker until it is stopped; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers.runtime.worker", description=__doc__)
    parser.add_argument("--queues", required=True, help="ingest, scan, deliver, capture; separated by commas")
    parser.add_argument("--processes", type=int, default=1, help="number of jobs run at once")
    parser.add_argument("--parent", type=int, default=0, help="exit when the process with this pid ends")
    options = parser.parse_args(arguments)
    if options.parent:
        exit_with_parent(options.parent)
    settings = read_service()
    set_up_logging(settings)
    log_version("worker")
    queues = options.queues.split(",")
    if "scan" in queues:
        try:
            check_scan_worker(settings)
        except TubanError as error:
            logging.getLogger("tuban.worker").error("the worker does not start: %s", error)
            return error.exit_code
    return run_worker(settings, queues, options.processes)


def check_scan_worker(settings: ServiceSettings) -> None:
    """Check that scans can run: weights and runtime.

    Raises:
        TubanError: they cannot; see :func:`service.installed_weights.check_detector`.
    """
    context = Context.from_settings(settings)
    try:
        check_detector(settings, context.database, context.objects)
    finally:
        context.database.close()


def run_worker(settings: ServiceSettings, queues: list[str], processes: int) -> int:
    """Consume ``queues`` with the given number of child processes until stopped; return the exit code."""
    threads = threads_per_process(processes)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["OMP_WAIT_POLICY"] = "passive"  # busy-waiting threads slow all processes down sevenfold
    for noisy in ("celery.worker.strategy", "celery.app.trace"):  # two lines per message; each job logs its own line
        logging.getLogger(noisy).setLevel(logging.WARNING)
    warnings.simplefilter("ignore", SecurityWarning)  # about pickle as root: messages are JSON with an integer
    warnings.simplefilter("ignore", CPendingDeprecationWarning)  # about jobs outliving a connection: intended here
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


def threads_per_process(processes: int) -> int:
    """Return the number of compute threads for each of ``processes`` processes."""
    return max(1, usable_cores() // max(1, processes))


def _add_task(app: Celery, settings: ServiceSettings, threads: int) -> None:
    @cache
    def context() -> Context:  # first called in a child process, after the fork
        return Context.from_settings(settings, threads)

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def run(job_id: int) -> None:
        run_job(context(), job_id)


def _on_stop(**_: object) -> None:
    shutdown.request_shutdown()


if __name__ == "__main__":
    sys.exit(main())
