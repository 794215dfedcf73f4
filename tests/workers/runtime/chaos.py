"""Workers are killed, the broker forgets everything, the database drops its connections: nothing is lost or doubled.

The long form: ``python -m tests.workers.runtime.chaos --jobs 200 --broker redis`` (``files``, ``redis``, ``rabbitmq``). The
kills are tied to what has been done, so a run is as hard on a slow machine as on a fast one.
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

from configs.service import DeliverySettings, JobSettings, LimitSettings, NightSettings, ServiceSettings
from service.broker import check_broker
from service.context import Context
from service.home import prepare_home
from service.publishing import publishing
from store.alerts.audit import audit_alerts
from store.jobs.queue import add_job
from store.schema.migrate import upgrade
from store.schema.tables import AlertRow, Delivery, Job, Transition
from tests.brokers import OwnRedis, own_virtual_host, rabbitmqctl
from tests.workers.runtime.own_process import OwnProcess, environment_of

WORKERS = 3
_QUEUES = ("--queues", "scan,deliver", "--processes", "1")


@dataclass
class Run:
    """One run of it.

    Attributes:
        jobs: how many alerts are made; each takes two jobs and two deliveries.
        kill_every: jobs done between two kills.
        seed: of the kills.
        seconds: after so long it has failed.
    """

    context: Context
    jobs: int
    kill_every: int
    seed: int
    seconds: float
    redis: OwnRedis | None = None
    virtual_host: str = ""
    told: list[str] = field(default_factory=list)

    def done(self) -> int:
        with self.context.database.read() as session:
            return session.scalar(select(func.count()).select_from(Job).where(Job.state == "done")) or 0

    def open(self) -> int:
        with self.context.database.read() as session:
            wanted = Job.state.in_(("waiting", "running"))
            return session.scalar(select(func.count()).select_from(Job).where(wanted)) or 0

    def all(self) -> int:
        return 4 * self.jobs


def settings_of(folder: Path, broker: str, database: str) -> ServiceSettings:
    """Short leases, so that what is lost is soon found; a night that does not come."""
    far = dt.datetime.now(dt.UTC) + dt.timedelta(hours=12)
    return ServiceSettings(
        home=folder / "home",
        broker=broker,
        database=database,
        time_zone="UTC",
        night=NightSettings(at=f"{far:%H:%M}", catch_up_hours=0),
        jobs=JobSettings(lease_seconds=3, heartbeat_seconds=0.5, reap_seconds=1, attempts=50, retry_seconds=(0.2, 1)),
        limits=LimitSettings(free_disk_mib=0),
        delivery=DeliverySettings(queue="", drop_folder=str(folder / "drop")),
    )


def run(chaos: Run) -> None:
    """Do all jobs through all of it, and look at what came of them.

    Raises:
        AssertionError: something was lost, or done twice.
    """
    chance = random.Random(chaos.seed)
    with ExitStack() as stack:
        environment = environment_of(chaos.context.settings)
        workers = [
            stack.enter_context(OwnProcess(environment, "tests.workers.runtime.own_worker", _QUEUES))
            for _ in range(WORKERS)
        ]
        stack.enter_context(OwnProcess(environment, "workers.runtime.schedule", ()))
        _add(chaos)
        plan = {chaos.all() // 3: _restart_broker, 2 * chaos.all() // 3: _drop_connections}
        next_kill, last = chaos.kill_every, time.monotonic() + chaos.seconds
        while chaos.open():
            assert time.monotonic() < last, f"not done in {chaos.seconds} seconds: {_left(chaos)}"
            done = chaos.done()
            for threshold in [threshold for threshold in plan if done >= threshold]:
                plan.pop(threshold)(chaos)
            if done >= next_kill and done < chaos.all():
                next_kill = done + chaos.kill_every
                chaos.told.append(chance.choice(workers).kill(chance))
            for worker in workers:
                worker.keep()
            time.sleep(0.1)
        assert not plan, "all was done before the broker and the database were disturbed"
    _verify(chaos)


def _add(run: Run) -> None:
    for first in range(0, run.jobs, 20):
        with publishing(run.context.database, run.context.settings) as session:
            for number in range(first, min(first + 20, run.jobs)):
                add_job(
                    session,
                    kind="chaos.see",
                    queue="scan",
                    payload={"number": number},
                    unique_key=f"see:{number}",
                    now=run.context.clock(),
                )


def _verify(run: Run) -> None:
    with run.context.database.read() as session:
        states = dict(session.execute(select(Job.state, func.count()).group_by(Job.state)).all())
        assert states == {"done": run.all()}, (states, _left(run))
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


def _restart_broker(run: Run) -> None:
    if run.redis is not None:
        run.redis.stop()
        run.redis.start()
        run.told.append("Redis was killed and came back empty")
    elif run.virtual_host:
        closed = rabbitmqctl("close_all_connections", "-p", run.virtual_host, "chaos")
        if rabbitmqctl("restart_vhost", "-p", run.virtual_host) and closed:
            run.told.append("RabbitMQ's virtual host was started anew, its connections closed")
    else:
        for message in (run.context.settings.home / "broker" / "queue").glob("*.msg"):
            message.unlink(missing_ok=True)
        run.told.append("all messages were deleted")


def _drop_connections(run: Run) -> None:
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
        run.told.append(f"{ended.scalar()} connections of the database were cut")
    engine.dispose()


def _left(run: Run) -> list[tuple[Any, ...]]:
    with run.context.database.read() as session:
        columns = (Job.id, Job.kind, Job.state, Job.attempts, Job.lease_owner, Job.error)
        return [tuple(row) for row in session.execute(select(*columns).where(Job.state != "done").limit(20))]


@contextmanager
def made(
    folder: Path, broker: str, database: str, *, jobs: int, kill_every: int = 8, seed: int = 1, seconds: float = 900
) -> Iterator[Run]:
    """A run over one of the brokers, with what it needs; ``database``: "" is SQLite."""
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
        yield Run(context, jobs, kill_every, seed, seconds, redis, host)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.workers.runtime.chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--broker", choices=("files", "redis", "rabbitmq"), default="files")
    parser.add_argument("--database", default="", help='"": SQLite; or an empty one with PostGIS')
    parser.add_argument("--kill-every", type=int, default=8, help="jobs done between two kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600)
    given = parser.parse_args()
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        made(
            Path(folder),
            given.broker,
            given.database,
            jobs=given.jobs,
            kill_every=given.kill_every,
            seed=given.seed,
            seconds=given.seconds,
        ) as prepared,
    ):
        run(prepared)
        for what, times in Counter(prepared.told).items():
            print(f"{times} × {what}")
        print(f"{prepared.all()} jobs, all done once, in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
