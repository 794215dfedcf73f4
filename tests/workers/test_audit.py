"""The weekly audit: planned once a week by any number of schedulers, with a stored result."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from configs.service import AuditSettings
from service.audit_schedule import audit_due
from service.context import Context
from service.metrics import to_metrics
from store.alerts.audit import last_audit
from store.jobs.queue import list_jobs
from store.schema.database import Database
from store.views.statistics import read_statistics
from tests.store.alerts.test_transitions import execute, three_steps
from tests.workers.embedded import clock_of, context_in, given_job, job_of, scheduler
from workers.runtime.job_runner import run_job

SHANGHAI = ZoneInfo("Asia/Shanghai")


def utc(time: str) -> dt.datetime:
    return dt.datetime.fromisoformat(time).replace(tzinfo=dt.UTC)


@pytest.fixture
def context(database: Database, tmp_path: Path) -> Context:
    context = context_in(tmp_path, database)
    clock_of(context).now = utc("2026-11-25T12:00")
    return context


def _planned_audits(context: Context) -> list[str]:
    with context.database.read() as session:
        return sorted(job.unique_key for job in list_jobs(session, kind="alerts.audit"))


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-22T03:59", "2026-11-15"),  # a Sunday, 11:59 in Shanghai
        ("2026-11-22T04:00", "2026-11-22"),
        ("2026-11-25T12:00", "2026-11-22"),
        ("2026-11-28T16:30", "2026-11-22"),  # 00:30 of the next Sunday in Shanghai
        ("2026-11-29T04:00", "2026-11-29"),
    ],
)
def test_an_audit_is_due_from_its_local_time_until_the_next(now: str, day: str) -> None:
    assert audit_due(utc(now), AuditSettings(), SHANGHAI) == dt.date.fromisoformat(day)


def test_the_weekday_is_that_of_the_settings() -> None:
    due = audit_due(utc("2026-11-25T12:00"), AuditSettings(weekday="wednesday", at="20:00"), SHANGHAI)
    assert due == dt.date(2026, 11, 25)  # a Wednesday
    due = audit_due(utc("2026-11-25T12:00"), AuditSettings(weekday="thursday", at="00:00"), SHANGHAI)
    assert due == dt.date(2026, 11, 19)


def test_two_schedulers_plan_one_audit_a_week(context: Context) -> None:
    one, other = scheduler(context, "here:1:schedule"), scheduler(context, "there:1:schedule")
    for _ in range(15):  # steps of a day, so that leadership expires and the other scheduler can take over
        for tasks in (one, other):
            tasks.run_due()
            tasks._plan_audit(context.clock())  # even if both believe they are the leader
        clock_of(context).forward(24 * 3600)
    assert _planned_audits(context) == [f"alerts:audit:{day}" for day in ("2026-11-22", "2026-11-29", "2026-12-06")]


def test_a_restarted_scheduler_plans_no_second_audit(context: Context) -> None:
    for _ in range(3):
        scheduler(context, "here:1:schedule").run_due()
    assert _planned_audits(context) == ["alerts:audit:2026-11-22"]


def test_a_disabled_audit_is_not_planned(context: Context) -> None:
    context = replace(context, settings=context.settings.model_copy(update={"audit": AuditSettings(enabled=False)}))
    scheduler(context, "here:1:schedule").run_due()
    assert _planned_audits(context) == []


def test_the_job_stores_that_all_logs_are_intact(context: Context) -> None:
    three_steps(context.database)
    with capture_logs() as logged:
        assert run_job(context, given_job(context, "alerts.audit", queue="ingest")) == "done"
    with context.database.read() as session:
        stored = last_audit(session)
    assert stored is not None
    assert (stored.finished_at, stored.origin) == (context.clock(), "schedule")
    assert (stored.alerts, stored.transitions, stored.broken, stored.first_broken) == (1, 3, 0, {})
    assert [entry for entry in logged if entry["log_level"] == "error"] == []


def test_a_broken_log_is_stored_and_logged_as_an_error(context: Context) -> None:
    three_steps(context.database)
    execute(context.database, "UPDATE transitions SET who = 'somebody' WHERE sequence = 2")
    job_id = given_job(context, "alerts.audit", queue="ingest")
    with capture_logs() as logged:
        assert run_job(context, job_id) == "done"
    assert job_of(context, job_id).progress == 1.0
    with context.database.read() as session:
        stored = last_audit(session)
    assert stored is not None
    assert (stored.broken, stored.first_broken["sequence"], stored.first_broken["difference"]) == (1, 2, "content")
    with context.database.read() as session:
        metrics = {
            metric.name: metric.samples[0].value
            for metric in to_metrics(read_statistics(session, context.clock()))
            if metric.samples
        }
    assert metrics["tuban_audit_broken_alerts"] == 1
    assert metrics["tuban_audit_timestamp_seconds"] == context.clock().timestamp()
    errors = [entry for entry in logged if entry["log_level"] == "error"]
    assert [entry.get("alert") for entry in errors] == ["130131U2026110001", None]
    assert "transition 2 was changed" in errors[0]["reason"]
