"""Supervisor of ``tuban up``: start the processes of the service, restart those that end, and stop them in order."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import structlog

from errors import SettingsError
from service.context import Context
from service.home import temporary_folder
from service.monitoring.log_file import rotate_log_file
from service.process import process_name
from store.jobs.processes import record_heartbeat, remove_process
from store.jobs.recovery import expire_leases
from store.jobs.schedule_slots import resign_leadership
from store.schema.database_errors import DatabaseError
from workers.runtime.problem_notices import ProblemNotices
from workers.runtime.reaper import is_stalled
from workers.runtime.shutdown import GRACE_SECONDS

POLL_SECONDS = 0.2
CHECK_SECONDS = 10.0
MIN_RESTART_DELAY = 0.5
MAX_RESTART_DELAY = 30.0
STABLE_SECONDS = 60.0
"""A process that ran for this long is restarted immediately; otherwise after a delay that doubles each time."""

KILL_SECONDS = GRACE_SECONDS + 15.0
"""A process that has not stopped after this time is killed; other processes take over its jobs."""

LIGHT_PROCESSES = 2
"""Child processes for ingest and delivery, so that a delivery need not wait for a large file."""

CAPTURE_PROCESSES = 2
"""Child processes that capture cameras, so that a hanging camera blocks neither other cameras nor other jobs."""

logger = structlog.get_logger("tuban.up")


@dataclass(frozen=True)
class ProcessSpec:
    """Specification of one process to run.

    Attributes:
        name: for the log.
        kind: ``worker``, ``schedule`` or ``web``.
        command: command line without ``--parent``.
        queues: that a worker consumes.
        pass_fds: inherited file descriptors, such as a listening socket shared by several processes.
    """

    name: str
    kind: str
    command: tuple[str, ...]
    queues: tuple[str, ...] = ()
    pass_fds: tuple[int, ...] = ()


def plan_processes(
    processes: int, *, workers: bool = True, schedule: bool = True, pages: Sequence[ProcessSpec] = ()
) -> list[ProcessSpec]:
    """Return the processes of one `tuban up`.

    Scans, cameras and all other jobs have workers of their own, so that an upload never waits for a scan or a hanging
    camera.

    Args:
        processes: number of child processes that scan.
        workers: whether to run workers.
        schedule: whether to run the scheduler.
        pages: processes that serve the pages (:func:`module_process`), specified by the caller.
    """
    specs = []
    if workers:
        for name, queues, children in (
            ("light", ("ingest", "deliver"), LIGHT_PROCESSES),
            ("scan", ("scan",), processes),
            ("cameras", ("capture",), CAPTURE_PROCESSES),
        ):
            arguments = ("--queues", ",".join(queues), "--processes", str(children))
            specs.append(
                module_process(f"worker {name}", "worker", "workers.runtime.worker", *arguments, queues=queues)
            )
    if schedule:
        specs.append(module_process("schedule", "schedule", "workers.runtime.schedule"))
    return [*specs, *pages]


def module_process(
    name: str, kind: str, module: str, *arguments: str, queues: tuple[str, ...] = (), pass_fds: tuple[int, ...] = ()
) -> ProcessSpec:
    """Return the specification of a process that runs a Python module with arguments."""
    # -P: do not import modules from the working directory
    return ProcessSpec(name, kind, (sys.executable, "-P", "-m", module, *arguments), queues, pass_fds)


@dataclass
class _ManagedProcess:
    """A specification and its current process; times in seconds of the supervisor's monotonic clock."""

    spec: ProcessSpec
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restart_at: float = 0.0
    restart_delay: float = MIN_RESTART_DELAY
    kill_at: float | None = None

    @property
    def owner(self) -> str:
        return process_name(self.process.pid) if self.process else ""


