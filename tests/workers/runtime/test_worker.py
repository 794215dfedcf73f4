"""A real worker process: it shuts down in order, and survives jobs that hang or are killed."""

from __future__ import annotations

import datetime as dt
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.context import Context
from store.jobs.queue import add_job
from tests.workers.counting import counted
from tests.workers.embedded import context_in, job_of, until
from tests.workers.runtime.own_process import OwnProcess, alive, environment_of
from workers.runtime.reaper import reap

pytestmark = pytest.mark.slow

WAIT = 240.0  # upper limit in seconds; waits end as soon as their condition holds


@contextmanager
def running_worker(tmp_path: Path, **settings: Any) -> Iterator[tuple[Context, OwnProcess]]:
    context = context_in(tmp_path, **settings)
    context.clock = lambda: dt.datetime.now(dt.UTC)
    arguments = ("--queues", "scan", "--processes", "1")
    with OwnProcess(environment_of(context.settings), "tests.workers.runtime.own_worker", arguments) as worker:
        yield context, worker
    context.database.close()


def publish_job(context: Context, kind: str) -> int:
    with context.database.write() as session:
        job_id = add_job(session, kind=kind, queue="scan", payload={}, unique_key=kind, now=context.clock())
    assert job_id is not None
    return job_id


def until_state(context: Context, job_id: int, state: str) -> None:
    until(lambda: job_of(context, job_id).state == state, WAIT)


def test_a_worker_that_shuts_down_releases_its_job(broker: str, tmp_path: Path) -> None:
    with running_worker(tmp_path, broker=broker) as (context, worker):
        job_id = publish_job(context, "stop.patient")
        until_state(context, job_id, "running")
        worker.process.terminate()
        worker.process.join(WAIT)
        assert worker.process.exitcode == 0
        waiting = job_of(context, job_id)
        assert (waiting.state, waiting.attempts) == ("waiting", 0)


def test_a_worker_that_shuts_down_finishes_a_job_that_is_nearly_done(tmp_path: Path) -> None:
    with running_worker(tmp_path, jobs={"heartbeat_seconds": 0.2}) as (context, worker):
        job_id = publish_job(context, "stop.brief")
        until(lambda: job_of(context, job_id).progress == 0.5, WAIT)
        worker.process.terminate()
        worker.process.join(WAIT)
        assert worker.process.exitcode == 0
        assert job_of(context, job_id).state == "done"
        assert counted(context.database) == 1


def test_no_child_outlives_a_killed_worker(tmp_path: Path) -> None:
    with running_worker(tmp_path) as (context, worker):
        until_state(context, publish_job(context, "stop.counting"), "done")
        children = [child.pid for child in psutil.Process(worker.process.pid).children()]
        worker.process.kill()
        until(lambda: not any(alive(child) for child in children), WAIT)
        assert children


def test_the_next_job_runs_after_an_idle_child_was_killed(broker: str, tmp_path: Path) -> None:
    with running_worker(tmp_path, broker=broker) as (context, worker):
        first = publish_job(context, "stop.counting")
        until_state(context, first, "done")
        (child,) = psutil.Process(worker.process.pid).children()
        os.kill(child.pid, signal.SIGKILL)
        with context.database.write() as session:
            second = add_job(
                session, kind="stop.counting", queue="scan", payload={}, unique_key="2", now=context.clock()
            )
        assert second is not None
        until_state(context, second, "done")


def test_a_job_that_exceeds_its_time_limit_is_interrupted(tmp_path: Path) -> None:
    with running_worker(tmp_path, limits={"scan_minutes": 0.02}) as (context, _):
        job_id = publish_job(context, "stop.slow")
        until(lambda: job_of(context, job_id).error != "", WAIT)
        assert job_of(context, job_id).error == "it took longer than 0.02 minutes"


def test_a_job_that_cannot_be_interrupted_is_killed_retried_and_finally_dead(tmp_path: Path) -> None:
    jobs = {"attempts": 2, "lease_seconds": 2, "heartbeat_seconds": 0.2}
    with running_worker(tmp_path, limits={"scan_minutes": 0.04, "kill_seconds": 4.0}, jobs=jobs) as (context, _):
        job_id = publish_job(context, "stop.stubborn")

        def dead() -> bool:
            reap(context)
            return job_of(context, job_id).state == "dead"

        until(dead, WAIT)
        assert job_of(context, job_id).attempts == 2
        assert job_of(context, job_id).error == "it took longer than 0.04 minutes"
        until_state(context, publish_job(context, "stop.counting"), "done")
