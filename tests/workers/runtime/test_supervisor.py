"""`tuban up`: starts, watches, starts again and stops what the service consists of."""

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
from store.jobs.processes import list_processes, record_heartbeat

from configs.service import LimitSettings, NightSettings, ServiceSettings
from errors import SettingsError
from service.context import Context
from service.process import process_name
from service.publishing import publish, publishing
from store.jobs.queue import add_job, claim
from store.jobs.recovery import expire_leases
from store.schema.database import Database
from store.schema.migrate import upgrade
from store.schema.tables import Job
from tests.workers.embedded import clock_of, context_in, given_job, job_of, until
from tests.workers.runtime.own_process import ROOT, alive, environment_of
from workers.runtime.startup_checks import prepared
from workers.runtime.supervisor import KILL_SECONDS, Part, Supervisor, plan_processes

WAIT = 240.0  # seconds; it ends as soon as what is waited for is there


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    made = context_in(tmp_path)
    yield made
    made.database.close()


def look(supervisor: Supervisor) -> dict[str, int]:
    """Look once; returns what runs then."""
    supervisor.look()
    return supervisor.processes()


def script(name: str, text: str, kind: str = "worker", queues: tuple[str, ...] = ()) -> Part:
    return Part(name, kind, (sys.executable, "-c", text), queues)


@contextmanager
def supervised(context: Context, *parts: Part) -> Iterator[tuple[Supervisor, Seconds]]:
    seconds = Seconds()
    supervisor = Supervisor(parts, context, seconds)
    try:
        supervisor.look()
        yield supervisor, seconds
    finally:
        for process in supervisor.processes().values():
            os.kill(process, signal.SIGKILL)
        supervisor.stop()


def test_an_upload_never_waits_behind_a_scan() -> None:
    parts = plan_processes(3)
    assert [(part.name, part.queues) for part in parts] == [
        ("worker light", ("ingest", "deliver")),
        ("worker scan", ("scan",)),
        ("worker cameras", ("capture",)),
        ("schedule", ()),
    ]
    assert [part.name for part in plan_processes(3, schedule=False)] == [
        "worker light",
        "worker scan",
        "worker cameras",
    ]
    assert [part.name for part in plan_processes(3, work=False)] == ["schedule"]


def test_what_dies_is_started_again_after_a_pause_that_doubles(context: Context) -> None:
    with supervised(context, script("brief", "raise SystemExit(3)")) as (supervisor, seconds):
        pauses = []
        for _ in range(4):
            until(lambda: not look(supervisor))
            before = seconds.now
            while not supervisor.processes():
                seconds.now += 0.25
                supervisor.look()
            pauses.append(seconds.now - before)
        assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_what_lived_long_is_started_again_at_once(context: Context) -> None:
    with supervised(context, script("steady", "import time; time.sleep(600)")) as (supervisor, seconds):
        first = supervisor.processes()["steady"]
        seconds.now = 61.0
        os.kill(first, signal.SIGKILL)
        until(lambda: look(supervisor).get("steady") not in (None, first))


def test_the_jobs_of_a_worker_that_died_wait_for_nobody(context: Context) -> None:
    job_id = given_job(context, "scan.blocks")
    with supervised(context, script("worker", "import time; time.sleep(600)")) as (supervisor, _):
        process = supervisor.processes()["worker"]
        with context.database.write() as session:
            record_heartbeat(session, f"{process_name(process)}:7", "jobs", context.clock())
            assert claim(session, job_id, f"{process_name(process)}:7", context.clock(), 60)
        os.kill(process, signal.SIGKILL)
        until(lambda: not look(supervisor))
    ended = job_of(context, job_id)
    assert ended.lease_until is not None
    assert ended.lease_until < context.clock()
    with context.database.read() as session:
        assert list_processes(session, context.clock()) == []


def test_a_worker_that_does_not_hear_its_messages_is_started_again(context: Context) -> None:
    publish(context.settings, [(7, "scan")])
    deaf = script("deaf", "import time; time.sleep(600)", queues=("scan",))
    idle = script("idle", "import time; time.sleep(600)", queues=("ingest",))
    with supervised(context, deaf, idle) as (supervisor, seconds):
        first = supervisor.processes()

        def after(more: float) -> dict[str, int]:
            clock_of(context).forward(more)
            seconds.now += more
            supervisor.look()
            return supervisor.processes()

        assert after(50.0) == first
        after(11.0)
        until(lambda: not alive(first["deaf"]))
        until(lambda: after(1.0).get("deaf") not in (None, first["deaf"]))
        assert supervisor.processes()["idle"] == first["idle"]


def test_a_worker_at_work_is_not_taken_to_be_deaf(context: Context) -> None:
    publish(context.settings, [(7, "scan")])
    with supervised(context, script("busy", "import time; time.sleep(600)", queues=("scan",))) as (supervisor, seconds):
        first = supervisor.processes()
        for _ in range(10):
            clock_of(context).forward(30)
            seconds.now += 30
            with context.database.write() as session:
                record_heartbeat(session, f"{process_name(first['busy'])}:7", "jobs", context.clock())
            supervisor.look()
        assert supervisor.processes() == first


