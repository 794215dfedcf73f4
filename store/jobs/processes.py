"""Process heartbeats: one row per process, updated regularly."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.jobs.job_clock import advance, job_time, shift_to_job_time
from store.schema.tables import Process

Part = Literal["worker", "schedule", "web", "jobs"]
"""``jobs`` is a child process of a worker, which records a heartbeat when it claims a job and while it runs one."""


def record_heartbeat(session: Session, name: str, part: Part, now: dt.datetime) -> None:
    """Record that a process is alive.

    Args:
        session: a write transaction.
        name: ``host:process:part``, or ``host:process:child`` for a child of a worker.
        part: the role of the process.
        now: current time.
    """
    at = advance(session, now)
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    row = insert(Process).values(name=name, part=part, started_at=now, seen_at=at)
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"seen_at": at}))


def list_processes(session: Session, seen_since: dt.datetime, part: Part | None = None) -> list[Process]:
    """Return the processes with a heartbeat since ``seen_since``, ordered by name; ``part`` None: all parts."""
    query = select(Process).where(Process.seen_at >= shift_to_job_time(session, seen_since)).order_by(Process.name)
    if part is not None:
        query = query.where(Process.part == part)
    return list(session.scalars(query))


def idle_for(session: Session, owner: str, now: dt.datetime) -> dt.timedelta | None:
    """Return the time since the last heartbeat of any child of the worker ``host:process``; None: there is none."""
    latest: dt.datetime | None = session.scalar(
        select(func.max(Process.seen_at)).where(
            Process.part == "jobs", Process.name.startswith(f"{owner}:", autoescape=True)
        )
    )
    return None if latest is None else max(job_time(session, now) - latest, dt.timedelta())


def remove_process(session: Session, owner: str) -> None:
    """Delete the rows of an ended process ``host:process`` and of its children."""
    session.execute(delete(Process).where(Process.name.startswith(f"{owner}:", autoescape=True)))


def remove_stale_processes(session: Session, before: dt.datetime) -> None:
    """Delete the rows of processes whose last heartbeat is older than ``before``."""
    session.execute(delete(Process).where(Process.seen_at < shift_to_job_time(session, before)))
