"""The night comes once for each local date, whatever clocks and schedulers do; lost jobs are found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from store.jobs.processes import list_processes

from service.broker import queue_lengths
from service.context import Context
from service.night_schedule import local_time_to_utc, night_due
from store.jobs.queue import claim, fail, list_jobs
from store.schema.database import Database
from tests.workers.embedded import clock_of, context_in, given_job
from workers.runtime.schedule import PeriodicTasks

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    made = context_in(tmp_path)
    yield made
    made.database.close()


def nights(context: Context) -> list[str]:
    with context.database.read() as session:
        return sorted(job.payload["day"] for job in list_jobs(session, kind="night.plan"))


def at(context: Context, moment: str) -> None:
    clock_of(context).now = utc(moment)


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-19T17:29", None),  # 01:29 in Shanghai on the 20th, and the night of the 19th is long past
        ("2026-11-19T17:30", "2026-11-20"),
        ("2026-11-20T13:30", "2026-11-20"),  # 20 hours later
        ("2026-11-20T13:31", None),
    ],
)
def test_a_night_is_due_from_its_local_time_on_for_so_many_hours(now: str, day: str | None) -> None:
    due = night_due(utc(now), "01:30", SHANGHAI, 20)
    assert due == (dt.date.fromisoformat(day) if day else None)


@pytest.mark.parametrize("at_time", ["02:30", "02:00", "03:00", "00:00", "23:59"])
def test_through_a_year_of_changing_clocks_each_date_has_one_night(at_time: str) -> None:
    now, begun = utc("2026-01-01T00:00"), {}
    while now < utc("2027-01-01T00:00"):
        day = night_due(now, at_time, BERLIN, 23.5)
        if day is not None and day not in begun:
            begun[day] = now
        now += dt.timedelta(minutes=15)
    days = sorted(begun)
    assert len(days) == (days[-1] - days[0]).days + 1 >= 365
    moments = [begun[day] for day in days]
    apart = {(later - earlier).total_seconds() / 3600 for earlier, later in pairwise(moments[1:])}
    assert apart <= {23, 24, 25}


def test_a_local_time_that_is_skipped_or_comes_twice_is_one_moment() -> None:
    assert local_time_to_utc(dt.date(2026, 3, 29), "02:30", BERLIN) == utc("2026-03-29T01:30")  # 03:30 on the new clock
    assert local_time_to_utc(dt.date(2026, 10, 25), "02:30", BERLIN) == utc("2026-10-25T00:30")  # the first of two


def test_the_night_is_planned_once_however_often_one_looks(context: Context) -> None:
    at(context, "2026-11-19T17:30")
    rounds = PeriodicTasks(context, "here:1:schedule")
    for _ in range(3):
        rounds.once()
        clock_of(context).forward(3600)
    assert nights(context) == ["2026-11-20"]


def test_two_schedulers_plan_one_night(database: Database, tmp_path: Path) -> None:
    context = context_in(tmp_path, database)
    at(context, "2026-11-19T17:30")
    one, other = PeriodicTasks(context, "here:1:schedule"), PeriodicTasks(context, "there:1:schedule")
    assert [one.once(), other.once()] == [True, False]
    assert nights(context) == ["2026-11-20"]
    with database.read() as session:
        assert len(list_processes(session, context.clock(), "schedule")) == 2


def test_a_scheduler_that_was_asleep_duplicates_nothing(context: Context) -> None:
    one, other = PeriodicTasks(context, "here:1:schedule"), PeriodicTasks(context, "there:1:schedule")
    at(context, "2026-11-19T17:28:55")
    assert one.once()
    at(context, "2026-11-19T17:30:00")
    assert other.once()  # the first was silent for more than a minute
    at(context, "2026-11-19T17:28:56")
    assert one.once()  # and believes that no time has passed
    at(context, "2026-11-19T17:30:00")
    one._begin_night(context.clock())
    assert nights(context) == ["2026-11-20"]
    assert not one.once()


def test_a_clock_that_is_set_back_brings_no_second_night(context: Context) -> None:
    for moment in ("2026-11-19T17:31", "2026-11-19T17:20", "2026-11-19T17:31"):
        at(context, moment)
        PeriodicTasks(context, "here:1:schedule").once()
    assert nights(context) == ["2026-11-20"]


@pytest.mark.parametrize(
    ("started", "planned"),
    [("2026-11-20T05:00", ["2026-11-20"]), ("2026-11-20T16:00", [])],
)
def test_a_missed_night_is_caught_up_with_unless_the_next_is_near(
    context: Context, started: str, planned: list[str]
) -> None:
    at(context, started)
    rounds = PeriodicTasks(context, "here:1:schedule")
    rounds.once()
    assert nights(context) == planned
    at(context, "2026-11-20T17:30")
    rounds.once()
    assert nights(context) == [*planned, "2026-11-21"]


def test_the_next_scheduler_is_leader_at_once_when_one_stops(context: Context) -> None:
    one, other = PeriodicTasks(context, "here:1:schedule"), PeriodicTasks(context, "there:1:schedule")
    assert [one.once(), other.once()] == [True, False]
    one.close()
    clock_of(context).forward(10)
    assert other.once()


def test_lost_jobs_are_published_every_so_often(context: Context) -> None:
    rounds = PeriodicTasks(context, "here:1:schedule")
    rounds.once()
    before = queue_lengths(context.settings)["scan"]
    job_id = given_job(context, "scan.blocks")
    with context.database.write() as session:
        assert claim(session, job_id, "dead:1:2", context.clock(), 60)
    clock_of(context).forward(60.5)
    rounds.once()
    assert queue_lengths(context.settings)["scan"] == before + 1
    clock_of(context).forward(1)
    rounds.once()
    assert queue_lengths(context.settings)["scan"] == before + 1


def test_a_job_whose_pause_is_over_does_not_wait_for_the_next_reaping(context: Context) -> None:
    rounds = PeriodicTasks(context, "here:1:schedule")
    job_id = given_job(context, "scan.blocks")
    rounds.once()
    before = queue_lengths(context.settings)["scan"]
    with context.database.write() as session:
        lease = claim(session, job_id, "here:1:2", context.clock(), 60)
        assert lease
        fail(session, lease, "no", context.clock(), 4, (5,))
    for seconds, more in ((4, 0), (1, 1)):
        clock_of(context).forward(seconds)
        rounds.once()
        assert queue_lengths(context.settings)["scan"] == before + more


def test_the_night_begins_though_the_broker_is_away(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    at(context, "2026-11-19T17:30")
    away: dict[str, Any] = {"broker": "redis://127.0.0.1:1/0"}
    context.settings = context.settings.model_copy(update=away)
    PeriodicTasks(context, "here:1:schedule").once()
    assert nights(context) == ["2026-11-20"]