def test_the_schedule_stops_before_the_workers_and_nothing_is_left(context: Context, tmp_path: Path) -> None:
    told = tmp_path / "told"
    text = (
        "import pathlib, signal, sys, time\n"
        f"path = pathlib.Path({str(told)!r})\n"
        "def end(*_):\n"
        "    path.open('a').write(NAME + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "path.open('a').write('up ')\n"
        "time.sleep(600)\n"
    )
    parts = [
        script("worker", f"NAME = 'worker'\n{text}"),
        script("schedule", f"NAME = 'schedule'\n{text}", kind="schedule"),
    ]
    supervisor = Supervisor(parts, context)
    supervisor.look()
    started = supervisor.processes()
    until(lambda: told.exists() and told.read_text() == "up up ", WAIT)
    supervisor.stop()
    assert told.read_text() == "up up schedule worker "
    assert supervisor.processes() == {}
    assert not any(alive(process) for process in started.values())


def test_what_does_not_stop_is_killed_with_its_children(context: Context, tmp_path: Path) -> None:
    told = tmp_path / "told"
    text = (
        "import os, pathlib, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        f"if child: pathlib.Path({str(told)!r}).write_text(f'{{child}}.')\n"
        "time.sleep(600)\n"
    )
    seconds = Seconds()
    supervisor = Supervisor([script("stubborn", text)], context, seconds)
    supervisor.look()
    until(lambda: told.exists() and told.read_text().endswith("."), WAIT)
    child = int(told.read_text()[:-1])

    def later() -> float:
        seconds.now += KILL_SECONDS / 4
        return seconds.now

    supervisor._seconds = later
    supervisor.stop()
    assert supervisor.processes() == {}
    until(lambda: not alive(child))


def test_one_home_has_one_service(tmp_path: Path) -> None:
    settings = context_in(tmp_path / "a").settings.model_copy(update={"home": tmp_path / "b"})
    with prepared(settings, ("worker", "schedule")):
        for kinds in (("worker", "schedule"), ("schedule",)):
            with pytest.raises(SettingsError, match=f"as process {os.getpid()}"), prepared(settings, kinds):
                pass
    with prepared(settings, ("worker",)), prepared(settings, ("schedule",)):
        pass


def test_what_ran_when_the_machine_died_goes_on_at_once(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "home", limits=LimitSettings(free_disk_mib=0))
    with prepared(settings, ("worker", "schedule")) as context:
        job_id = given_job(context, "scan.blocks")
        with context.database.write() as session:
            assert claim(session, job_id, "here:1:2", context.clock(), 60)
            record_heartbeat(session, "here:1:worker", "worker", context.clock())
    with prepared(settings, ("worker", "schedule")) as context, context.database.write() as session:
        assert claim(session, job_id, "here:3:4", context.clock(), 60)
        assert list_processes(session, context.clock() - dt.timedelta(hours=1)) == []
        assert expire_leases(session, "here:1", context.clock()) == 0


def test_a_home_that_cannot_be_written_or_has_no_room_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for settings, words in (
        (ServiceSettings(home=tmp_path / "file" / "home"), "cannot be written"),
        (ServiceSettings(home=tmp_path / "home", limits=LimitSettings(free_disk_mib=10**9)), "MiB are free"),
    ):
        with pytest.raises(SettingsError, match=words) as told, prepared(settings, ("worker",)):
            pass
        assert "\n" not in str(told.value)


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
        log.open("wb") as written,
        subprocess.Popen(command, env=environment_of(settings), cwd=ROOT, stderr=written, process_group=0) as process,
    ):
        try:
            until(lambda: "Tuban is up; Ctrl-C stops it." in log.read_text(), WAIT)
            yield process
        finally:
            process.kill()


def until_done(database: Database, settings: ServiceSettings, key: str) -> None:
    with publishing(database, settings) as session:
        now = dt.datetime.now(dt.UTC)
        payload = {"delivery_id": 0}  # nothing: looked up, and done
        job_id = add_job(session, kind="deliver", queue="deliver", payload=payload, unique_key=key, now=now)
    assert job_id is not None

    def done() -> bool:
        with database.read() as session:
            return session.get_one(Job, job_id).state == "done"

    until(done, WAIT)


def descendants(process: int) -> list[int]:
    return [child.pid for child in psutil.Process(process).children(recursive=True)]


@pytest.mark.slow
def test_one_command_does_jobs_without_any_server_survives_kills_and_leaves_nothing(tmp_path: Path) -> None:
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
        # nothing but the pages waiting for browsers of this machine
        assert [c for c in sockets if c.status != psutil.CONN_LISTEN or c.laddr.ip != "127.0.0.1"] == []
        up.kill()
        until(lambda: not any(alive(process) for process in {*first, *second}), WAIT)
    with tuban_up(settings, tmp_path / "second") as up:
        until_done(database, settings, "three")
        third = descendants(up.pid)
        up.send_signal(signal.SIGINT)
        assert up.wait(WAIT) == 0
        assert (tmp_path / "second").read_text().endswith("goes on with the next start.\n")
        assert not any(alive(process) for process in third)
    database.close()


def test_up_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    upgrade(Database(f"sqlite:///{tmp_path / 'tuban.db'}"))
    settings = ServiceSettings(home=tmp_path, broker="redis://127.0.0.1:1/0", limits=LimitSettings(free_disk_mib=0))
    with (
        pytest.raises(SettingsError, match=r"redis://127\.0\.0\.1:1/0 cannot be reached"),
        prepared(settings, ("worker",)),
    ):
        pass
