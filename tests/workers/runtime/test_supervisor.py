"""Supervisor of `tuban up`: starts, checks, restarts and stops the processes of the service."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from configs.service import LimitSettings, NightSettings, ServiceSettings
from errors import SettingsError
from service.context import Context
from service.process import process_name
from service.publishing import publish
from store.jobs.processes import list_processes, record_heartbeat
from store.jobs.queue import add_job, claim
from store.jobs.recovery import expire_leases
from store.schema.database import Database
from store.schema.migrate import upgrade
from store.schema.tables import Job
from tests.workers.embedded import clock_of, context_in, given_job, job_of, until
from tests.workers.runtime.own_process import ROOT, alive, environment_of
from workers.runtime.startup_checks import prepare_service
from workers.runtime.supervisor import KILL_SECONDS, ProcessSpec, Supervisor, plan_processes

WAIT = 240.0  # upper limit in seconds; waits end as soon as their condition holds


class MonotonicClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    context = context_in(tmp_path)
    yield context
    context.database.close()


def poll(supervisor: Supervisor) -> dict[str, int]:
    """Poll once and return the running processes."""
    supervisor.poll()
    return supervisor.processes()


def script(name: str, text: str, kind: str = "worker", queues: tuple[str, ...] = ()) -> ProcessSpec:
    return ProcessSpec(name, kind, (sys.executable, "-c", text), queues)


@contextmanager
def supervised(context: Context, *specs: ProcessSpec) -> Iterator[tuple[Supervisor, MonotonicClock]]:
    seconds = MonotonicClock()
    supervisor = Supervisor(specs, context, seconds)
    try:
        supervisor.poll()
        yield supervisor, seconds
    finally:
        for process in supervisor.processes().values():
            os.kill(process, signal.SIGKILL)
        supervisor.stop()


def test_an_upload_never_waits_behind_a_scan() -> None:
    specs = plan_processes(3)
    assert [(spec.name, spec.queues) for spec in specs] == [
        ("worker light", ("ingest", "deliver")),
        ("worker scan", ("scan",)),
        ("worker cameras", ("capture",)),
        ("schedule", ()),
    ]
    assert [spec.name for spec in plan_processes(3, schedule=False)] == [
        "worker light",
        "worker scan",
        "worker cameras",
    ]
    assert [spec.name for spec in plan_processes(3, workers=False)] == ["schedule"]


def test_a_process_that_ends_is_restarted_after_a_doubling_delay(context: Context) -> None:
    with supervised(context, script("brief", "raise SystemExit(3)")) as (supervisor, seconds):
        delays = []
        for _ in range(4):
            until(lambda: not poll(supervisor))
            before = seconds.now
            while not supervisor.processes():
                seconds.now += 0.25
                supervisor.poll()
            delays.append(seconds.now - before)
        assert delays == [0.5, 1.0, 2.0, 4.0]


def test_a_process_that_ran_long_is_restarted_immediately(context: Context) -> None:
    with supervised(context, script("steady", "import time; time.sleep(600)")) as (supervisor, seconds):
        first = supervisor.processes()["steady"]
        seconds.now = 61.0
        os.kill(first, signal.SIGKILL)
        until(lambda: poll(supervisor).get("steady") not in (None, first))


def test_the_leases_of_a_dead_worker_end_immediately(context: Context) -> None:
    job_id = given_job(context, "scan.blocks")
    with supervised(context, script("worker", "import time; time.sleep(600)")) as (supervisor, _):
        process = supervisor.processes()["worker"]
        with context.database.write() as session:
            record_heartbeat(session, f"{process_name(process)}:7", "jobs", context.clock())
            assert claim(session, job_id, f"{process_name(process)}:7", context.clock(), 60)
        os.kill(process, signal.SIGKILL)
        until(lambda: not poll(supervisor))
    ended = job_of(context, job_id)
    assert ended.lease_until is not None
    assert ended.lease_until < context.clock()
    with context.database.read() as session:
        assert list_processes(session, context.clock()) == []


def test_a_worker_that_does_not_consume_its_messages_is_restarted(context: Context) -> None:
    publish(context.settings, [(7, "scan")])
    stalled = script("stalled", "import time; time.sleep(600)", queues=("scan",))
    idle = script("idle", "import time; time.sleep(600)", queues=("ingest",))
    with supervised(context, stalled, idle) as (supervisor, seconds):
        first = supervisor.processes()

        def after(delay: float) -> dict[str, int]:
            clock_of(context).forward(delay)
            seconds.now += delay
            supervisor.poll()
            return supervisor.processes()

        assert after(50.0) == first
        after(11.0)
        until(lambda: not alive(first["stalled"]))
        until(lambda: after(1.0).get("stalled") not in (None, first["stalled"]))
        assert supervisor.processes()["idle"] == first["idle"]


def test_a_busy_worker_is_not_considered_stalled(context: Context) -> None:
    publish(context.settings, [(7, "scan")])
    with supervised(context, script("busy", "import time; time.sleep(600)", queues=("scan",))) as (supervisor, seconds):
        first = supervisor.processes()
        for _ in range(10):
            clock_of(context).forward(30)
            seconds.now += 30
            with context.database.write() as session:
                record_heartbeat(session, f"{process_name(first['busy'])}:7", "jobs", context.clock())
            supervisor.poll()
        assert supervisor.processes() == first


def test_the_scheduler_stops_before_the_workers_and_no_process_remains(context: Context, tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = (
        "import pathlib, signal, sys, time\n"
        f"path = pathlib.Path({str(log)!r})\n"
        "def end(*_):\n"
        "    path.open('a').write(NAME + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "path.open('a').write('up ')\n"
        "time.sleep(600)\n"
    )
    specs = [
        script("worker", f"NAME = 'worker'\n{text}"),
        script("schedule", f"NAME = 'schedule'\n{text}", kind="schedule"),
    ]
    supervisor = Supervisor(specs, context)
    supervisor.poll()
    started = supervisor.processes()
    until(lambda: log.exists() and log.read_text() == "up up ", WAIT)
    supervisor.stop()
    assert log.read_text() == "up up schedule worker "
    assert supervisor.processes() == {}
    assert not any(alive(process) for process in started.values())


def test_a_process_that_does_not_stop_is_killed_with_its_children(context: Context, tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = (
        "import os, pathlib, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        f"if child: pathlib.Path({str(log)!r}).write_text(f'{{child}}.')\n"
        "time.sleep(600)\n"
    )
    seconds = MonotonicClock()
    supervisor = Supervisor([script("stubborn", text)], context, seconds)
    supervisor.poll()
    until(lambda: log.exists() and log.read_text().endswith("."), WAIT)
    child = int(log.read_text()[:-1])

    def later() -> float:
        seconds.now += KILL_SECONDS / 4
        return seconds.now

    supervisor._seconds = later
    supervisor.stop()
    assert supervisor.processes() == {}
    until(lambda: not alive(child))


def test_a_home_folder_has_one_service(tmp_path: Path) -> None:
    settings = context_in(tmp_path / "a").settings.model_copy(update={"home": tmp_path / "b"})
    with prepare_service(settings, ("worker", "schedule")):
        for kinds in (("worker", "schedule"), ("schedule",)):
            with pytest.raises(SettingsError, match=f"as process {os.getpid()}"), prepare_service(settings, kinds):
                pass
    with prepare_service(settings, ("worker",)), prepare_service(settings, ("schedule",)):
        pass


def test_jobs_that_ran_when_the_machine_crashed_resume_immediately(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "home", limits=LimitSettings(free_disk_mib=0))
    with prepare_service(settings, ("worker", "schedule")) as context:
        job_id = given_job(context, "scan.blocks")
        with context.database.write() as session:
            assert claim(session, job_id, "here:1:2", context.clock(), 60)
            record_heartbeat(session, "here:1:worker", "worker", context.clock())
    with prepare_service(settings, ("worker", "schedule")) as context, context.database.write() as session:
        assert claim(session, job_id, "here:3:4", context.clock(), 60)
        assert list_processes(session, context.clock() - dt.timedelta(hours=1)) == []
        assert expire_leases(session, "here:1", context.clock()) == 0


def test_a_nearly_full_disk_stops_intake_but_not_the_start(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "home", limits=LimitSettings(free_disk_mib=10**9))
    with prepare_service(settings, ("worker",)):
        pass


def test_an_unwritable_or_full_home_folder_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("service.home.STARTUP_MIB", 10**8)
    for settings, words in (
        (ServiceSettings(home=tmp_path / "file" / "home"), "cannot be written"),
        (ServiceSettings(home=tmp_path / "home", limits=LimitSettings(free_disk_mib=10**9)), "MiB are free"),
    ):
        with pytest.raises(SettingsError, match=words) as error, prepare_service(settings, ("worker",)):
            pass
        assert "\n" not in str(error.value)


@contextmanager
def tuban_up(settings: ServiceSettings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [
        sys.executable,
        "-c",
        "import typer; from cli.administration.up import up; typer.run(up)",
        "--port",
        port,
    ]
    with (
        log.open("wb") as file,
        subprocess.Popen(command, env=environment_of(settings), cwd=ROOT, stderr=file, process_group=0) as process,
    ):
        try:
            until(lambda: "Tuban is up; Ctrl-C stops it." in log.read_text(), WAIT)
            yield process
        finally:
            process.kill()


def until_done(database: Database, settings: ServiceSettings, key: str) -> None:
    with Context(settings, database).database.write() as session:
        now = dt.datetime.now(dt.UTC)
        payload = {"delivery_id": 0}  # does not exist, so the job has nothing to do
        job_id = add_job(session, kind="deliver", queue="deliver", payload=payload, unique_key=key, now=now)
    assert job_id is not None

    def done() -> bool:
        with database.read() as session:
            return session.get_one(Job, job_id).state == "done"

    until(done, WAIT)


def descendants(process: int) -> list[int]:
    return [child.pid for child in psutil.Process(process).children(recursive=True)]


@pytest.mark.slow
def test_tuban_up_runs_jobs_without_servers_survives_kills_and_leaves_no_process(tmp_path: Path) -> None:
    settings = ServiceSettings(
        home=tmp_path / "home", night=NightSettings(catch_up_hours=0), limits=LimitSettings(free_disk_mib=0)
    )
    database = Database(settings.database_url)
    with tuban_up(settings, tmp_path / "first") as up:
        until_done(database, settings, "one")
        first = descendants(up.pid)
        os.kill(psutil.Process(up.pid).children()[0].pid, signal.SIGKILL)
        until_done(database, settings, "two")
        second = descendants(up.pid)
        sockets = [c for p in (up.pid, *second) for c in psutil.Process(p).net_connections("inet")]
        # only the web server listens, on loopback
        assert [c for c in sockets if c.status != psutil.CONN_LISTEN or c.laddr.ip != "127.0.0.1"] == []
        up.kill()
        until(lambda: not any(alive(process) for process in {*first, *second}), WAIT)
    with tuban_up(settings, tmp_path / "second") as up:
        until_done(database, settings, "three")
        third = descendants(up.pid)
        up.send_signal(signal.SIGINT)
        assert up.wait(WAIT) == 0
        assert (tmp_path / "second").read_text().endswith("Unfinished jobs resume at the next start.\n")
        assert not any(alive(process) for process in third)
    database.close()


def test_startup_fails_when_the_broker_is_unreachable(tmp_path: Path) -> None:
    upgrade(Database(f"sqlite:///{tmp_path / 'tuban.db'}"))
    settings = ServiceSettings(home=tmp_path, broker="redis://127.0.0.1:1/0", limits=LimitSettings(free_disk_mib=0))
    with (
        pytest.raises(SettingsError, match=r"redis://127\.0\.0\.1:1/0 cannot be reached"),
        prepare_service(settings, ("worker",)),
    ):
        pass
