"""Jobs that are long, for tests that stop or kill the worker that does them."""

from __future__ import annotations

import time

from celery.exceptions import SoftTimeLimitExceeded

from service.context import Commit, Context, Work
from service.job_registry import GiveBack, Kind
from tests.workers.counting import counting


def patient(context: Context, work: Work) -> None:
    """Goes on until the worker is to stop."""
    while not work.stopping():
        time.sleep(0.05)
    raise GiveBack


def brief(context: Context, work: Work) -> Commit:
    """Is done once the worker is to stop."""
    while not work.stopping():
        work.progress(0.5)
        time.sleep(0.05)
    return counting(context, work)


def stubborn(context: Context, work: Work) -> None:
    """Does not end by itself, nor when its time is over."""
    while True:
        try:
            time.sleep(600)
        except SoftTimeLimitExceeded:
            continue


def slow(context: Context, work: Work) -> None:
    """Does not end by itself."""
    time.sleep(600)


KINDS = (
    Kind("stop.patient", "scan", patient),
    Kind("stop.brief", "scan", brief),
    Kind("stop.stubborn", "scan", stubborn),
    Kind("stop.slow", "scan", slow),
    Kind("stop.counting", "scan", counting),
)
