"""One job from claim to end: its effects happen exactly once or not at all."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import text
from sqlalchemy.orm import Session

from errors import OutputError, TubanError
from service.broker import queue_lengths
from service.context import Commit, Context, JobRun
from service.job_registry import ReleaseJob
from store.jobs.processes import list_processes
from store.jobs.queue import add_job, claim
from store.schema.database import Database
from tests.workers.counting import count, counted, counting
from tests.workers.embedded import NOW, clock_of, context_in, given_job, job_of, until, use_kinds
from workers.runtime import shutdown
from workers.runtime.job_runner import claim_job, run_job


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    context = context_in(tmp_path)
    yield context
    context.database.close()


@pytest.fixture
def shutting_down() -> Iterator[None]:
    shutdown.request_shutdown()
    yield
    shutdown._TIMESTAMP.pack_into(shutdown._shared, 0, 0.0)


def test_a_job_runs_once(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_in(tmp_path, database)
    use_kinds(monkeypatch, counting=counting)
    job_id = given_job(context, "counting")
    assert [run_job(context, job_id) for _ in range(2)] == ["done", "unavailable"]
    assert counted(database) == 1
    done = job_of(context, job_id)
    assert (done.state, done.progress, done.finished_at) == ("done", 1.0, context.clock())


def test_a_process_that_claims_many_jobs_records_few_heartbeats(context: Context) -> None:
    """Each is a row that all workers of a large installation would otherwise write again and again."""
    jobs = [given_job(context, "counting", str(number)) for number in range(4)]
    seen = []
    for job_id, pause in zip(jobs, (0, 1, 13, 1), strict=True):
        clock_of(context).forward(pause)
        assert claim_job(context, job_id, "here:1:2") is not None
        with context.database.read() as session:
            [process] = list_processes(session, context.clock() - dt.timedelta(hours=1))
        seen.append((process.seen_at - NOW).total_seconds())
    assert seen == [0, 0, 0, 15]


def test_jobs_that_a_result_adds_are_published(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(context: Context, job: JobRun) -> Commit:
        def commit(session: Session) -> None:
            for queue in ("scan", "deliver"):
                add_job(session, kind="x", queue=queue, payload={}, unique_key=queue, now=context.clock())

        return commit

    use_kinds(monkeypatch, parent=handler)
    assert run_job(context, given_job(context, "parent")) == "done"
    assert queue_lengths(context.settings) == {"ingest": 0, "scan": 1, "deliver": 1, "capture": 0}


def test_a_handler_without_a_result_ends_its_job(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    use_kinds(monkeypatch, nothing=lambda context, job: None)
    assert run_job(context, given_job(context, "nothing")) == "done"


def test_a_result_that_fails_is_rolled_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handler(context: Context, job: JobRun) -> Commit:
        def commit(session: Session) -> None:
            count(session)
            session.flush()
            raise RuntimeError("half way")

        return commit

    context = context_in(tmp_path, database)
    use_kinds(monkeypatch, failing=handler)
    job_id = given_job(context, "failing")
    assert run_job(context, job_id) == "waiting"
    assert counted(database) == 0
    waiting = job_of(context, job_id)
    assert (waiting.state, waiting.error) == ("waiting", "RuntimeError: half way")
    assert (waiting.run_after - context.clock()).total_seconds() == 5


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (TubanError("no such scene"), "dead", "no such scene"),
        (OutputError("disk full"), "waiting", "disk full"),
        (ConnectionError("reset"), "waiting", "ConnectionError: reset"),
        (SoftTimeLimitExceeded(), "waiting", "it took longer than 60 minutes"),
    ],
)
def test_permanent_errors_leave_the_job_dead_and_others_are_retried(
    context: Context, monkeypatch: pytest.MonkeyPatch, error: Exception, outcome: str, message: str
) -> None:
    def handler(context: Context, job: JobRun) -> None:
        raise error

    use_kinds(monkeypatch, failing=handler)
    job_id = given_job(context, "failing")
    assert run_job(context, job_id) == outcome
    assert job_of(context, job_id).error == message


def test_a_failed_last_attempt_leaves_the_job_dead(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(context: Context, job: JobRun) -> None:
        raise RuntimeError(f"attempt {job.attempt}")

    use_kinds(monkeypatch, failing=handler)
    job_id = given_job(context, "failing")
    outcomes = []
    for _ in range(context.settings.jobs.attempts):
        outcomes.append(run_job(context, job_id))
        clock_of(context).forward(1000)
    assert outcomes == ["waiting", "waiting", "waiting", "dead"]
    assert job_of(context, job_id).error == "RuntimeError: attempt 4"


def test_a_job_of_an_unknown_kind_is_dead(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    use_kinds(monkeypatch)
    assert run_job(context, given_job(context, "of.the.future")) == "dead"


def test_a_worker_that_lost_its_lease_has_no_effect(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_in(tmp_path, database)

    def handler(context: Context, job: JobRun) -> Commit:
        clock_of(context).forward(61)
        with context.database.write() as session:
            assert claim(session, job.job_id, "another:1:2", context.clock(), 60) is not None
        return counting(context, job)

    use_kinds(monkeypatch, slow=handler)
    job_id = given_job(context, "slow")
    assert run_job(context, job_id) == "lost"
    assert counted(database) == 0
    assert job_of(context, job_id).lease_owner == "another:1:2"


def test_the_lease_is_renewed_with_the_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_in(tmp_path, jobs={"heartbeat_seconds": 0.05})

    def handler(context: Context, job: JobRun) -> Commit:
        first = job_of(context, job.job_id).lease_until
        clock_of(context).forward(30)
        job.progress(0.5)
        until(lambda: job_of(context, job.job_id).lease_until != first)
        assert job_of(context, job.job_id).progress == 0.5
        return counting(context, job)

    use_kinds(monkeypatch, long=handler)
    assert run_job(context, given_job(context, "long")) == "done"


def test_reporting_progress_raises_when_the_lease_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_in(tmp_path, jobs={"heartbeat_seconds": 0.05})

    def handler(context: Context, job: JobRun) -> None:
        clock_of(context).forward(61)
        with context.database.write() as session:
            if claim(session, job.job_id, "another:1:2", context.clock(), 60) is None:
                raise AssertionError("the lease was renewed first")
        last = time.monotonic() + 60
        while time.monotonic() < last:
            job.progress(0.5)

    use_kinds(monkeypatch, long=handler)
    assert run_job(context, given_job(context, "long")) == "lost"


def test_a_released_job_is_republished_immediately(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(context: Context, job: JobRun) -> None:
        raise ReleaseJob

    use_kinds(monkeypatch, long=handler)
    job_id = given_job(context, "long")
    assert run_job(context, job_id) == "released"
    assert queue_lengths(context.settings)["scan"] == 1
    waiting = job_of(context, job_id)
    assert (waiting.state, waiting.attempts) == ("waiting", 0)


@pytest.mark.usefixtures("shutting_down")
def test_a_worker_that_is_shutting_down_starts_no_job(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    use_kinds(monkeypatch, counting=counting)
    assert run_job(context, given_job(context, "counting")) == "released"
    assert counted(context.database) == 0


IGNORES_THE_SHUTDOWN = """
import sys, time
from pathlib import Path
import pytest
from tests.workers.embedded import context_in, given_job, use_kinds
from workers.runtime import job_runner, shutdown
swallowed = []
interrupt = job_runner._interrupt
def first_is_discarded(*given):  # as within a finalizer
    if not swallowed:
        return swallowed.append(1)
    interrupt(*given)
