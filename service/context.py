"""Context of a process (settings, database, object store, detector) and the interface of job handlers."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from configs.service import ServiceSettings
from store.integrity.damage import VerifiedObjects
from store.jobs.queue import jobs_to_publish
from store.objects.factory import open_object_store
from store.objects.object_store import ObjectStore
from store.schema.database import Database, Session
from store.schema.database_clock import DatabaseClock, system_clock

if TYPE_CHECKING:
    from model.detector import Detector
    from service.installed_weights import InstalledWeights


@dataclass
class Context:
    """Settings, database, object store and detector of one process; created after the fork.

    Attributes:
        settings: of the service.
        database: connections of this process.
        clock: returns the current time, timezone-aware, in UTC; tests pass their own.
        threads: of the detector; None: the runtime's default.
        heartbeats: name of a process → time of the last heartbeat that was recorded with a claim.
    """

    settings: ServiceSettings
    database: Database
    clock: Callable[[], dt.datetime] = system_clock
    threads: int | None = None
    heartbeats: dict[str, dt.datetime] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _weights_version: int | None = field(default=None, repr=False)  # of the loaded detector; None: shipped
    _former_detector: Detector | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Let each write transaction of the database publish its jobs."""
        self.database.publish = self._publish_jobs

    @classmethod
    def from_settings(cls, settings: ServiceSettings, threads: int | None = None) -> Context:
        """Return the context of ``settings``, with a database connection pool of its own.

        With PostgreSQL the clock is that of the database server, so that all machines have the same time.
        """
        database = Database(settings.database_url)
        clock = system_clock if database.sqlite else DatabaseClock(database)
        return cls(settings, database, clock=clock, threads=threads)

    @property
    def today(self) -> dt.date:
        """Current local date."""
        return self.clock().astimezone(self.settings.zone).date()

    @cached_property
    def objects(self) -> ObjectStore:
        """The object store."""
        return open_object_store(self.settings)

    @cached_property
    def verified_objects(self) -> VerifiedObjects:
        """The object store, with checksums verified before use."""
        return VerifiedObjects(self.objects)

    @cached_property
    def detector(self) -> Detector:
        """The change detector, loaded on first use: importing and loading takes seconds, and only scans need it.

        Jobs call :meth:`current_detector`, since other weights may have been taken into use.
        """
        with self._lock:
            from service.installed_weights import used_weights

            weights = used_weights(self.settings, self.database, self.objects)
            self._weights_version = weights.version
            return self._load_detector(weights)

    def current_detector(self) -> Detector:
        """Return the detector with the weights in use now; it is loaded again if they changed."""
        from service.installed_weights import version_in_use

        if version_in_use(self.database) != self._weights_version:
            self.__dict__.pop("detector", None)
        return self.detector

    def detector_with(self, sha256: str) -> Detector | None:
        """Return a detector with the weights of this checksum, to finish what began with them; None: there are none."""
        from service.installed_weights import weights_with_sha256

        for detector in (self.detector, self._former_detector):
            if detector is not None and detector.weights.sha256 == sha256:
                return detector
        weights = weights_with_sha256(self.settings, self.database, self.objects, sha256)
        self._former_detector = None if weights is None else self._load_detector(weights)
        return self._former_detector

    def _publish_jobs(self, session: Session) -> None:
        if jobs_to_publish(session):  # imports the broker's client only where there is something to send
            from service.publishing import publish_added

            publish_added(self.database, self.settings, session)

    def _load_detector(self, weights: InstalledWeights) -> Detector:
        from model.detector import Detector

        return Detector(weights.name, folder=weights.folder, threads=self.threads)


@dataclass(frozen=True)
class JobRun:
    """One attempt at a claimed job, as passed to its handler.

    Attributes:
        job_id: id of the job row.
        payload: arguments of the job.
        attempt: 1, 2, 3 …
        progress: reports the completed fraction, 0…1; cheap, may be called often.
        should_stop: whether the process is shutting down; a long handler may then raise
            :class:`service.job_registry.ReleaseJob`.
    """

    job_id: int
    payload: dict[str, Any]
    attempt: int
    progress: Callable[[float], None]
    should_stop: Callable[[], bool]


Commit = Callable[[Session], None]
"""Writes a job's result in the transaction that ends the job: exactly once or not at all. Jobs that it adds by
:func:`store.jobs.queue.add_job` are published after the commit. If the database connection is lost, it is called again
in a new transaction, so it must create its rows anew on each call."""

Handler = Callable[[Context, JobRun], Commit | None]
"""Runs a job outside of any transaction and returns the function that writes its result.

Raises :class:`errors.TubanError` for permanent failures that it does not record as an outcome itself;
:class:`errors.OutputError` (full disk, unavailable store) and all other exceptions are retried. ``job.progress`` may
raise :class:`store.jobs.queue.LeaseLost`, which the handler must not catch. Object keys are deterministic, so that a
retry overwrites the same objects.
"""
