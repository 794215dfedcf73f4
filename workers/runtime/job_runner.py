"""Run one job: claim it, renew its lease while the handler runs, and end it in one transaction with its result."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

import structlog
from celery.exceptions import SoftTimeLimitExceeded

from errors import OutputError, TubanError
from service.context import Commit, Context, JobRun
from service.disk_stages import needed_mib
from service.home import require_disk_space
from service.job_registry import ReleaseJob, find_job_kind, time_limit_minutes
from service.logs import log_context
from service.process import process_name
from store.jobs.processes import record_heartbeat
from store.jobs.queue import ClaimedJob, LeaseLost, claim, fail, finish, release_job, renew
from store.schema.database import Session
from store.schema.database_errors import DatabaseUnavailable
from workers.runtime import shutdown

Outcome = Literal["done", "waiting", "dead", "released", "lost", "unavailable"]

COMMIT_RETRY_SECONDS = (0.2, 1.0, 5.0)
"""Delays before writing a result again after the database was lost; computing it may have taken an hour."""

POLL_SECONDS = 0.5
"""How often the lease thread checks whether the worker is shutting down."""

REPEAT_SECONDS = 5.0
"""After this time, a handler that did not end is interrupted again: Python discards an exception that is raised while a
finalizer or a callback of the garbage collector runs."""

MAX_ERROR_LENGTH = 2000

logger = structlog.get_logger("tuban.jobs")

_in_handler = False  # whether the main thread is in a handler, which may be interrupted


def run_job(context: Context, job_id: int) -> Outcome:
    """Claim and run one job.

    Args:
        context: of this process.
        job_id: from the message.

    Returns:
        ``done``; ``waiting`` (failed, will be retried); ``dead`` (failed for good); ``released`` (returned to the queue
        because the worker is shutting down); ``lost`` (another worker has it or the database does not answer: nothing
        was written); ``unavailable`` (done, claimed by another worker, not yet due, or unknown).
    """
    try:
        claimed = claim_job(context, job_id, f"{process_name(os.getppid())}:{os.getpid()}")
    except DatabaseUnavailable as error:
        logger.error("database unavailable; the job is republished later", error=str(error.orig))
        return "lost"
    if claimed is None:
        return "unavailable"
    with log_context(job=job_id, kind=claimed.kind, attempt=claimed.attempt):
        started = time.monotonic()
        outcome = _run_claimed(context, claimed, started)
        logger.info("job ended", outcome=outcome, seconds=round(time.monotonic() - started, 3))
    return outcome


def claim_job(context: Context, job_id: int, owner: str) -> ClaimedJob | None:
    """Claim a job, and record a heartbeat of the claiming process if its last one is old, in one transaction.

    Args:
        context: of this process.
        job_id: which job.
        owner: ``host:process:child``.

    Raises:
        DatabaseUnavailable: the job was not claimed, or the answer was lost; its lease then expires.
    """
    settings, now = context.settings.jobs, context.clock()
    last = context.heartbeats.get(owner)
    due = last is None or not 0 <= (now - last).total_seconds() < settings.heartbeat_seconds
    with context.database.write() as session:
        if due:
            record_heartbeat(session, owner, "jobs", now)
        claimed = claim(session, job_id, owner, now, settings.lease_seconds, settings.attempts)
    if due:
        context.heartbeats[owner] = now
    return claimed


def _run_claimed(context: Context, claimed: ClaimedJob, started: float) -> Outcome:
    try:
        try:
            with _LeaseRenewal(context, claimed) as lease:
                commit = _call_handler(context, claimed, lease)
                _write_result(context, claimed, commit)
            return "done"
        except (ReleaseJob, KeyboardInterrupt) as cause:
            return _release(context, claimed, cause)
        except SystemExit as cause:  # by SIGTERM
            if shutdown.shutdown_requested():
                return _release(context, claimed, cause)
            minutes = (time.monotonic() - started) / 60  # it ignored its soft limit and is about to be killed
            timed_out = minutes >= time_limit_minutes(claimed.queue, context.settings.limits)
            _fail(context, claimed, _timeout_error(context, claimed) if timed_out else "its process was terminated")
            raise
        except SoftTimeLimitExceeded:
            return _fail(context, claimed, _timeout_error(context, claimed))
        except TubanError as error:
            return _fail(context, claimed, str(error), final=not isinstance(error, OutputError))
        except LeaseLost:
            raise
        except Exception as error:
            logger.warning("job failed", exc_info=True)
            return _fail(context, claimed, traceback.format_exception_only(error)[-1].strip())
    except LeaseLost:
        return "lost"
    except DatabaseUnavailable as error:
        logger.error("database unavailable; the job's lease will expire", error=str(error.orig))
        return "lost"


def _release(context: Context, claimed: ClaimedJob, cause: BaseException) -> Outcome:
    _in_transaction(context, lambda session: release_job(session, claimed, context.clock()))
    if not isinstance(cause, ReleaseJob):
        raise cause
    return "released"


def _timeout_error(context: Context, claimed: ClaimedJob) -> str:
    return f"it took longer than {time_limit_minutes(claimed.queue, context.settings.limits):g} minutes"


def _call_handler(context: Context, claimed: ClaimedJob, lease: _LeaseRenewal) -> Commit | None:
    """Call the handler, the only code that a shutdown may interrupt."""
    kind = find_job_kind(claimed.kind)
    needed, setting = needed_mib(context.settings, kind.queue, kind.name)
    if needed:
        require_disk_space(context.settings, needed, setting)
    job = JobRun(claimed.job_id, claimed.payload, claimed.attempt, lease.progress, shutdown.shutdown_requested)
    if shutdown.shutdown_requested():
        raise ReleaseJob
    with lease.interruptible():
        return kind.handler(context, job)


def _write_result(context: Context, claimed: ClaimedJob, commit: Commit | None) -> None:
    """Write the result and the end of the job in one transaction; retry if the database is lost."""

    def write(session: Session) -> None:
        finish(session, claimed, context.clock())
        if commit is not None:
            commit(session)

    for delay in COMMIT_RETRY_SECONDS:
        try:
            return _in_transaction(context, write)
        except DatabaseUnavailable as error:  # if the commit succeeded nevertheless, the next one raises LeaseLost
            logger.warning("the result could not be written; retrying", error=str(error.orig))
            time.sleep(delay)
    return _in_transaction(context, write)


def _fail(context: Context, claimed: ClaimedJob, error: str, final: bool = False) -> Outcome:
    settings = context.settings.jobs
    states: list[str] = []
    _in_transaction(
        context,
        lambda session: states.append(
            fail(
                session,
                claimed,
                error[:MAX_ERROR_LENGTH],
                context.clock(),
                settings.attempts,
                settings.retry_seconds,
                final,
            )
        ),
    )
    if states[-1] == "dead":
        logger.error("the job is dead", error=error)
        return "dead"
    logger.warning("the job will be retried", error=error)
    return "waiting"


def _in_transaction(context: Context, write: Callable[[Session], None]) -> None:
    with context.database.write() as session:
        write(session)


class _LeaseRenewal:
    """Renews the lease from a second thread, and interrupts a handler that must not continue."""

    def __init__(self, context: Context, claimed: ClaimedJob) -> None:
        self._context = context
        self._claimed = claimed
        self._lost = False
        self._progress = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_ended, name=f"lease {claimed.job_id}", daemon=True)

    def __enter__(self) -> _LeaseRenewal:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def progress(self, fraction: float) -> None:
        """Store the progress of the handler, 0…1; it is written with the next renewal.

        Raises:
            LeaseLost: another worker has the job.
        """
        self._progress = fraction
        if self._lost:
            raise LeaseLost(f"job {self._claimed.job_id}")

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let the end of the grace period raise :class:`ReleaseJob` inside the ``with`` block."""
        global _in_handler
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signal.signal(signal.SIGUSR2, _interrupt)  # stays installed: a late signal must not end the process
        _in_handler = True
        try:
            yield
        finally:
            _in_handler = False

    def _renew_until_ended(self) -> None:
        settings = self._context.settings.jobs
        renewed_at = time.monotonic()
        interrupt_at = 0.0
        while not self._ended.wait(min(POLL_SECONDS, settings.heartbeat_seconds)):
            if _in_handler and shutdown.grace_period_over() and time.monotonic() >= interrupt_at:
                interrupt_at = time.monotonic() + REPEAT_SECONDS
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
            if not self._lost and time.monotonic() - renewed_at >= settings.heartbeat_seconds:
                renewed_at = time.monotonic()
                self._renew()

    def _renew(self) -> None:
        seconds = self._context.settings.jobs.lease_seconds
        try:
            with self._context.database.write() as session:
                now = self._context.clock()
                record_heartbeat(session, self._claimed.owner, "jobs", now)  # first, as in claim_job: no deadlock
                self._lost = not renew(session, self._claimed, now, seconds, self._progress)
        except DatabaseUnavailable as error:
            logger.warning("the lease could not be renewed; retrying", error=str(error.orig))


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _in_handler:
        raise ReleaseJob
