"""Schedule slots are claimed once, one scheduler is the leader, and processes record heartbeats."""

from __future__ import annotations

import datetime as dt

from store.jobs.processes import (
    idle_for,
    list_processes,
    record_heartbeat,
    remove_process,
    remove_stale_processes,
)
from store.jobs.schedule_slots import become_leader, claim_slot, resign_leadership
from store.schema.database import Database

NOW = dt.datetime(2026, 11, 20, 2, 30, tzinfo=dt.UTC)


def after(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def test_a_slot_is_claimed_once(database: Database) -> None:
    with database.write() as session:
        assert claim_slot(session, "night", "2026-11-20", "a", NOW)
    with database.write() as session:
        assert not claim_slot(session, "night", "2026-11-20", "b", NOW)
        assert claim_slot(session, "night", "2026-11-21", "b", NOW)


def test_a_scheduler_stays_leader_until_its_leadership_times_out(database: Database) -> None:
    with database.write() as session:
        assert become_leader(session, "a", NOW, 60)
        assert not become_leader(session, "b", after(10), 60)
        assert become_leader(session, "a", after(50), 60)
        assert not become_leader(session, "b", after(110), 60)
        assert become_leader(session, "b", after(111), 60)
        assert not become_leader(session, "a", after(112), 60)


def test_after_a_resignation_another_scheduler_becomes_leader_at_once(database: Database) -> None:
    with database.write() as session:
        become_leader(session, "a", NOW, 60)
        resign_leadership(session, "b")
        assert not become_leader(session, "b", after(1), 60)
        resign_leadership(session, "a")
        assert become_leader(session, "b", after(2), 60)


def test_processes_are_listed_while_they_record_heartbeats(database: Database) -> None:
    with database.write() as session:
        record_heartbeat(session, "host:1:worker", "worker", NOW)
        record_heartbeat(session, "host:2:schedule", "schedule", NOW)
        record_heartbeat(session, "host:1:worker", "worker", after(100))
    with database.read() as session:
        assert [(p.name, p.started_at) for p in list_processes(session, after(50))] == [("host:1:worker", NOW)]
        assert [p.name for p in list_processes(session, NOW, "schedule")] == ["host:2:schedule"]
    with database.write() as session:
        remove_stale_processes(session, after(50))
        assert [p.name for p in list_processes(session, NOW)] == ["host:1:worker"]


def test_a_worker_was_idle_for_at_the_latest_heartbeat_of_its_children(database: Database) -> None:
    with database.write() as session:
        record_heartbeat(session, "host:1:7", "jobs", after(20))
        record_heartbeat(session, "host:1:8", "jobs", after(30))
        record_heartbeat(session, "host:11:9", "jobs", after(90))
        record_heartbeat(session, "host:1:worker", "worker", after(100))
        assert idle_for(session, "host:1", after(110)) == dt.timedelta(seconds=80)
        assert idle_for(session, "host:2", after(110)) is None
        remove_process(session, "host:1")
        assert [p.name for p in list_processes(session, NOW)] == ["host:11:9"]
