"""Which processes live. Each says so from time to time in a row of its own."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.schema.tables import Process

Part = Literal["worker", "schedule", "web", "jobs"]
"""``jobs``: a child of a worker, seen whenever it takes a job and while it works on one."""


def record_heartbeat(session: Session, name: str, part: Part, now: dt.datetime) -> None:
    """Note that a process lives.

    Args:
        session: of a transaction that writes.
        name: ``host:process:part``, or ``host:process:child`` for a child of a worker.
        part: what it does.
        now: this moment.
    """
    make = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    row = make(Process).values(name=name, part=part, started_at=now, seen_at=now)
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"seen_at": now}))


def list_processes(session: Session, seen_since: dt.datetime, part: Part | None = None) -> list[Process]:
    """Return the processes seen since then, by name; None: of all parts."""
    wanted = select(Process).where(Process.seen_at >= seen_since).order_by(Process.name)
    if part is not None:
        wanted = wanted.where(Process.part == part)
    return list(session.scalars(wanted))


def last_active(session: Session, owner: str) -> dt.datetime | None:
    """Return when a child of the worker ``host:process`` was last seen at a job; None: never."""
    moment: dt.datetime | None = session.scalar(
        select(func.max(Process.seen_at)).where(
            Process.part == "jobs", Process.name.startswith(f"{owner}:", autoescape=True)
        )
    )
    return moment


def remove_process(session: Session, owner: str) -> None:
    """Remove the rows of a process ``host:process`` that has ended, and of its children."""
    session.execute(delete(Process).where(Process.name.startswith(f"{owner}:", autoescape=True)))


def remove_stale_processes(session: Session, before: dt.datetime) -> None:
    """Remove the rows of processes that were last seen before then."""
    session.execute(delete(Process).where(Process.seen_at < before))
