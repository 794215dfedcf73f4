"""Chaos test: kill workers, clear the broker, drop database connections, and verify that no job is lost or duplicated.

A long run: ``python -m tests.workers.runtime.chaos --jobs 200 --broker redis`` (``files``, ``redis``, ``rabbitmq``).
Kills are triggered by the number of finished jobs, so a run is as hard on a slow machine as on a fast one.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, func, select, text

from configs.service import (
    AuditSettings,
    CheckSettings,
    DeliverySettings,
    JobSettings,
    LimitSettings,
    NightSettings,
    ServiceSettings,
)
from service.broker import check_broker
from service.context import Context
from service.home import prepare_home
from store.alerts.audit import audit_alerts
from store.jobs.queue import add_job
from store.schema.migrate import upgrade
from store.schema.tables import AlertRow, Delivery, Job, Transition
from tests.brokers import OwnRedis, own_virtual_host, rabbitmqctl
from tests.workers.runtime.own_process import OwnProcess, environment_of

WORKERS = 3
_QUEUES = ("--queues", "scan,deliver", "--processes", "1")
_OWN = Job.kind.startswith("chaos.") | (Job.kind == "deliver")
"""The jobs of the test. The schedule also plans daily ones, in queues that no worker of the test consumes."""


@dataclass
class ChaosRun:
    """One run of the chaos test.

    Attributes:
        context: of the service under test.
        jobs: number of alerts to create; each takes two jobs and two deliveries.
        kill_every: finished jobs between two kills.
        seed: of the random kills.
        seconds: time limit.
        redis: the Redis server to restart, if Redis is the broker.
        virtual_host: of RabbitMQ, if it is the broker.
        log: what was killed or disturbed.
    """

    context: Context
    jobs: int
    kill_every: int
    seed: int
    seconds: float
    redis: OwnRedis | None = None
    virtual_host: str = ""
    log: list[str] = field(default_factory=list)

    def done(self) -> int:
        with self.context.database.read() as session:
            return session.scalar(select(func.count()).select_from(Job).where(_OWN, Job.state == "done")) or 0

    def open(self) -> int:
        with self.context.database.read() as session:
            wanted = Job.state.in_(("waiting", "running"))
            return session.scalar(select(func.count()).select_from(Job).where(_OWN, wanted)) or 0

    def all(self) -> int:
        return 4 * self.jobs


def settings_of(folder: Path, broker: str, database: str) -> ServiceSettings:
    """Settings with short leases, so that lost jobs are soon found, and without planned jobs during the test."""
    distant = dt.datetime.now(dt.UTC) + dt.timedelta(hours=12)
    return ServiceSettings(
        home=folder / "home",
        broker=broker,
        database=database,
        time_zone="UTC",
        audit=AuditSettings(enabled=False),  # the jobs of both have a queue that no worker of the test consumes
        check=CheckSettings(enabled=False),
        night=NightSettings(at=f"{distant:%H:%M}", catch_up_hours=0),
        jobs=JobSettings(lease_seconds=3, heartbeat_seconds=0.5, reap_seconds=1, attempts=50, retry_seconds=(0.2, 1)),
        limits=LimitSettings(free_disk_mib=0),
        delivery=DeliverySettings(queue="", drop_folder=str(folder / "drop")),
    )


def run(chaos: ChaosRun) -> None:
    """Run all jobs while killing and disturbing processes, and verify the results.

    Raises:
        AssertionError: a job was lost or had its effect twice.
    """
    rng = random.Random(chaos.seed)
    with ExitStack() as stack:
        environment = environment_of(chaos.context.settings)
        workers = [
            stack.enter_context(OwnProcess(environment, "tests.workers.runtime.own_worker", _QUEUES))
            for _ in range(WORKERS)
        ]
        stack.enter_context(OwnProcess(environment, "workers.runtime.schedule", ()))
        first = -(-2 * chaos.jobs // 3)  # enough for both disturbances; the rest is added after them
        _add(chaos, 0, first)
        disturbances = {chaos.all() // 3: _restart_broker, 2 * chaos.all() // 3: _drop_connections}
        next_kill, deadline = chaos.kill_every, time.monotonic() + chaos.seconds
        while disturbances or chaos.open():
            assert time.monotonic() < deadline, f"not done in {chaos.seconds} seconds: {_unfinished(chaos)}"
            done = chaos.done()
            for threshold in [threshold for threshold in disturbances if done >= threshold]:
                disturbances.pop(threshold)(chaos)
                if not disturbances:
                    _add(chaos, first, chaos.jobs)
            if done >= next_kill and done < chaos.all():
                next_kill = done + chaos.kill_every
                chaos.log.append(rng.choice(workers).kill(rng))
            for worker in workers:
                worker.restart_if_ended()
            time.sleep(0.1)
    _verify(chaos)


def _add(run: ChaosRun, begin: int, end: int) -> None:
    for first in range(begin, end, 20):
        with run.context.database.write() as session:
            for number in range(first, min(first + 20, end)):
                add_job(
                    session,
                    kind="chaos.see",
                    queue="scan",
                    payload={"number": number},
                    unique_key=f"see:{number}",
                    now=run.context.clock(),
                )


def _verify(run: ChaosRun) -> None:
    with run.context.database.read() as session:
        states = dict(session.execute(select(Job.state, func.count()).where(_OWN).group_by(Job.state)).all())
        assert states == {"done": run.all()}, (states, _unfinished(run))
        seen = Counter(session.scalars(select(AlertRow.grid_code)))
        assert seen == {str(number): 1 for number in range(run.jobs)}
        assert session.scalar(select(func.count()).select_from(Transition)) == 2 * run.jobs
        deliveries = list(session.scalars(select(Delivery).order_by(Delivery.alert_id, Delivery.sequence)))
    assert audit_alerts(run.context.database).intact
    assert {delivery.state for delivery in deliveries} == {"delivered"}
    dropped = [json.loads(path.read_text()) for path in run.context.settings.drop_folder.rglob("*.geojson")]
    received = {feature["properties"]["event_id"] for feature in dropped}
    assert received == {delivery.event_id for delivery in deliveries}
    assert len(deliveries) == 2 * run.jobs
    for first, second in zip(deliveries[::2], deliveries[1::2], strict=True):
        assert first.alert_id == second.alert_id
        assert first.delivered_at is not None
        assert second.delivered_at is not None
        assert first.delivered_at <= second.delivered_at


def _restart_broker(run: ChaosRun) -> None:
    if run.redis is not None:
        run.redis.stop()
        run.redis.start()
        run.log.append("Redis was killed and restarted empty")
    elif run.virtual_host:
        closed = rabbitmqctl("close_all_connections", "-p", run.virtual_host, "chaos")
        if rabbitmqctl("restart_vhost", "-p", run.virtual_host) and closed:
            run.log.append("RabbitMQ's virtual host was restarted and its connections closed")
    else:
        for message in (run.context.settings.home / "broker" / "queue").glob("*.msg"):
            message.unlink(missing_ok=True)
        run.log.append("all messages were deleted")


def _drop_connections(run: ChaosRun) -> None:
    if run.context.database.sqlite:
        return
    engine = create_engine(run.context.settings.database_url)
    with engine.connect() as connection:
        ended = connection.execute(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        run.log.append(f"{ended.scalar()} database connections were terminated")
    engine.dispose()


def _unfinished(run: ChaosRun) -> list[tuple[Any, ...]]:
    with run.context.database.read() as session:
        columns = (Job.id, Job.kind, Job.state, Job.attempts, Job.lease_owner, Job.error)
        return [tuple(row) for row in session.execute(select(*columns).where(_OWN, Job.state != "done").limit(20))]


@contextmanager
def prepare_run(
    folder: Path, broker: str, database: str, *, jobs: int, kill_every: int = 8, seed: int = 1, seconds: float = 900
) -> Iterator[ChaosRun]:
    """Set up broker and database of a run; ``database``: "" is SQLite."""
    with ExitStack() as stack:
        redis, host, address = None, "", ""
        if broker == "redis":
            redis = OwnRedis()
            stack.callback(redis.stop)
            address = redis.url
        elif broker == "rabbitmq":
            address = stack.enter_context(own_virtual_host())
            host = address.rsplit("/", 1)[1]
        settings = settings_of(folder, address, database)
        prepare_home(settings)
        context = Context.from_settings(settings)
        stack.callback(context.database.close)
        upgrade(context.database)
        check_broker(settings)
        yield ChaosRun(context, jobs, kill_every, seed, seconds, redis, host)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.workers.runtime.chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--broker", choices=("files", "redis", "rabbitmq"), default="files")
    parser.add_argument("--database", default="", help='"": SQLite; or an empty one with PostGIS')
    parser.add_argument("--kill-every", type=int, default=8, help="finished jobs between two kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600)
    options = parser.parse_args()
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        prepare_run(
            Path(folder),
            options.broker,
            options.database,
            jobs=options.jobs,
            kill_every=options.kill_every,
            seed=options.seed,
            seconds=options.seconds,
        ) as chaos,
    ):
        run(chaos)
        for event, times in Counter(chaos.log).items():
            print(f"{times} × {event}")
        print(f"{chaos.all()} jobs, all done once, in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
