"""A service in a folder: settings, database and broker, and kinds of jobs that a test makes up."""

from __future__ import annotations

import datetime as dt
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.service import ServiceSettings
from service import job_registry as kinds
from service.broker import check_broker
from service.context import Context, Handler
from service.home import prepare_home
from store.jobs.queue import add_job
from store.schema.database import Database
from store.schema.tables import Job
from tests.databases import embedded_database

NOW = dt.datetime(2026, 11, 20, 2, 30, tzinfo=dt.UTC)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: dt.datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


def context_in(folder: Path, at: Database | None = None, **given: Any) -> Context:
    """What a job works with: home, broker, and an embedded database unless one with all tables is given."""
    limits = {"free_disk_mib": 0} | given.pop("limits", {})
    settings = ServiceSettings(home=folder / "home", limits=limits, **given)
    prepare_home(settings)
    check_broker(settings)
    return Context(settings, at or embedded_database(settings.home / "tuban.db"), clock=Clock())


def clock_of(context: Context) -> Clock:
    assert isinstance(context.clock, Clock)
    return context.clock


def use_kinds(monkeypatch: pytest.MonkeyPatch, **handlers: Handler) -> None:
    """Let there be these kinds of jobs and no others; all wait in the queue ``scan``."""
    module = types.ModuleType("tests.workers.made_up_kinds")
    module.JOB_KINDS = tuple(kinds.JobKind(name, "scan", handler) for name, handler in handlers.items())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(kinds, "JOB_MODULES", (module.__name__,))


def given_job(context: Context, kind: str, key: str = "one", queue: str = "scan", **payload: Any) -> int:
    """Add a job; nobody is told of it."""
    with context.database.write() as session:
        job_id = add_job(session, kind=kind, queue=queue, payload=payload, unique_key=key, now=context.clock())
    assert job_id is not None
    return job_id


def job_of(context: Context, job_id: int) -> Job:
    with context.database.read() as session:
        job = session.get(Job, job_id)
    assert job is not None
    return job


def until(met: Callable[[], bool], seconds: float = 60.0) -> None:
    """Look again and again until something holds; fails when it never does."""
    last = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < last, f"not within {seconds} seconds"
        time.sleep(0.02)
