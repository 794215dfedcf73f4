"""An embedded service in a folder, a settable clock, and job kinds defined by a test."""

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
from service import job_registry
from service.broker import check_broker
from service.context import Context, Handler
from service.home import prepare_home
from store.jobs.queue import add_job
from store.schema.database import Database
from store.schema.tables import Job
from tests.databases import embedded_database
from workers.runtime.schedule import PeriodicTasks

NOW = dt.datetime(2026, 11, 20, 2, 30, tzinfo=dt.UTC)


class Clock:
    """A clock that the test sets."""

    def __init__(self, now: dt.datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


def context_in(folder: Path, database: Database | None = None, **settings: Any) -> Context:
    """Return a context with home folder and broker, and with an embedded database unless a migrated one is passed."""
    limits = {"free_disk_mib": 0} | settings.pop("limits", {})
    service = ServiceSettings(home=folder / "home", limits=limits, **settings)
    prepare_home(service)
    check_broker(service)
    return Context(service, database or embedded_database(service.home / "tuban.db"), clock=Clock())


def clock_of(context: Context) -> Clock:
    assert isinstance(context.clock, Clock)
    return context.clock


def scheduler(context: Context, owner: str = "here:1:schedule") -> PeriodicTasks:
    """Return the tasks of a scheduler whose intervals pass with the context's settable clock."""
    return PeriodicTasks(context, owner, lambda: context.clock().timestamp())


def use_kinds(monkeypatch: pytest.MonkeyPatch, **handlers: Handler) -> None:
    """Replace all job kinds by these; they use the queue ``scan``."""
    module = types.ModuleType("tests.workers.test_kinds")
    module.JOB_KINDS = tuple(job_registry.JobKind(name, "scan", handler) for name, handler in handlers.items())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(job_registry, "JOB_MODULES", (module.__name__,))


def given_job(context: Context, kind: str, key: str = "one", queue: str = "scan", **payload: Any) -> int:
    """Add a job without publishing it."""
    with context.database.write(publish=False) as session:
        job_id = add_job(session, kind=kind, queue=queue, payload=payload, unique_key=key, now=context.clock())
    assert job_id is not None
    return job_id


def job_of(context: Context, job_id: int) -> Job:
    with context.database.read() as session:
        job = session.get(Job, job_id)
    assert job is not None
    return job


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until a condition holds; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.02)
