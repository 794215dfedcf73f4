"""Line (g): the blocks of a scan on one, two and four worker processes with a shared broker and database."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import OperationalError

from benchmarks.lines.bench_service import scan_now, service, submit, wait_for_batch
from benchmarks.lines.line import Line, NotMeasured, Row, Sizes, background
from benchmarks.scan import write_large_pair
from store.schema.tables import Job
from training.synthetic import SceneSpec
from workers.runtime.run_batch import run_batch

START_SECONDS = 12
"""Until worker processes have connected; the network is loaded with the first job, which is measured."""


@contextmanager
def database(server: str) -> Iterator[str]:
    """Create an empty database with PostGIS on a server; drop it at the end.

    Raises:
        NotMeasured: the server does not answer.
    """
    name = f"tuban_bench_{secrets.token_hex(4)}"
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError as error:
        raise NotMeasured(f"no PostgreSQL at {server}: {str(error.orig).strip()}") from error
    try:
        own = create_engine(f"{server}/{name}", isolation_level="AUTOCOMMIT")
        with own.connect() as connection:
            connection.execute(text("CREATE EXTENSION postgis"))
        own.dispose()
        yield f"{server}/{name}"
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


def measure(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    """Measure megapixels of ground per second from the first block to the last one."""
    try:
        Redis.from_url(sizes.redis).flushdb()
    except RedisError as error:
        raise NotMeasured(f"no Redis at {sizes.redis}: {error}") from error
    side = sizes.side(8000)
    spec = SceneSpec(seed=5, width=side, height=side)
    progress(f"rendering a pair of {side}²")
    pair = [
        path.rename(path.with_name(f"{day}.tif"))
        for path, day in zip(write_large_pair(sizes.folder, side), ("20250302", "20251026"), strict=True)
    ]
    rows, first = [], 0.0
    cores = sorted(os.sched_getaffinity(0))
    for processes in (1, 2, 4):
        progress(f"{processes} worker {'process' if processes == 1 else 'processes'}")
        with ExitStack() as stack:
            url = stack.enter_context(database(sizes.postgresql))
            home = sizes.folder / f"home{processes}"
            broker = {"database": url, "broker": sizes.redis, "jobs": {"blocks_per_job": 1}, "delivery": {"queue": ""}}
            context = stack.enter_context(service(home, spec, **broker))
            for path in pair:
                batch = submit(context, [path], "satellite")
                run_batch(context, batch)
                wait_for_batch(context, batch)
            environment = {
                "TUBAN_HOME": str(home), "TUBAN_DATABASE": url, "TUBAN_BROKER": sizes.redis,
                "TUBAN_JOBS__BLOCKS_PER_JOB": "1", "TUBAN_DELIVERY__QUEUE": "",
            }  # fmt: skip
            for number in range(processes):
                core = str(cores[number % len(cores)])
                command = ["taskset", "-c", core, sys.executable, "-m", "workers.runtime.worker", "--queues", "scan"]
                stack.enter_context(background(command, environment, home / "worker.log"))
            time.sleep(START_SECONDS)
            scan_now(context)
            with context.database.read() as session:
                blocks = Job.kind == "scan.blocks"
                begin, end = session.execute(
                    select(func.min(Job.started_at), func.max(Job.finished_at)).where(blocks)
                ).one()
        assert begin is not None
        assert end is not None
        rate = side**2 / 1e6 / (end - begin).total_seconds()
        first = first or rate
        goal = f"{min(processes, len(cores))} at most, with {len(cores)} cores"
        rows.append(Row(f"{processes} on a core each", rate, "MP/s", "one worker process on one core", first, goal))
    return rows


LINE = Line(
    "g", "blocks of one scan on worker processes with a shared broker (Redis) and database (PostgreSQL)", measure
)
