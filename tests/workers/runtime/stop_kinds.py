"""Jobs that are long, for tests that stop or kill the worker that does them."""

from __future__ import annotations

import time

from celery.exceptions import SoftTimeLimitExceeded

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind, ReleaseJob
from tests.workers.counting import counting


def patient(context: Context, job: JobRun) -> None:
    """Goes on until the worker is to stop."""
    while not job.should_stop():
        time.sleep(0.05)
    raise ReleaseJob


def brief(context: Context, job: JobRun) -> Commit:
    """Is done once the worker is to stop."""
    while not job.should_stop():
        job.progress(0.5)
        time.sleep(0.05)
    return counting(context, job)


def stubborn(context: Context, job: JobRun) -> None:
    """Does not end by itself, nor when its time is over."""
    while True:
        try:
            time.sleep(600)
        except SoftTimeLimitExceeded:
            continue


def slow(context: Context, job: JobRun) -> None:
    """Does not end by itself."""
    time.sleep(600)


JOB_KINDS = (
    JobKind("stop.patient", "scan", patient),
    JobKind("stop.brief", "scan", brief),
    JobKind("stop.stubborn", "scan", stubborn),
    JobKind("stop.slow", "scan", slow),
    JobKind("stop.counting", "scan", counting),
)
