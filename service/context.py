"""What a job works with, made once in each process, after the fork."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from configs.service import ServiceSettings
from store.objects.factory import open_object_store
from store.objects.object_store import ObjectStore
from store.schema.database import Database, Session

if TYPE_CHECKING:
    from model.detector import Detector


def _clock() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass
class Context:
    """Settings, database, object files, and the network, which is loaded when the first job asks for it.

    Attributes:
        settings: what the service works with.
        database: connections of this process.
        clock: the moment now, aware, in UTC; tests give their own.
    """

    settings: ServiceSettings
    database: Database
    clock: Callable[[], dt.datetime] = _clock
    threads: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def from_settings(cls, settings: ServiceSettings, threads: int | None = None) -> Context:
        """Connect to what ``settings`` names."""
        return cls(settings, Database(settings.database_url), threads=threads)

    @property
    def today(self) -> dt.date:
        """The local day."""
        return self.clock().astimezone(self.settings.zone).date()

    @cached_property
    def objects(self) -> ObjectStore:
        """Object files."""
        return open_object_store(self.settings)

    @cached_property
    def detector(self) -> Detector:
        """The network; importing and loading it takes seconds, so only processes that scan do it, and once."""
        with self._lock:
            from inference.settings import read_config
            from model.detector import Detector

            return Detector(read_config().weights, threads=self.threads)


@dataclass(frozen=True)
class JobRun:
    """One claimed job, as its handler sees it.

    Attributes:
        job_id: its row.
        payload: what it is to do.
        attempt: 1, 2, 3 …
        progress: tells how much is done, 0…1; cheap, may be called often.
        stopping: whether the process was asked to end: a long handler may then raise :class:`service.job_registry.ReleaseJob`.
    """

    job_id: int
    payload: dict[str, Any]
    attempt: int
    progress: Callable[[float], None]
    should_stop: Callable[[], bool]


Commit = Callable[[Session], None]
"""Writes a job's result. Runs in one transaction with the fenced end of the job, so it happens once or not at all;
further jobs that it adds by :func:`store.jobs.queue.add_job` are published after that. Where the database was lost on the way
it is called again, in a new transaction: it makes its rows anew each time."""

Handler = Callable[[Context, JobRun], Commit | None]
"""Does the work outside of any transaction, however long it takes, and returns how to write down the result.

Raises :class:`errors.TubanError` for what a repetition cannot heal, as far as the handler does not write that down as
an outcome itself; :class:`errors.OutputError` (a full disk, a store that does not answer) and anything else is tried
again. ``job.progress`` may raise :class:`store.jobs.queue.LeaseLost`, which the handler lets pass. Object files are written
under keys that a repetition writes anew.
"""
