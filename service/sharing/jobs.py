"""The job that writes the files of receiving bodies: every night, and after a change that ends a view."""

from __future__ import annotations

import datetime as dt

from store.jobs.queue import add_job
from store.schema.database import Session

WRITE = "shares.write"
"""Kind of the job."""


def add_write_job(session: Session, key: str, now: dt.datetime) -> int | None:
    """Add the job; ``key`` is the day, or names the change after which the files must be replaced."""
    unique_key = f"{WRITE}:{key}"
    return add_job(session, kind=WRITE, queue="deliver", payload={}, unique_key=unique_key, now=now)
