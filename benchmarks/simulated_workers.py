"""Simulated workers that claim and finish block jobs by the functions of a worker, for ``benchmarks.jobs``."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from configs.service import JobSettings, ServiceSettings
from service.context import Context
from store.jobs.queue import ClaimedJob, LeaseLost, finish
from store.jobs.recovery import due_jobs, has_unpublished_jobs, mark_published
from store.schema.database import Database
from store.schema.database_errors import DatabaseError
from store.schema.tables import Job
from store.views.statistics import read_statistics
from workers.runtime.job_runner import claim_job

LEASE_SECONDS = 5.0
"""Short, so that jobs of dead workers are claimed again within the measurement."""

DIES_EVERY = 500
"""A simulated worker dies with the lease of one of so many jobs."""

TWICE_EVERY = 50
"""One of so many messages is received by two workers."""

PARTS = 400
"""Block jobs of each generated scan."""

THREADS = 5
"""Connections of each process: the size of its pool."""

SAMPLE_SECONDS = 0.2
REAP_SECONDS = 1.0
METRICS_SECONDS = 5.0


@dataclass
class Measured:
    """Figures of one measurement.

    Attributes:
        seconds: of the clock.
        counts: ``claims``, ``refused`` claims of jobs that another worker has, ``finished``, ``died``, ``lost`` leases,
            ``deadlocks``, and other ``errors`` of the database.
        cpu_ms: CPU time of the simulated workers.
        server_cpu_ms: CPU time of the server's processes for their connections; 0 if it is on another machine.
        milliseconds: of the clock: ``claim``, ``finish``, and what the schedule and the metrics read.
        waits: samples of connections in a transaction, by what they wait for; ``running``: for nothing.
    """

    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    cpu_ms: float = 0.0
    server_cpu_ms: float = 0.0
    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waits: Counter[str] = field(default_factory=Counter)

    def add(self, other: Measured) -> None:
        """Add the figures of one process."""
        self.counts += other.counts
        self.cpu_ms += other.cpu_ms
        for name, values in other.milliseconds.items():
            self.milliseconds[name] += values

    def timed(self, name: str, action: Callable[[], Any]) -> Any:
        """Call ``action`` and record its milliseconds; return what it returns."""
        start = time.perf_counter()
        result = action()
        self.milliseconds[name].append(1000 * (time.perf_counter() - start))
        return result


class SharedMessages:
    """Stands in for the broker: ids in order, and messages that are sent again, to any process."""

    def __init__(self, first: int, last: int) -> None:
        """Send the jobs ``first`` … ``last`` once."""
        self._next = multiprocessing.Value("q", first)
        self._last = last
        self.again: multiprocessing.Queue[int] = multiprocessing.Queue()
        self.stop = multiprocessing.Event()

    @property
    def empty(self) -> bool:
        """Whether each job was sent."""
        return int(self._next.value) > self._last

    def receive(self) -> int | None:
        """Return the id of a job; None: no message waits."""
        try:
            return self.again.get_nowait()
        except queue.Empty:
            pass
        with self._next.get_lock():
            job_id = int(self._next.value)
            if job_id > self._last:
                return None
            self._next.value = job_id + 1
        if job_id % TWICE_EVERY == 0:
            self.again.put(job_id)
        return job_id


def context_of(url: str) -> Context:
    """Return a context like that of a worker, without a broker."""
    jobs = JobSettings(lease_seconds=LEASE_SECONDS, heartbeat_seconds=LEASE_SECONDS / 4)
    broker = "redis://127.0.0.1:1/0"  # never connected: no job is added
    return Context.from_settings(ServiceSettings(home=Path("/nonexistent"), database=url, broker=broker, jobs=jobs))


def work(
    url: str, owners: list[str], messages: SharedMessages, barrier: Any, results: multiprocessing.Queue[Measured]
) -> None:
    """Run simulated workers in the threads of this process until ``messages.stop``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    context, measured = context_of(url), [Measured() for _ in range(THREADS)]

    def run(thread: int) -> None:
        _warm_up(context)
        barrier.wait()
        own, turn = owners[thread::THREADS], 0
        while not messages.stop.is_set():
            job_id = messages.receive()
            if job_id is None:
                time.sleep(0.02)
                continue
            turn += 1
            try:
                _claim_and_finish(context, job_id, own[turn % len(own)], measured[thread])
            except LeaseLost:
                measured[thread].counts["lost"] += 1
            except DatabaseError as error:
                measured[thread].counts["deadlocks" if "deadlock" in str(error) else "errors"] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    barrier.wait()
    cpu = time.process_time()
    for thread in threads:
        thread.join()
    total = Measured(cpu_ms=1000 * (time.process_time() - cpu))
    for one in measured:
        total.add(one)
    results.put(total)
    context.database.close()


def _warm_up(context: Context) -> None:
    """Connect, and compile the statements: a worker does so once."""
    nobody = ClaimedJob(0, "scan.blocks", "scan", {}, 1, "nobody", "none", "")
    assert claim_job(context, nobody.job_id, nobody.owner) is None
    with suppress(LeaseLost), context.database.write() as session:
        finish(session, nobody, context.clock())