job_runner._interrupt = first_is_discarded
job_runner.POLL_SECONDS = job_runner.REPEAT_SECONDS = 0.05
shutdown.GRACE_SECONDS = 0.0
def handler(context, job):
    shutdown.request_shutdown()
    last = time.monotonic() + 60
    while time.monotonic() < last:
        pass
context = context_in(Path(sys.argv[1]))
with pytest.MonkeyPatch.context() as patch:
    use_kinds(patch, stubborn=handler)
    print(job_runner.run_job(context, given_job(context, "stubborn")), len(swallowed))
context.database.close()
"""


def test_a_handler_that_ignores_the_shutdown_is_interrupted_after_the_grace_period(tmp_path: Path) -> None:
    """In a process of its own, whose signals are not those of the test run."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", IGNORES_THE_SHUTDOWN, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["released 1"]), done.stderr


@pytest.mark.parametrize(
    ("signal", "stops", "attempts", "message"),
    [
        (SystemExit, True, 0, ""),
        (KeyboardInterrupt, False, 0, ""),
        (SystemExit, False, 1, "its process was terminated"),
    ],
)
def test_an_interrupted_job_is_retried_and_counts_as_an_attempt_unless_the_worker_is_shutting_down(
    signal: type[BaseException],
    stops: bool,
    attempts: int,
    message: str,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    def handler(context: Context, job: JobRun) -> None:
        if stops:
            request.getfixturevalue("shutting_down")
        raise signal

    use_kinds(monkeypatch, ended=handler)
    job_id = given_job(context, "ended")
    with pytest.raises(signal):
        run_job(context, job_id)
    waiting = job_of(context, job_id)
    assert (waiting.state, waiting.attempts, waiting.error) == ("waiting", attempts, message)


def test_no_job_starts_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_in(tmp_path)
    use_kinds(monkeypatch, counting=counting)
    job_id = given_job(context, "counting")
    limits = context.settings.limits.model_copy(update={"free_disk_mib": 10**9})
    context.settings = context.settings.model_copy(update={"limits": limits})
    assert run_job(context, job_id) == "waiting"
    assert "MiB are free" in job_of(context, job_id).error
    assert counted(context.database) == 0


def test_a_result_is_written_again_after_the_connection_is_lost(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_in(tmp_path, postgresql)
    attempts: list[Any] = []

    def handler(context: Context, job: JobRun) -> Commit:
        def commit(session: Session) -> None:
            count(session)
            session.flush()
            attempts.append(None)
            if len(attempts) == 1:
                session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        return commit

    use_kinds(monkeypatch, cut=handler)
    assert run_job(context, given_job(context, "cut")) == "done"
    assert (len(attempts), counted(context.database)) == (2, 1)
