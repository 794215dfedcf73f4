"""The benchmark of the job system: each job is finished once, also those of dead workers and of repeated messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_jobs_of_dead_workers_and_repeated_messages_are_finished_once(postgresql_url: str) -> None:
    """The benchmark itself compares finished jobs with finished rows; with ``--seconds 0`` none may remain."""
    code = """
import json, multiprocessing, sys
from sqlalchemy import func, select
from benchmarks import simulated_workers as jobs
from store.schema.database import Database
from store.schema.migrate import upgrade
from store.schema.tables import Job
multiprocessing.set_start_method("fork")
jobs.LEASE_SECONDS, jobs.DIES_EVERY, jobs.TWICE_EVERY = 1.0, 7, 3
base = Database(sys.argv[1])
upgrade(base)
jobs.fill_jobs(base, "done", 50, 0)
jobs.fill_jobs(base, "waiting", 300, 50)
measured = jobs.measure(base, workers=40, processes=2, seconds=0)
with base.read() as session:
    states = {state: count for state, count in session.execute(select(Job.state, func.count()).group_by(Job.state))}
print(json.dumps({"states": states, "counts": measured.counts}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, postgresql_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["states"] == {"done": 350}
    counts = found["counts"]
    assert counts["finished"] == 300
    assert counts["died"] >= 5
    assert counts["claims"] == counts["finished"] + counts["died"]
    assert counts["refused"] >= 50