def _claim_and_finish(context: Context, job_id: int, owner: str, measured: Measured) -> None:
    claimed = measured.timed("claim", lambda: claim_job(context, job_id, owner))
    if claimed is None:
        measured.counts["refused"] += 1
        return
    measured.counts["claims"] += 1
    if job_id % DIES_EVERY == 0 and claimed.attempt == 1:
        measured.counts["died"] += 1
        return

    def end() -> None:
        with context.database.write() as session:
            finish(session, claimed, context.clock())

    measured.timed("finish", end)
    measured.counts["finished"] += 1


def fill_jobs(database: Database, state: str, count: int, first: int) -> None:
    """Generate rows of block jobs: ``waiting`` and published, or ``done``.

    Args:
        database: PostgreSQL, migrated.
        state: of all of them.
        count: number of rows.
        first: number of the first one, which its unique key contains.
    """
    done = state == "done"
    statement = f"""
        INSERT INTO jobs (kind, queue, payload, unique_key, state, attempts, run_after, published_at, lease_owner,
                          lease_token, progress, error, created_at, started_at, finished_at)
        SELECT 'scan.blocks', 'scan',
               json_build_object('scan', n / {PARTS}, 'part', n % {PARTS}, 'first', 4 * (n % {PARTS}),
                                 'end', 4 * (n % {PARTS}) + 4),
               'scan:' || n / {PARTS} || ':blocks:' || n % {PARTS}, '{state}', {int(done)}, now(), now(),
               {"'machine17:1234:' || n % 1000" if done else "''"}, '', {float(done)}, '', now(),
               {"now(), now()" if done else "NULL, NULL"}
        FROM generate_series({first}, {first + count - 1}) AS n"""
    with database.engine.begin() as connection:
        connection.execute(text(statement))


def measure(database: Database, workers: int, processes: int, seconds: float) -> Measured:
    """Let simulated workers claim and finish the waiting jobs, and verify that each was finished once.

    Args:
        database: with waiting jobs of consecutive ids.
        workers: number of simulated workers.
        processes: that they share; each has :data:`THREADS` connections.
        seconds: duration; 0: until all jobs are done.
    """
    with database.read() as session:
        first, last = session.execute(select(func.min(Job.id), func.max(Job.id)).where(Job.state == "waiting")).one()
        done = session.scalar(select(func.count()).where(Job.state == "done")) or 0
    database.close()  # before the fork
    messages = SharedMessages(first, last)
    results: multiprocessing.Queue[Measured] = multiprocessing.Queue()
    barrier = multiprocessing.Barrier(processes * (THREADS + 1) + 1)
    owners = [f"machine{number // 16}:1:{number}" for number in range(workers)]
    started = [
        multiprocessing.Process(target=work, args=(database.url, owners[n::processes], messages, barrier, results))
        for n in range(processes)
    ]
    for process in started:
        process.start()
    measured = Measured()
    barrier.wait()
    start, server = time.monotonic(), backend_cpu_ms(database)
    try:
        _watch(database, messages, measured, seconds)
    finally:
        measured.seconds = time.monotonic() - start
        server_end = backend_cpu_ms(database)
        messages.stop.set()
        for _ in started:
            measured.add(results.get())
        messages.again.cancel_join_thread()
        for process in started:
            process.join()
    measured.server_cpu_ms = server_end - server
    with database.read() as session:
        now_done = session.scalar(select(func.count()).where(Job.state == "done")) or 0
    assert now_done - done == measured.counts["finished"], "a job was finished twice, or not at all"
    return measured


def _watch(database: Database, messages: SharedMessages, measured: Measured, seconds: float) -> None:
    """Do the work of the schedule, read the metrics, and sample what connections wait for, until the end."""
    settings = context_of(database.url).settings.jobs
    start = time.monotonic()
    reap_at = metrics_at = start
    while not seconds or time.monotonic() < start + seconds:
        time.sleep(SAMPLE_SECONDS)
        now = dt.datetime.now(dt.UTC)
        with database.read() as session:
            rows = session.execute(
                text(
                    "SELECT coalesce(wait_event_type || ': ' || wait_event, 'running') FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
                )
            )
            measured.waits.update(row[0] for row in rows)
        if time.monotonic() >= reap_at:
            reap_at = time.monotonic() + REAP_SECONDS
            with database.read() as session:
                measured.timed("unpublished", lambda: has_unpublished_jobs(session, now))  # noqa: B023
            with database.write() as session:
                arguments: dict[str, Any] = {"max_attempts": settings.attempts}
                if not messages.empty:
                    arguments["busy_queues"] = ("scan",)
                found = measured.timed(
                    "reaper",
                    lambda: due_jobs(session, now, LEASE_SECONDS, 500, **arguments),  # noqa: B023
                )
                if found:
                    mark_published(session, [job_id for job_id, _ in found], now)
            for job_id, _ in found:
                messages.again.put(job_id)
        if time.monotonic() >= metrics_at:
            metrics_at = time.monotonic() + METRICS_SECONDS
            with database.read() as session:
                measured.timed("metrics", lambda: read_statistics(session, now))  # noqa: B023
        if not seconds and messages.empty:
            with database.read() as session:
                if not session.scalar(select(func.count()).where(Job.state.in_(("waiting", "running")))):
                    return


def process_cpu_ms(pid: int) -> float:
    """Return the CPU time of a process of this machine since it started, in milliseconds; 0: it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def backend_cpu_ms(database: Database) -> float:
    """Return the CPU time of the processes that serve the connections to a database on this machine, except our own."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with database.read() as session:
        pids = list(session.scalars(text(query)))
    return sum(process_cpu_ms(pid) for pid in pids)
