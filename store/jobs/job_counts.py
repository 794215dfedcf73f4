"""Numbers of jobs by kind and state, also of the finished ones, of which there may be millions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from store.schema.job_states import DONE, unfinished
from store.schema.tables import Job

LONG_SECONDS = 0.1
SHARE = 0.01
"""Counting finished jobs reads them all. Where that takes longer than ``LONG_SECONDS``, it may take this share of time:
meanwhile, their number is an earlier one."""

_finished: WeakKeyDictionary[Engine, tuple[float, dict[str, int]]] = WeakKeyDictionary()
"""Engine → until when the numbers of finished jobs by kind are used, and these."""


def count_jobs(session: Session, seconds: Callable[[], float] = time.monotonic) -> dict[tuple[str, str], int]:
    """Return {(kind, state): number of jobs}, ordered.

    Args:
        session: a read transaction.
        seconds: a monotonic clock.
    """
    engine = session.get_bind().engine
    until, finished = _finished.get(engine, (float("-inf"), {}))
    if seconds() >= until:
        started = seconds()
        finished = {kind: n for kind, n in session.execute(_by(Job.kind).where(Job.state == DONE))}  # noqa: C416
        took = seconds() - started
        _finished[engine] = seconds() + (took / SHARE if took > LONG_SECONDS else 0.0), finished
    counts = {(kind, state): n for kind, state, n in session.execute(_by(Job.kind, Job.state).where(unfinished()))}
    return dict(sorted((counts | {(kind, "done"): n for kind, n in finished.items()}).items()))


def _by(*columns: InstrumentedAttribute[str]) -> Select[Any]:
    query: Select[Any] = select(*columns, func.count()).group_by(*columns)  # type: ignore[assignment]
    return query
