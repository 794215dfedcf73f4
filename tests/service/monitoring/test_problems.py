"""Each thing that stops the service is a problem, with its reason, until it ends."""

from __future__ import annotations

import datetime as dt
import socket
from pathlib import Path
from typing import Any

import pytest

from configs.service import ServiceSettings, read_service
from enforcement.deadlines.public_holidays import CalendarYear
from service.context import Context
from service.monitoring.problems import PROBLEM_KINDS, find_problems, find_warnings
from service.scan_jobs import add_night_job
from store.deadlines.calendar import save_year
from store.jobs.processes import record_heartbeat
from store.jobs.queue import claim, fail
from store.scans.nights import open_night, update_night_state
from store.schema.database import Database
from store.schema.tables import Night
from tests.databases import embedded_database

ZONE_MORNING = dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC)  # nine in the morning in Shanghai
TODAY, YESTERDAY = dt.date(2026, 11, 24), dt.date(2026, 11, 23)


def service(tmp_path: Path, now: dt.datetime = ZONE_MORNING, **settings: Any) -> Context:
    """A service whose workers and schedule run."""
    database = embedded_database(tmp_path / "home" / "tuban.db")
    context = Context(ServiceSettings(home=tmp_path / "home", **settings), database, clock=lambda: now)
    with database.write() as session:
        record_heartbeat(session, "host:1:scan", "worker", now)
        record_heartbeat(session, "host:2:schedule", "schedule", now)
    return context


def kinds(context: Context) -> list[str]:
    return [problem.kind for problem in find_problems(context)]


def plan(context: Context, day: dt.date, states: dict[str, int] | None = None) -> None:
    with context.database.write() as session:
        night = open_night(session, day, context.clock())
        update_night_state(session, night.id, context.clock())
        if states:
            night.summary = {**night.summary, "states": states}


def test_a_running_service_has_no_problem(tmp_path: Path) -> None:
    context = service(tmp_path)
    plan(context, YESTERDAY)
    plan(context, TODAY)
    assert kinds(context) == []


@pytest.mark.parametrize("part", ["worker", "schedule"])
def test_a_part_without_heartbeat_is_a_problem(tmp_path: Path, part: str) -> None:
    context = service(tmp_path)
    later = ZONE_MORNING + dt.timedelta(hours=1)
    with context.database.write() as session:
        for other in {"worker", "schedule"} - {part}:
            record_heartbeat(session, f"host:3:{other}", other, later)  # type: ignore[arg-type]
    context.clock = lambda: later
    assert kinds(context) == ["workers" if part == "worker" else "schedule"]


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_does_not_answer_is_a_problem(tmp_path: Path, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    context = service(tmp_path, broker=f"{scheme}://user:hidden@127.0.0.1:{port}/")
    (problem,) = find_problems(context)
    assert (problem.kind, "hidden" in problem.reason) == ("broker", False)
    assert f"127.0.0.1:{port}" in problem.reason


def test_an_object_store_that_does_not_answer_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("MAX_ATTEMPTS", "1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    context = service(tmp_path, objects="s3://bucket/tuban", s3_endpoint=f"http://127.0.0.1:{port}")
    assert kinds(context) == ["objects"]


@pytest.mark.parametrize("what", ["home", "objects", "drop_folder"])
def test_a_full_disk_of_any_folder_is_a_problem(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    context = service(tmp_path, objects=str(tmp_path / "o"), delivery={"drop_folder": str(tmp_path / "d")})
    folders = {"home": tmp_path / "home", "objects": tmp_path / "o", "drop_folder": tmp_path / "d"}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)

    def disk_usage(folder: Path) -> Any:
        free = 3 * 2**20 if folder == folders[what] else 2**40
        return type("Usage", (), {"free": free})

    monkeypatch.setattr("shutil.disk_usage", disk_usage)
    (problem,) = find_problems(context)
    assert problem.kind == "disk"
    assert f"3 MiB are free in {folders[what]}" in problem.reason


def test_a_night_that_was_not_planned_is_missing_an_hour_after_its_time(tmp_path: Path) -> None:
    context = service(tmp_path)
    assert kinds(context) == [], "a new installation has had no night yet"
    plan(context, YESTERDAY)
    assert kinds(context) == ["night_missing"]
    for minutes, found in ((59, []), (60, ["night_missing"])):
        at = dt.datetime(2026, 11, 23, 17, 30, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)  # 01:30 in Shanghai
        early = service(tmp_path / str(minutes), at)
        plan(early, YESTERDAY)
        assert kinds(early) == found


def test_a_night_whose_planning_died_has_failed(tmp_path: Path) -> None:
    context = service(tmp_path)
    with context.database.write() as session:
        job = add_night_job(session, TODAY, ZONE_MORNING)
        assert job is not None
        claimed = claim(session, job, "host:1:2", ZONE_MORNING, 60)
        assert claimed is not None
        assert fail(session, claimed, "no memory left.", ZONE_MORNING, 1, ()) == "dead"
    (problem,) = find_problems(context)
    assert problem.kind == "night_failed"
    assert "no memory left" in problem.reason


def test_a_night_with_failed_scans_has_failed(tmp_path: Path) -> None:
    context = service(tmp_path)
    plan(context, TODAY, {"done": 5, "failed": 2})
    (problem,) = find_problems(context)
    assert (problem.kind, "2 of 7 scans failed" in problem.reason) == ("night_failed", True)
    with context.database.write() as session:
        for night in session.query(Night):
            night.summary = {**night.summary, "states": {"done": 7}}
    assert kinds(context) == []


def test_without_the_database_the_other_problems_are_still_found(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    database = Database(f"postgresql+psycopg://tuban:hidden@127.0.0.1:{port}/tuban")
    limits = {"free_disk_mib": 10**9}
    context = Context(read_service(home=tmp_path, limits=limits), database, clock=lambda: ZONE_MORNING)
    found = find_problems(context)
    assert [problem.kind for problem in found] == ["database", "disk"]
    assert "hidden" not in found[0].reason


def test_every_kind_is_listed_once() -> None:
    assert len(set(PROBLEM_KINDS)) == len(PROBLEM_KINDS)


def test_a_missing_calendar_year_is_a_warning_until_it_is_entered(tmp_path: Path) -> None:
    context = service(tmp_path)
    plan(context, TODAY)
    (warning,) = find_warnings(context)
    assert "public holidays of 2027" in warning.reason
    assert kinds(context) == []  # the service works
    with context.database.write() as session:
        save_year(session, CalendarYear(year=2027), who="admin", now=ZONE_MORNING)
    assert find_warnings(context) == []
