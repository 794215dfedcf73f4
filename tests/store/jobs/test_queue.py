"""The job queue: claims, leases and their fencing, retries, and recovery after a worker's death."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from store.jobs.job_counts import count_jobs
from store.jobs.queue import (
    ClaimedJob,
    LeaseLost,
    add_job,
    claim,
    fail,
    finish,
    jobs_to_publish,
    list_jobs,
    queue_statistics,
    release_job,
    renew,
    revive,
)
from store.jobs.recovery import PROCESS_DIED, due_jobs, expire_leases, has_unpublished_jobs, mark_published
from store.schema.database import Database
from store.schema.tables import Job
from store.views.night_progress import night_progress

NOW = dt.datetime(2026, 11, 20, 2, 30, tzinfo=dt.UTC)
LEASE = 60.0


def after(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def added(database: Database, key: str = "one", **changes: Any) -> int:
    """Add a job that is due at once, and return its id."""
    with database.write() as session:
        arguments = {"kind": "scan.blocks", "queue": "scan", "payload": {"scan": 7}, "now": NOW} | changes
        job_id = add_job(session, unique_key=key, **arguments)
    assert job_id is not None
    return job_id


def claimed(database: Database, job_id: int, now: dt.datetime = NOW, owner: str = "here:1:2") -> ClaimedJob:
    """Claim a job; fails if it cannot be claimed."""
    with database.write() as session:
        lease = claim(session, job_id, owner, now, LEASE)
    assert lease is not None
    return lease


def row(database: Database, job_id: int) -> Job:
    with database.read() as session:
        job = session.get(Job, job_id)
    assert job is not None
    return job


def found_due(database: Database, now: dt.datetime, **options: Any) -> list[int]:
    """Return the ids of the jobs to publish."""
    with database.write() as session:
        return [job_id for job_id, _ in due_jobs(session, now, 60, 100, **options)]


def test_a_key_has_one_job_even_after_it_is_done(database: Database) -> None:
    job_id = added(database)
    lease = claimed(database, job_id)
    with database.write() as session:
        finish(session, lease, NOW)
    with database.write() as session:
        assert add_job(session, kind="other", queue="scan", payload={}, unique_key="one", now=NOW) is None
        assert jobs_to_publish(session) == []


def test_added_jobs_are_published_unless_they_are_scheduled_for_later(database: Database) -> None:
    with database.write() as session:
        first = add_job(session, kind="a", queue="scan", payload={}, unique_key="a", now=NOW)
        add_job(session, kind="a", queue="scan", payload={}, unique_key="b", now=NOW, run_after=after(5))
        assert jobs_to_publish(session) == [(first, "scan")]


def test_only_one_of_several_concurrent_claims_succeeds(database: Database) -> None:
    job_id = added(database)
    gate = threading.Barrier(8)

    def try_claim(number: int) -> ClaimedJob | None:
        gate.wait()
        with database.write() as session:
            return claim(session, job_id, f"here:1:{number}", NOW, LEASE)

    with ThreadPoolExecutor(8) as threads:
        leases = [lease for lease in threads.map(try_claim, range(8)) if lease is not None]
    assert len(leases) == 1
    assert (leases[0].attempt, leases[0].payload) == (1, {"scan": 7})
    assert row(database, job_id).lease_owner == leases[0].owner


def test_a_scheduled_job_cannot_be_claimed_early(database: Database) -> None:
    job_id = added(database, run_after=after(30))
    with database.write() as session:
        assert claim(session, job_id, "here:1:2", after(29), LEASE) is None
    assert claimed(database, job_id, after(30)).attempt == 1


def test_a_running_job_can_be_claimed_again_only_after_its_lease_expired(database: Database) -> None:
    job_id = added(database)
    claimed(database, job_id)
    with database.write() as session:
        assert claim(session, job_id, "there:1:2", after(LEASE), LEASE) is None
    assert claimed(database, job_id, after(LEASE + 1), "there:1:2").attempt == 2


def test_a_renewed_lease_counts_from_the_renewal(database: Database) -> None:
    job_id = added(database)
    lease = claimed(database, job_id)
    with database.write() as session:
        assert renew(session, lease, after(50), LEASE, 0.4)
    with database.write() as session:
        assert claim(session, job_id, "there:1:2", after(LEASE + 1), LEASE) is None
    assert row(database, job_id).progress == pytest.approx(0.4)


def with_an_effect(database: Database, end: Callable[[Session], object]) -> None:
    """Write a side effect and end a job in one transaction."""
    with database.write() as session:
        assert add_job(session, kind="a", queue="scan", payload={}, unique_key="effect", now=NOW) is not None
        end(session)


def test_a_worker_without_the_lease_writes_nothing(database: Database) -> None:
    job_id = added(database)
    late = claimed(database, job_id)
    claimed(database, job_id, after(LEASE + 1), "there:1:2")
    with database.write() as session:
        assert not renew(session, late, after(LEASE + 2), LEASE, 0.9)
    ends: tuple[Callable[[Session], object], ...] = (
        lambda session: finish(session, late, after(70)),
        lambda session: fail(session, late, "no", after(70), 4, (5,)),
        lambda session: release_job(session, late, after(70)),
    )
    for end in ends:
        with pytest.raises(LeaseLost):
            with_an_effect(database, end)
    assert row(database, job_id).lease_owner == "there:1:2"
    with database.read() as session:
        assert [job.unique_key for job in list_jobs(session)] == ["one"]


def test_a_job_is_finished_once(database: Database) -> None:
    lease = claimed(database, added(database))
    with database.write() as session:
        finish(session, lease, NOW)
    with pytest.raises(LeaseLost), database.write() as session:
        finish(session, lease, NOW)


def test_a_failed_job_is_retried_with_growing_delays_and_then_dead(database: Database) -> None:
    job_id, now, delays = added(database), NOW, []
    for _ in range(3):
        lease = claimed(database, job_id, now)
        with database.write() as session:
            assert fail(session, lease, "disk full", now, max_attempts=4, retry_seconds=(5, 30)) == "waiting"
        delays.append((row(database, job_id).run_after - now).total_seconds())
        now = row(database, job_id).run_after
    assert delays == [5, 30, 30]
    lease = claimed(database, job_id, now)
    with database.write() as session:
        assert fail(session, lease, "disk full", now, max_attempts=4, retry_seconds=(5, 30)) == "dead"
    dead = row(database, job_id)
    assert (dead.state, dead.error, dead.attempts) == ("dead", "disk full", 4)


def test_a_job_is_dead_at_once_after_a_final_failure(database: Database) -> None:
    lease = claimed(database, added(database))
    with database.write() as session:
        assert fail(session, lease, "no such scene", NOW, 4, (5,), final=True) == "dead"


def test_a_released_job_can_be_claimed_at_once_and_its_attempt_is_not_counted(database: Database) -> None:
    job_id = added(database)
    lease = claimed(database, job_id)
    with database.write() as session:
        release_job(session, lease, after(3))
        assert jobs_to_publish(session) == [(job_id, "scan")]
    assert claimed(database, job_id, after(3)).attempt == 1


def test_a_revived_job_starts_at_its_first_attempt(database: Database) -> None:
    job_id = added(database)
    lease = claimed(database, job_id)
    with database.write() as session:
        assert not revive(session, job_id, NOW)
        fail(session, lease, "no", NOW, 1, ())
    with database.write() as session:
        assert revive(session, job_id, after(9))
        assert jobs_to_publish(session) == [(job_id, "scan")]
    assert claimed(database, job_id, after(9)).attempt == 1


def test_a_recently_published_job_is_not_due(database: Database) -> None:
    job_id = added(database)
    assert found_due(database, after(59)) == []
    assert found_due(database, after(60)) == [job_id]
    with database.write() as session:
        mark_published(session, [job_id], after(60))
    assert found_due(database, after(100)) == []


def test_a_job_that_could_not_be_published_is_due_at_once(database: Database) -> None:
    job_id = added(database)
    with database.write() as session:
        mark_published(session, [job_id], None)
    assert found_due(database, NOW, busy_queues=["scan"]) == [job_id]


def test_jobs_of_a_busy_queue_are_not_published_again(database: Database) -> None:
    scan, ingest = added(database), added(database, "two", queue="ingest")
    assert found_due(database, after(600), busy_queues=["scan"]) == [ingest]
    assert found_due(database, after(600)) == [scan, ingest]


def test_a_scheduled_job_is_due_at_its_time(database: Database) -> None:
    job_id = added(database, run_after=after(30))
    with database.read() as session:
        assert not has_unpublished_jobs(session, after(29))
        assert has_unpublished_jobs(session, after(30))
    assert found_due(database, after(29)) == []
    assert found_due(database, after(30)) == [job_id]


def test_a_job_whose_lease_expired_is_due_even_if_its_queue_is_busy(database: Database) -> None:
    job_id = added(database)
    claimed(database, job_id)
    assert found_due(database, after(LEASE), busy_queues=["scan"]) == []
    assert found_due(database, after(LEASE + 1), busy_queues=["scan"]) == [job_id]


def test_the_oldest_jobs_are_due_first_up_to_the_limit(database: Database) -> None:
    ids = [added(database, str(number), now=after(number)) for number in range(5)]
    with database.write() as session:
        assert [job_id for job_id, _ in due_jobs(session, after(500), 60, 3)] == ids[:3]


def test_a_job_whose_process_died_on_its_last_attempt_is_dead_and_says_why(database: Database) -> None:
    job_id = added(database)
    claimed(database, job_id)
    assert found_due(database, after(61), max_attempts=2) == [job_id]
    claimed(database, job_id, after(61))
    with database.write() as session:
        assert claim(session, job_id, "there:1:2", after(122), LEASE, max_attempts=2) is None
    assert found_due(database, after(122), max_attempts=2) == []
    dead = row(database, job_id)
    assert (dead.state, dead.error) == ("dead", PROCESS_DIED)


def test_a_job_killed_after_its_time_limit_says_so(database: Database) -> None:
    job_id = added(database)
    lease = claimed(database, job_id)
    with database.write() as session:
        assert renew(session, lease, after(3610), LEASE, 0.5)
    found_due(database, after(3671), max_attempts=1, time_limits={"scan": 60}, lease_seconds=LEASE)
    assert row(database, job_id).error == "it took longer than 60 minutes"


def test_leases_of_a_dead_worker_are_expired_at_once(database: Database) -> None:
    first, second = added(database, "first"), added(database, "second")
    late = claimed(database, first, owner="here:1:2")
    claimed(database, second, owner="here:11:2")
    with database.write() as session:
        assert expire_leases(session, "here:1", after(5)) == 1
    assert found_due(database, after(5), busy_queues=["scan"]) == [first]
    with database.write() as session:
        assert has_unpublished_jobs(session, after(5))
    assert claimed(database, first, after(5), "there:1:2").attempt == 2
    with pytest.raises(LeaseLost), database.write() as session:
        finish(session, late, after(6))


def test_leases_of_all_workers_can_be_expired(database: Database) -> None:
    for key, owner in (("a", "here:1:2"), ("b", "there:1:2")):
        claimed(database, added(database, key), owner=owner)
    with database.write() as session:
        assert expire_leases(session, "", after(5)) == 2


def test_statistics_count_the_jobs_of_each_queue(database: Database) -> None:
    added(database, "waits")
    added(database, "for later", run_after=after(1000))
    claimed(database, added(database, "runs"))
    lease = claimed(database, added(database, "dies", queue="deliver"))
    done = claimed(database, added(database, "ends"))
    with database.write() as session:
        fail(session, lease, "no", NOW, 1, ())
        finish(session, done, NOW)
    with database.read() as session:
        counts = {
            q.queue: (q.waiting, q.running, q.dead, q.oldest_seconds) for q in queue_statistics(session, after(40))
        }
    assert counts == {
        "ingest": (0, 0, 0, 0.0),
        "scan": (2, 1, 0, 40.0),
        "deliver": (0, 0, 1, 0.0),
        "capture": (0, 0, 0, 0.0),
    }


def test_jobs_are_filtered_and_listed_newest_first(database: Database) -> None:
    first, second = added(database, "a"), added(database, "b")
    added(database, "c", queue="ingest", kind="ingest.file")
    with database.read() as session:
        assert [job.id for job in list_jobs(session, queue="scan")] == [second, first]
        assert [job.unique_key for job in list_jobs(session, kind="ingest.file", state="waiting")] == ["c"]
        assert len(list_jobs(session, limit=2)) == 2


def test_no_question_of_workers_and_schedule_reads_finished_jobs(database: Database) -> None:
    """Their number only grows. The reaper must not read those that wait in the broker either."""
    job_id = added(database)
    asked: list[tuple[str, Any]] = []

    def record(connection: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if "jobs" in statement:
            asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", record)
    with database.write() as session:
        has_unpublished_jobs(session, NOW)
        due_jobs(session, after(90), 60, 100, busy_queues=["scan"], max_attempts=3)
        expire_leases(session, "here:1", NOW)
        queue_statistics(session, NOW)
        list_jobs(session, state="dead")
        night_progress(session)
        claim(session, job_id, "here:1:2", NOW, LEASE)
    event.remove(database.engine, "before_cursor_execute", record)
    assert len(asked) == 12
    explain = "EXPLAIN QUERY PLAN" if database.sqlite else "EXPLAIN"
    with database.read() as session:
        if not database.sqlite:  # a table of one row is otherwise read as a whole
            session.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, parameters in asked:
            rows = session.connection().exec_driver_sql(f"{explain} {statement}", parameters)
            plan = "\n".join(str(row) for row in rows)
            read_as_a_whole = "SCAN jobs" in plan.replace("SCAN jobs USING INDEX ix_jobs", "").replace(
                "SCAN jobs USING COVERING INDEX ix_jobs", ""
            )
            assert not read_as_a_whole, f"{statement}\n{plan}"
            assert "Seq Scan on jobs" not in plan, f"{statement}\n{plan}"
            if "published_at <=" in statement and "lease_until" not in statement:
                assert "ix_jobs_published" in plan, f"{statement}\n{plan}"


def test_finished_jobs_are_counted_again_only_when_that_is_cheap(database: Database) -> None:
    now = [0.0]

    def passing(seconds: float) -> Callable[[], float]:
        def clock() -> float:
            now[0] += seconds
            return now[0]

        return clock

    def counted(clock: Callable[[], float]) -> dict[tuple[str, str], int]:
        with database.read() as session:
            return count_jobs(session, clock)

    def finished(key: str) -> None:
        lease = claimed(database, added(database, key))
        with database.write() as session:
            finish(session, lease, NOW)

    finished("one")
    added(database, "two")
    assert counted(passing(0.01)) == {("scan.blocks", "done"): 1, ("scan.blocks", "waiting"): 1}
    finished("three")
    assert counted(passing(1.0))[("scan.blocks", "done")] == 2, "it was cheap, and now takes a second"
    finished("four")
    added(database, "five")
    assert counted(passing(1.0)) == {("scan.blocks", "done"): 2, ("scan.blocks", "waiting"): 2}
    now[0] += 100
    assert counted(passing(1.0))[("scan.blocks", "done")] == 3