class Supervisor:
    """Keeps processes running until it is stopped.

    Each process has its own process group, so that Ctrl-C reaches only the supervisor, and is killed by the kernel
    when the supervisor dies.
    """

    def __init__(
        self, specs: Sequence[ProcessSpec], context: Context, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare the processes without starting them; ``seconds`` is a monotonic clock."""
        self._context = context
        self._seconds = seconds
        self._managed = [_ManagedProcess(spec) for spec in specs]
        self._stop_signals = 0
        self._check_at = 0.0
        self._notices = ProblemNotices(context, process_name(os.getpid()))
        self._notice_thread: threading.Thread | None = None

    def run(self) -> int:
        """Run until SIGTERM, SIGINT or SIGHUP (a second signal kills the processes); return the exit code."""
        previous = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        try:
            while not self._stop_signals:
                self.poll()
                time.sleep(POLL_SECONDS)
        finally:
            self.stop()
            for number, handler in previous.items():
                signal.signal(number, handler)
        return 0

    def poll(self) -> None:
        """Start processes that are not running, and periodically check that workers consume their queues."""
        now = self._seconds()
        for managed in self._managed:
            if managed.process is not None and managed.process.poll() is not None:
                self._handle_exit(managed, now)
            if managed.process is None and now >= managed.restart_at:
                self._start(managed, now)
            elif managed.kill_at is not None and now >= managed.kill_at:
                _kill(managed)
        if now >= self._check_at:
            self._check_at = now + CHECK_SECONDS
            for managed in self._managed:
                self._tolerate_database_errors(self._check_worker, managed)
            self._notify_of_problems()
            self._rotate_log()

    def _notify_of_problems(self) -> None:
        """Check for problems on a thread, because a mail server or broker that does not answer takes long."""
        if self._notices.enabled and (self._notice_thread is None or not self._notice_thread.is_alive()):
            self._notice_thread = threading.Thread(target=self._run_notices, name="notices", daemon=True)
            self._notice_thread.start()

    def _rotate_log(self) -> None:
        try:
            rotate_log_file(self._context.settings.log)
        except OSError as error:  # a full disk must not stop the service
            logger.error("the log file cannot be rotated", error=str(error))

    def _run_notices(self) -> None:
        try:
            self._notices.run_due()
        except Exception:
            logger.exception("notices failed; retrying")

    def processes(self) -> dict[str, int]:
        """Return the pid of each running process by name."""
        return {managed.spec.name: managed.process.pid for managed in self._managed if managed.process is not None}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_signals += 1

    def _start(self, managed: _ManagedProcess, now: float) -> None:
        root = str(Path(__file__).parents[2])
        settings = self._context.settings
        environment = os.environ | {"TUBAN_HOME": str(settings.home.resolve())}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        try:
            environment["TMPDIR"] = str(temporary_folder(settings))
            managed.process = subprocess.Popen(
                [*managed.spec.command, "--parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                process_group=0,
                env=environment,
                pass_fds=managed.spec.pass_fds,
            )
        except (OSError, SettingsError) as error:  # no memory, processes or disk space: may be temporary
            managed.restart_at = now + MAX_RESTART_DELAY
            logger.error("process cannot be started", part=managed.spec.name, error=str(error))
            return
        managed.started, managed.kill_at = now, None
        logger.info("process started", part=managed.spec.name, process=managed.process.pid)

    def _handle_exit(self, managed: _ManagedProcess, now: float) -> None:
        """Kill remaining children of an ended process, release its jobs, and schedule its restart."""
        assert managed.process is not None
        code = managed.process.returncode
        _kill(managed)
        stable = now - managed.started >= STABLE_SECONDS
        delay = 0.0 if stable else managed.restart_delay
        managed.restart_delay = MIN_RESTART_DELAY if stable else min(2 * managed.restart_delay, MAX_RESTART_DELAY)
        managed.restart_at = now + delay
        if not self._stop_signals:
            logger.warning("process ended", part=managed.spec.name, code=code, restart_in=delay)
        self._tolerate_database_errors(self._end_leases, managed)
        managed.process = None

    def _end_leases(self, managed: _ManagedProcess) -> None:
        with self._context.database.write() as session:
            expire_leases(session, managed.owner, self._context.clock())
            remove_process(session, managed.owner)
            resign_leadership(session, f"{managed.owner}:schedule")

    def _check_worker(self, managed: _ManagedProcess) -> None:
        """Record a worker's heartbeat, and restart it if it does not consume its queues."""
        if managed.process is None or managed.spec.kind != "worker":
            return
        with self._context.database.write() as session:
            record_heartbeat(session, f"{managed.owner}:{managed.spec.name}", "worker", self._context.clock())
        running_for = dt.timedelta(seconds=self._seconds() - managed.started)
        if managed.kill_at is None and is_stalled(self._context, managed.owner, managed.spec.queues, running_for):
            logger.warning("worker is idle although messages wait; restarting it", part=managed.spec.name)
            self._terminate(managed)

    def _tolerate_database_errors(self, action: Callable[[_ManagedProcess], None], managed: _ManagedProcess) -> None:
        try:
            action(managed)
        except DatabaseError as error:
            logger.warning("database unavailable", error=str(error).splitlines()[0])

    def _terminate(self, managed: _ManagedProcess) -> None:
        if managed.process is not None:
            managed.kill_at = self._seconds() + KILL_SECONDS
            with suppress(ProcessLookupError):
                managed.process.terminate()

    def stop(self) -> None:
        """Stop all processes: first pages and scheduler, which add jobs, then all workers at once."""
        for kind in ("web", "schedule", "worker"):
            stopping = [managed for managed in self._managed if managed.spec.kind == kind]
            for managed in stopping:
                self._terminate(managed)
            while any(managed.process is not None for managed in stopping):
                now = self._seconds()
                for managed in stopping:
                    if managed.process is None:
                        continue
                    if managed.process.poll() is not None:
                        self._handle_exit(managed, now)
                    elif self._stop_signals > 1 or now >= (managed.kill_at or 0.0):
                        _kill(managed)
                time.sleep(POLL_SECONDS / 4)
        logger.info("all processes stopped")


def _kill(managed: _ManagedProcess) -> None:
    """Kill the process group of a process, including its children."""
    if managed.process is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(managed.process.pid, signal.SIGKILL)
