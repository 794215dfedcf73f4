"""A scan with a dead job fails, and resumes when the job is revived."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from store.jobs.queue import add_job, claim, fail, revive
from store.jobs.recovery import due_jobs
from store.scans.failed_scans import job_key
from store.scans.nights import open_night, update_night_state
from store.scans.scans import finish_part, start_scan
from store.schema.database import Database
from store.schema.tables import Job, Night, Scan, UncomparedGround
from tests.store.sample_rows import NOW, add_scan, add_scene, ground

DAY = dt.date(2026, 11, 24)
STEPS = ("blocks:0", "blocks:1")


@pytest.fixture
def scan_id(database: Database) -> int:
    """A scan in two parts, the only one of its night."""
    with database.write() as session:
        night = open_night(session, DAY, NOW)
        before, after = (add_scene(session, dt.date(2026, month, 1), ground(0, 0, 1000, 500)) for month in (3, 10))
        scan = add_scan(session, before, after, night_id=night.id)
        start_scan(
            session, scan.id, blocks=8, parts=2, plan={}, settings_sha256="5" * 64, weights_sha256="7" * 64, now=NOW
        )
        update_night_state(session, night.id, NOW)
        for step in STEPS:
            key = job_key(scan.id, step)
            add_job(session, kind="scan.blocks", queue="scan", payload={"scan": scan.id}, unique_key=key, now=NOW)
        return scan.id


def _die(database: Database, *steps: str) -> None:
    for step in steps:
        with database.write() as session:
            job_id = session.scalars(select(Job.id).where(Job.unique_key.endswith(step))).one()
            lease = claim(session, job_id, "here:1:2", NOW, 60)
            assert lease is not None
            fail(session, lease, f"{step} cannot be done", NOW, 1, ())


def _revive(database: Database, step: str) -> None:
    with database.write() as session:
        assert revive(session, session.scalars(select(Job.id).where(Job.unique_key.endswith(step))).one(), NOW)


def _states(database: Database) -> tuple[str, str, str, list[str]]:
    """State and reason of the scan, state of the night, and the reasons of uncompared ground."""
    with database.read() as session:
        scan, night = session.scalars(select(Scan)).one(), session.scalars(select(Night)).one()
        assert (scan.finished_at is None) == (scan.state == "scanning")
        assert (night.finished_at is None) == (night.state == "scanning")
        return scan.state, scan.reason, night.state, list(session.scalars(select(UncomparedGround.reason)))


def test_a_dead_job_fails_its_scan_and_reviving_it_resumes_the_scan(database: Database, scan_id: int) -> None:
    _die(database, "blocks:1")
    reason = "blocks:1 cannot be done"
    assert _states(database) == ("failed", reason, "done", [reason])
    with database.write() as session:
        assert not finish_part(session, scan_id, 0)  # the result of the other part is kept
    _revive(database, "blocks:1")
    assert _states(database) == ("scanning", "", "scanning", [])
    with database.write() as session:
        assert finish_part(session, scan_id, 1)


def test_a_scan_stays_failed_while_another_of_its_jobs_is_dead(database: Database, scan_id: int) -> None:
    _die(database, "blocks:0", "blocks:1")
    _revive(database, "blocks:0")
    assert _states(database)[:2] == ("failed", "blocks:0 cannot be done")
    with database.write() as session:
        assert not finish_part(session, scan_id, 0)
    _revive(database, "blocks:1")
    assert _states(database) == ("scanning", "", "scanning", [])


def test_a_job_whose_process_died_on_its_last_attempt_fails_its_scan(database: Database, scan_id: int) -> None:
    with database.write() as session:
        job = session.scalars(select(Job.id).where(Job.unique_key.endswith("blocks:0"))).one()
        assert claim(session, job, "here:1:2", NOW, 60)
    with database.write() as session:
        due_jobs(session, NOW + dt.timedelta(seconds=61), 60, 100, max_attempts=1)
    assert _states(database)[0] == "failed"
