"""The service of the simulated county: settable clock, the jobs of the workers in this process, and a post office.

The jobs are those of the workers: claimed, handled and finished in the same transactions. Only what leaves the
machine is replaced: :class:`PostOffice` receives the texts to people, refuses some and loses some answers.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from configs.service import ServiceSettings, read_service
from errors import TubanError
from service.context import Commit, Context, Handler, JobRun
from service.job_registry import find_job_kind
from store.jobs.queue import claim, fail, finish, jobs_to_publish
from store.jobs.recovery import due_jobs, mark_published
from store.schema.database import Database, Session
from workers.delivery.delivery_errors import DeliveryRejected

HOOK = "http://127.0.0.1:9/messages"
OWNER = "year:1"


class SettableClock:
    """A clock that stands still until it is moved forward."""

    def __init__(self, now: dt.datetime) -> None:
        """``now``: aware."""
        self.now = now

    def __call__(self) -> dt.datetime:
        """Return the time."""
        return self.now

    def forward_to(self, moment: dt.datetime) -> None:
        """Move to a later moment; an earlier one has no effect."""
        self.now = max(self.now, moment)

    def pass_seconds(self, seconds: float) -> None:
        """Let some time pass."""
        self.now += dt.timedelta(seconds=seconds)


class ConnectionCut(Exception):  # noqa: N818  (a fault of the network, not of the program)
    """The connection broke after the text had been received: the sender does not know."""


@dataclass
class PostOffice:
    """Receives the texts to people.

    Attributes:
        rng: decides which are refused (3 %) and of which the answer is lost (1 %).
        received: key of the text → how often it arrived.
    """

    rng: random.Random
    received: Counter[str] = field(default_factory=Counter)

    def post(self, *_: Any, event_id: str, **__: Any) -> None:
        """Take the place of :func:`workers.delivery.web_hooks.post_to_hook`."""
        chance = self.rng.random()
        if chance < 0.03:
            raise DeliveryRejected("The receiver answered 503.")
        self.received[event_id] += 1
        if chance < 0.04:
            raise ConnectionCut


class SimulatedService:
    """Context and jobs of the service, without broker and network.

    Attributes:
        clock: the only source of time.
        context: as in a worker.
        post: receiver of texts.
        handlers: kind of job → handler that takes the place of the worker's.
        ran: kind of job → number of runs.
    """

    def __init__(self, database: Database, home: Path, start: dt.datetime, seed: int) -> None:
        """Create the context on a migrated, empty database."""
        self.clock = SettableClock(start)
        settings = read_service(
            home=home,
            database=database.url,
            broker="redis://127.0.0.1:1/0",  # never connected: jobs run here
            delivery={"queue": ""},
            notices={"people_hooks": [{"url": HOOK, "secret": "s" * 32}]},
        )
        self.context = Context(settings, database, clock=self.clock)
        database.publish = self._publish
        self.database = database
        self.post = PostOffice(random.Random(seed))
        self.handlers: dict[str, Handler] = {}
        self.ran: Counter[str] = Counter()
        self._published: deque[int] = deque()

    @property
    def settings(self) -> ServiceSettings:
        """Settings in effect."""
        return self.context.settings

    def local(self, day: dt.date, hour: float) -> dt.datetime:
        """Return an hour of a local day."""
        start = dt.datetime.combine(day, dt.time(), self.settings.zone)
        return (start + dt.timedelta(hours=hour)).astimezone(dt.UTC)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Let texts go to the post office while the block runs; files of reports are written for some only."""
        with patch("workers.messages.send.post_to_hook", self.post.post), patch("workers.reports.MAX_FILES", 0):
            yield

    def run_jobs(self) -> int:
        """Run all jobs that are due, and those that they add; return their number."""
        count = 0
        while True:
            with self.database.write(publish=False) as session:
                due = due_jobs(session, self.clock(), 10**9, 5000)
                mark_published(session, [job_id for job_id, _ in due], self.clock())
            self._published.extend(job_id for job_id, _ in due)
            if not self._published:
                return count
            while self._published:
                count += self._run(self._published.popleft())

    def _publish(self, session: Session) -> None:
        self._published.extend(job_id for job_id, _ in jobs_to_publish(session))

    def _run(self, job_id: int) -> int:
        settings = self.settings.jobs
        with self.database.write() as session:
            claimed = claim(session, job_id, OWNER, self.clock(), settings.lease_seconds, settings.attempts)
        if claimed is None:
            return 0
        self.ran[claimed.kind] += 1
        handler = self.handlers.get(claimed.kind) or find_job_kind(claimed.kind).handler
        run = JobRun(job_id, claimed.payload, claimed.attempt, _ignore, lambda: False)
        try:
            commit: Commit | None = handler(self.context, run)
        except ConnectionCut as error:
            with self.database.write() as session:
                seconds = settings.retry_seconds
                fail(session, claimed, repr(error), self.clock(), settings.attempts, seconds)
            return 1
        except TubanError as error:
            raise AssertionError(f"the job {claimed.kind} {claimed.payload} failed: {error}") from error
        with self.database.write() as session:
            finish(session, claimed, self.clock())
            if commit is not None:
                commit(session)
        return 1


def _ignore(_: float) -> None:
    """Take the progress of a job."""
