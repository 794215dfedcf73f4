"""Long-running jobs for tests that stop or kill their worker."""

from __future__ import annotations

import time

from celery.exceptions import SoftTimeLimitExceeded

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind, ReleaseJob
from tests.workers.counting import counting


def patient(context: Context, job: JobRun) -> None:
    """Run until the worker shuts down."""
    while not job.should_stop():
        time.sleep(0.05)
    raise ReleaseJob


def brief(context: Context, job: JobRun) -> Commit:
    """Finish once the worker shuts down."""
    while not job.should_stop():
        job.progress(0.5)
        time.sleep(0.05)
    return counting(context, job)


def stubborn(context: Context, job: JobRun) -> None:
    """Never end, not even when the time limit is exceeded."""
    while True:
        try:
            time.sleep(600)
        except SoftTimeLimitExceeded:
            continue


def slow(context: Context, job: JobRun) -> None:
    """Run until interrupted."""
    time.sleep(600)


JOB_KINDS = (
    JobKind("stop.patient", "scan", patient),
    JobKind("stop.brief", "scan", brief),
    JobKind("stop.stubborn", "scan", stubborn),
    JobKind("stop.slow", "scan", slow),
    JobKind("stop.counting", "scan", counting),
)
