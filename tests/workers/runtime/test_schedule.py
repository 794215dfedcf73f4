"""Scheduler: one night per local date despite clock changes and several schedulers; lost jobs are republished."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from service.broker import queue_lengths
from service.context import Context
from service.night_schedule import local_time_to_utc, night_due
from store.jobs.processes import list_processes
from store.jobs.queue import claim, fail, list_jobs
from store.jobs.recovery import mark_published
from store.schema.database import Database
from tests.workers.embedded import clock_of, context_in, given_job, scheduler
from workers.runtime.schedule import PeriodicTasks

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    context = context_in(tmp_path)
    yield context
    context.database.close()


def planned_nights(context: Context) -> list[str]:
    with context.database.read() as session:
        return sorted(job.payload["day"] for job in list_jobs(session, kind="night.plan"))


def set_clock(context: Context, time: str) -> None:
    clock_of(context).now = utc(time)


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-19T17:29", None),  # 01:29 in Shanghai on the 20th, and the night of the 19th is long past
        ("2026-11-19T17:30", "2026-11-20"),
        ("2026-11-20T13:30", "2026-11-20"),  # 20 hours later
        ("2026-11-20T13:31", None),
    ],
)
def test_a_night_is_due_from_its_local_time_for_the_catch_up_hours(now: str, day: str | None) -> None:
    due = night_due(utc(now), "01:30", SHANGHAI, 20)
    assert due == (dt.date.fromisoformat(day) if day else None)


@pytest.mark.parametrize("at_time", ["02:30", "02:00", "03:00", "00:00", "23:59"])
def test_each_date_of_a_year_with_daylight_saving_has_one_night(at_time: str) -> None:
    now, started = utc("2026-01-01T00:00"), {}
    while now < utc("2027-01-01T00:00"):
        day = night_due(now, at_time, BERLIN, 23.5)
        if day is not None and day not in started:
            started[day] = now
        now += dt.timedelta(minutes=15)
    days = sorted(started)
    assert len(days) == (days[-1] - days[0]).days + 1 >= 365
    times = [started[day] for day in days]
    hours_apart = {(later - earlier).total_seconds() / 3600 for earlier, later in pairwise(times[1:])}
    assert hours_apart <= {23, 24, 25}


def test_a_skipped_or_repeated_local_time_is_one_utc_time() -> None:
    assert local_time_to_utc(dt.date(2026, 3, 29), "02:30", BERLIN) == utc("2026-03-29T01:30")  # 03:30 on the new clock
    assert local_time_to_utc(dt.date(2026, 10, 25), "02:30", BERLIN) == utc("2026-10-25T00:30")  # the first of two


def test_repeated_ticks_plan_the_night_once(context: Context) -> None:
    set_clock(context, "2026-11-19T17:30")
    tasks = scheduler(context, "here:1:schedule")
    for _ in range(3):
        tasks.run_due()
        clock_of(context).forward(3600)
    assert planned_nights(context) == ["2026-11-20"]


def test_two_schedulers_plan_one_night(database: Database, tmp_path: Path) -> None:
    context = context_in(tmp_path, database)
    set_clock(context, "2026-11-19T17:30")
    one, other = scheduler(context, "here:1:schedule"), scheduler(context, "there:1:schedule")
    assert [one.run_due(), other.run_due()] == [True, False]
    assert planned_nights(context) == ["2026-11-20"]
    with database.read() as session:
        assert len(list_processes(session, context.clock(), "schedule")) == 2


def test_a_suspended_scheduler_duplicates_nothing(context: Context) -> None:
    one, other = scheduler(context, "here:1:schedule"), scheduler(context, "there:1:schedule")
    set_clock(context, "2026-11-19T17:28:55")
    assert one.run_due()
    set_clock(context, "2026-11-19T17:30:00")
    assert other.run_due()  # the first was silent for more than a minute
    set_clock(context, "2026-11-19T17:28:56")
    assert one.run_due()  # as if no time had passed
    set_clock(context, "2026-11-19T17:30:00")
    one._plan_night(context.clock())
    assert planned_nights(context) == ["2026-11-20"]
    assert not one.run_due()


def test_setting_the_clock_back_plans_no_second_night(context: Context) -> None:
    for time in ("2026-11-19T17:31", "2026-11-19T17:20", "2026-11-19T17:31"):
        set_clock(context, time)
        scheduler(context, "here:1:schedule").run_due()
    assert planned_nights(context) == ["2026-11-20"]


@pytest.mark.parametrize(
    ("started", "planned"),
    [("2026-11-20T05:00", ["2026-11-20"]), ("2026-11-20T16:00", [])],
)
def test_a_missed_night_is_planned_late_unless_the_next_is_near(
    context: Context, started: str, planned: list[str]
) -> None:
    set_clock(context, started)
    tasks = scheduler(context, "here:1:schedule")
    tasks.run_due()
    assert planned_nights(context) == planned
    set_clock(context, "2026-11-20T17:30")
    tasks.run_due()
    assert planned_nights(context) == [*planned, "2026-11-21"]


def test_another_scheduler_leads_immediately_when_the_leader_stops(context: Context) -> None:
    one, other = scheduler(context, "here:1:schedule"), scheduler(context, "there:1:schedule")
    assert [one.run_due(), other.run_due()] == [True, False]
    one.close()
    clock_of(context).forward(10)
    assert other.run_due()


def test_lost_jobs_are_republished_periodically(context: Context) -> None:
    tasks = scheduler(context, "here:1:schedule")
    tasks.run_due()
    before = queue_lengths(context.settings)["scan"]
    job_id = given_job(context, "scan.blocks")
    with context.database.write() as session:
        assert claim(session, job_id, "dead:1:2", context.clock(), 60)
    clock_of(context).forward(60.5)
    tasks.run_due()
    assert queue_lengths(context.settings)["scan"] == before + 1
    clock_of(context).forward(1)
    tasks.run_due()
    assert queue_lengths(context.settings)["scan"] == before + 1


def test_no_job_waits_when_the_clock_is_set_back_by_an_hour(context: Context) -> None:
    seconds = [0.0]
    tasks = PeriodicTasks(context, "here:1:schedule", lambda: seconds[0])
    tasks.run_due()
    before = queue_lengths(context.settings)["scan"]
    waiting, running = given_job(context, "scan.blocks", "one"), given_job(context, "scan.blocks", "two")
    with context.database.write() as session:
        mark_published(session, [waiting], None)
        assert claim(session, running, "dead:1:2", context.clock(), 60)
    clock_of(context).forward(-3600)
    for _ in range(9):
        tasks.run_due()
        clock_of(context).forward(10.5)
        seconds[0] += 10.5
    assert queue_lengths(context.settings)["scan"] == before + 2
    with context.database.write() as session:
        assert claim(session, waiting, "here:1:2", context.clock(), 60)
        assert claim(session, running, "here:1:2", context.clock(), 60)


def test_a_job_whose_retry_delay_has_passed_does_not_wait_for_the_reaper(context: Context) -> None:
    tasks = scheduler(context, "here:1:schedule")
    job_id = given_job(context, "scan.blocks")
    tasks.run_due()
    before = queue_lengths(context.settings)["scan"]
    with context.database.write() as session:
        lease = claim(session, job_id, "here:1:2", context.clock(), 60)
        assert lease
        fail(session, lease, "no", context.clock(), 4, (5,))
    for seconds, more in ((4, 0), (1, 1)):
        clock_of(context).forward(seconds)
        tasks.run_due()
        assert queue_lengths(context.settings)["scan"] == before + more


def test_the_night_is_planned_without_the_broker(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    set_clock(context, "2026-11-19T17:30")
    unreachable: dict[str, Any] = {"broker": "redis://127.0.0.1:1/0"}
    context.settings = context.settings.model_copy(update=unreachable)
    scheduler(context, "here:1:schedule").run_due()
    assert planned_nights(context) == ["2026-11-20"]
