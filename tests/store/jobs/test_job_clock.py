"""A clock that is set back by an hour delays no job, no lease, no scheduler and no edit lock."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import text

from store.jobs.job_clock import TOLERANCE, advance, job_time
from store.jobs.processes import idle_for, list_processes, record_heartbeat, remove_stale_processes
from store.jobs.queue import add_job, claim, fail, queue_statistics
from store.jobs.recovery import due_jobs, has_unpublished_jobs
from store.jobs.schedule_slots import become_leader
from store.schema.database import Database, Session
from store.schema.database_clock import RETRY_SECONDS, SYNCHRONIZED_EVERY, DatabaseClock
from store.schema.tables import Job

NOW = dt.datetime(2026, 11, 20, 18, 0, tzinfo=dt.UTC)
BACK = NOW - dt.timedelta(hours=1)


def _seconds(seconds: float) -> dt.timedelta:
    return dt.timedelta(seconds=seconds)


def _job(session: Session, now: dt.datetime, key: str = "one", run_after: dt.datetime | None = None) -> int:
    added = add_job(session, kind="scan.blocks", queue="scan", payload={}, unique_key=key, now=now, run_after=run_after)
    assert added is not None
    return added


def _set_back(session: Session) -> None:
    """Record heartbeats before and after the clock is set back from ``NOW`` to ``BACK``."""
    record_heartbeat(session, "here:1:schedule", "schedule", NOW)
    record_heartbeat(session, "here:1:schedule", "schedule", BACK)


def test_a_job_that_was_due_can_be_claimed_after_the_clock_was_set_back(database: Database) -> None:
    with database.write() as session:
        job = _job(session, NOW)
        _set_back(session)
        assert claim(session, job, "here:1:2", BACK, 60) is not None
        [scans] = [queue for queue in queue_statistics(session, BACK) if queue.queue == "scan"]
        assert (scans.running, scans.oldest_seconds) == (1, 0)


def test_the_lease_of_a_dead_worker_expires_after_its_seconds(database: Database) -> None:
    with database.write() as session:
        job = _job(session, NOW)
        assert claim(session, job, "here:1:2", NOW, 60)
        _set_back(session)
        assert claim(session, job, "here:1:3", BACK + _seconds(59), 60) is None
        assert due_jobs(session, BACK + _seconds(59), republish_seconds=60, limit=9) == []
        assert due_jobs(session, BACK + _seconds(61), republish_seconds=60, limit=9) == [(job, "scan")]
        assert claim(session, job, "here:1:3", BACK + _seconds(61), 60) is not None


def test_a_retry_and_a_planned_start_keep_their_delays(database: Database) -> None:
    with database.write() as session:
        job, later = _job(session, NOW), _job(session, NOW, "two", run_after=NOW + _seconds(30))
        claimed = claim(session, job, "here:1:2", NOW, 60)
        assert claimed is not None
        fail(session, claimed, "disk full", NOW, 4, (30,))
        _set_back(session)
        assert not has_unpublished_jobs(session, BACK + _seconds(29))
        assert claim(session, job, "here:1:2", BACK + _seconds(29), 60) is None
        assert has_unpublished_jobs(session, BACK + _seconds(31))
        assert claim(session, job, "here:1:2", BACK + _seconds(31), 60) is not None
        assert claim(session, later, "here:1:2", BACK + _seconds(31), 60) is not None


def test_the_times_shown_of_a_job_are_those_of_the_system(database: Database) -> None:
    with database.write() as session:
        _set_back(session)
        job = _job(session, BACK)
        assert claim(session, job, "here:1:2", BACK, 60)
        session.expire_all()
        row = session.get_one(Job, job)
        assert (row.created_at, row.started_at) == (BACK, BACK)


def test_another_scheduler_takes_over_and_dead_processes_disappear(database: Database) -> None:
    with database.write() as session:
        assert become_leader(session, "dead", NOW, 60)
        record_heartbeat(session, "dead:1:worker", "worker", NOW)
        record_heartbeat(session, "idle:1:7", "jobs", NOW)
        _set_back(session)
        later = BACK + _seconds(61)
        record_heartbeat(session, "here:1:schedule", "schedule", later)
        assert become_leader(session, "alive", later, 60)
        assert [process.name for process in list_processes(session, later - _seconds(60))] == ["here:1:schedule"]
        assert idle_for(session, "idle:1", later) == _seconds(61)
        remove_stale_processes(session, later - _seconds(60))
        assert [process.name for process in list_processes(session, BACK - _seconds(60))] == ["here:1:schedule"]


def test_job_time_never_goes_back_and_passes_at_the_normal_rate(database: Database) -> None:
    steps = (0, 10, 20, -3600, -3590, -7200, -7190, -7190 - TOLERANCE.total_seconds() / 2, -7180, 0)
    with database.write() as session:
        times = [advance(session, NOW + _seconds(step)) for step in steps]
        assert [(time - NOW).total_seconds() for time in times[:7]] == [0, 10, 20, 20, 30, 30, 40]
        assert times[7] == times[6], "a small correction stops it"
        assert times == sorted(times)
        assert job_time(session, NOW + _seconds(5)) == times[-1] + _seconds(5)


def test_with_postgresql_the_time_is_that_of_the_server(postgresql: Database) -> None:
    seconds = [1000.0]
    clock = DatabaseClock(postgresql, lambda: seconds[0], fallback=lambda: NOW)
    before = _server_time(postgresql)
    moment = clock()
    assert before <= moment <= _server_time(postgresql)
    seconds[0] += SYNCHRONIZED_EVERY - 1
    assert clock() == moment + _seconds(SYNCHRONIZED_EVERY - 1), "the monotonic clock continues"
    seconds[0] += 2
    assert clock() <= _server_time(postgresql), "the server's time is read again"


def test_without_the_server_the_clock_of_the_machine_and_then_the_monotonic_clock_are_used(
    postgresql: Database,
) -> None:
    seconds = [0.0]
    unreachable = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    clock = DatabaseClock(unreachable, lambda: seconds[0], fallback=lambda: NOW)
    assert clock() == NOW
    clock._database = postgresql
    assert clock() == NOW, "the server is not asked again at once"
    seconds[0] += RETRY_SECONDS
    moment = clock()
    assert moment != NOW
    clock._database = unreachable
    seconds[0] += SYNCHRONIZED_EVERY + 1
    assert clock() == moment + _seconds(SYNCHRONIZED_EVERY + 1)


def test_a_worker_does_not_wait_for_another_one_that_records_the_time(postgresql: Database) -> None:
    """It would compare the time before its waiting with that of others, and take the difference for a step back."""
    with postgresql.write() as session:
        advance(session, NOW)
    with postgresql.write() as first, postgresql.write() as second:
        assert advance(first, NOW + _seconds(20)) == NOW + _seconds(20)
        second.execute(text("SET LOCAL lock_timeout = '5s'"))
        assert advance(second, NOW + _seconds(20)) == NOW + _seconds(20)
    with postgresql.write() as session:
        assert job_time(session, NOW + _seconds(30)) == NOW + _seconds(30)


def _server_time(database: Database) -> dt.datetime:
    with database.engine.connect() as connection:
        moment: dt.datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment
