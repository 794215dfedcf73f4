"""One job: claimed, done under a lease that is renewed, and ended in one transaction with its result."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Literal

import structlog
from celery.exceptions import SoftTimeLimitExceeded

from errors import OutputError, TubanError
from service.context import Commit, Context, JobRun
from service.home import require_disk_space
from service.job_registry import ReleaseJob, find_job_kind, time_limit_minutes
from service.logs import log_context
from service.process import process_name
from service.publishing import publish_added
from store.jobs.processes import record_heartbeat
from store.jobs.queue import ClaimedJob, LeaseLost, claim, fail, finish, release_job, renew
from store.schema.database import Session
from store.schema.database_errors import DatabaseUnavailable
from workers.runtime import shutdown

Outcome = Literal["done", "waiting", "dead", "given back", "lost", "not to be had"]

COMMIT_PAUSES = (0.2, 1.0, 5.0)
"""Pauses before a result is written again after the database went away; the work before it may have taken an hour."""

LOOK_SECONDS = 0.5
"""How often a running job's second thread looks whether the worker is to stop."""

LONGEST_ERROR = 2000

logger = structlog.get_logger("tuban.jobs")

_in_handler = False  # whether the main thread is in a handler, where it may be interrupted


def run_job(context: Context, job_id: int) -> Outcome:
    """Do one job, if it is to be had.

    Args:
        context: of this process.
        job_id: as the message says.

    Returns:
        What became of it: ``not to be had`` (done, taken by another, not yet due, unknown), ``done``, ``waiting``
        (failed, tried again later), ``dead`` (failed for good), ``given back`` (the worker is to stop), ``lost``
        (another worker has it, or the database does not answer: nothing was written).
    """
    settings = context.settings.jobs
    owner = f"{process_name(os.getppid())}:{os.getpid()}"  # host, worker, this child of it
    try:
        with context.database.write() as session:
            now = context.clock()
            record_heartbeat(session, owner, "jobs", now)
            claimed = claim(session, job_id, owner, now, settings.lease_seconds, settings.attempts)
    except DatabaseUnavailable as error:
        logger.error("the database does not answer; the job is published again later", error=str(error.orig))
        return "lost"
    if claimed is None:
        return "not to be had"
    with log_context(job=job_id, kind=claimed.kind, attempt=claimed.attempt):
        begun = time.monotonic()
        outcome = _do(context, claimed, begun)
        logger.info("job ended", outcome=outcome, seconds=round(time.monotonic() - begun, 3))
    return outcome


def _do(context: Context, claimed: ClaimedJob, begun: float) -> Outcome:
    try:
        try:
            with _Lease(context, claimed) as lease:
                commit = _handle(context, claimed, lease)
                _write_down(context, claimed, commit)
            return "done"
        except (ReleaseJob, KeyboardInterrupt) as asked:
            return _given_back(context, claimed, asked)
        except SystemExit as asked:  # by SIGTERM
            if shutdown.shutdown_requested():
                return _given_back(context, claimed, asked)
            took = (time.monotonic() - begun) / 60  # it did not heed its soft limit, and is killed in a moment
            late = took >= time_limit_minutes(claimed.queue, context.settings.limits)
            _failed(context, claimed, _too_long(context, claimed) if late else "its process was told to exit")
            raise
        except SoftTimeLimitExceeded:
            return _failed(context, claimed, _too_long(context, claimed))
        except TubanError as error:
            return _failed(context, claimed, str(error), final=not isinstance(error, OutputError))
        except LeaseLost:
            raise
        except Exception as error:
            logger.warning("job failed", exc_info=True)
            return _failed(context, claimed, traceback.format_exception_only(error)[-1].strip())
    except LeaseLost:
        return "lost"
    except DatabaseUnavailable as error:
        logger.error("the database does not answer; the job's lease will end", error=str(error.orig))
        return "lost"


def _given_back(context: Context, claimed: ClaimedJob, asked: BaseException) -> Outcome:
    _in_one_transaction(context, lambda session: release_job(session, claimed, context.clock()))
    if not isinstance(asked, ReleaseJob):
        raise asked
    return "given back"


def _too_long(context: Context, claimed: ClaimedJob) -> str:
    return f"it took longer than {time_limit_minutes(claimed.queue, context.settings.limits):g} minutes"


def _handle(context: Context, claimed: ClaimedJob, lease: _Lease) -> Commit | None:
    """Call the handler. Outside of it nothing is interrupted."""
    kind = find_job_kind(claimed.kind)
    require_disk_space(context.settings)
    job = JobRun(claimed.job_id, claimed.payload, claimed.attempt, lease.progress, shutdown.shutdown_requested)
    if shutdown.shutdown_requested():
        raise ReleaseJob
    with lease.interruptible():
        return kind.handler(context, job)


def _write_down(context: Context, claimed: ClaimedJob, commit: Commit | None) -> None:
    def write(session: Session) -> None:
        finish(session, claimed, context.clock())
        if commit is not None:
            commit(session)

    for pause in COMMIT_PAUSES:
        try:
            return _in_one_transaction(context, write)
        except DatabaseUnavailable as error:  # if it was committed all the same, the fence says so
            logger.warning("the result could not be written; once more", error=str(error.orig))
            time.sleep(pause)
    return _in_one_transaction(context, write)


def _failed(context: Context, claimed: ClaimedJob, error: str, final: bool = False) -> Outcome:
    settings = context.settings.jobs
    became: list[str] = []
    _in_one_transaction(
        context,
        lambda session: became.append(
            fail(
                session,
                claimed,
                error[:LONGEST_ERROR],
                context.clock(),
                settings.attempts,
                settings.retry_seconds,
                final,
            )
        ),
    )
    if became[-1] == "dead":
        logger.error("the job is dead", error=error)
        return "dead"
    logger.warning("the job is tried again", error=error)
    return "waiting"


def _in_one_transaction(context: Context, write: Callable[[Session], None]) -> None:
    with context.database.write() as session:
        write(session)
    publish_added(context.database, context.settings, session)


class _Lease:
    """Renews the lease from a second thread, and stops a handler that may not go on."""

    def __init__(self, context: Context, claimed: ClaimedJob) -> None:
        self._context = context
        self._claimed = claimed
        self._lost = False
        self._done = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease of job {claimed.job_id}", daemon=True)

    def __enter__(self) -> _Lease:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def progress(self, share: float) -> None:
        """Told by the handler; written with the next renewal.

        Raises:
            LeaseLost: there is no use in going on.
        """
        self._done = share
        if self._lost:
            raise LeaseLost(f"job {self._claimed.job_id}")

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """While this is open, a worker that is out of grace interrupts the handler by :class:`ReleaseJob`."""
        global _in_handler
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signal.signal(signal.SIGUSR2, _interrupt)  # and stays: a signal that comes late must not end the process
        _in_handler = True
        try:
            yield
        finally:
            _in_handler = False

    def _keep(self) -> None:
        settings = self._context.settings.jobs
        renewed = time.monotonic()
        interrupted = False
        while not self._over.wait(min(LOOK_SECONDS, settings.heartbeat_seconds)):
            if _in_handler and shutdown.grace_period_over() and not interrupted:
                interrupted = True
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
            if not self._lost and time.monotonic() - renewed >= settings.heartbeat_seconds:
                renewed = time.monotonic()
                self._renew()

    def _renew(self) -> None:
        seconds = self._context.settings.jobs.lease_seconds
        try:
            with self._context.database.write() as session:
                now = self._context.clock()
                self._lost = not renew(session, self._claimed, now, seconds, self._done)
                record_heartbeat(session, self._claimed.owner, "jobs", now)
        except DatabaseUnavailable as error:
            logger.warning("the lease could not be renewed; once more soon", error=str(error.orig))


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _in_handler:
        raise ReleaseJob
