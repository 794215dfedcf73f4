"""``tuban up``: starts the processes of the service, watches them, starts again what dies, and stops them in order."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import structlog

from service.context import Context
from service.process import process_name
from store.jobs.processes import record_heartbeat, remove_process
from store.jobs.recovery import expire_leases
from store.jobs.schedule_slots import resign_leadership
from store.schema.database_errors import DatabaseError
from workers.runtime.reaper import is_stalled
from workers.runtime.shutdown import GRACE_SECONDS

LOOK_SECONDS = 0.2
CHECK_SECONDS = 10.0
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
"""A process that lived for so long is started again at once; one that did not, after a pause that doubles."""

KILL_SECONDS = GRACE_SECONDS + 15.0
"""A process that has not stopped by then is killed. What it worked on goes to another one."""

LIGHT_PROCESSES = 2
"""Children that ingest and deliver: a delivery need not wait for a large file."""

CAPTURE_PROCESSES = 2
"""Children that ask cameras: one that hangs holds up neither the other cameras nor anything else."""

logger = structlog.get_logger("tuban.up")


@dataclass(frozen=True)
class Part:
    """One process to be run.

    Attributes:
        name: as the log calls it.
        kind: ``worker``, ``schedule`` or ``web``.
        command: what to run, without ``--parent``.
        queues: what a worker works off.
        files: open files that it is given, by their numbers: of processes that listen on one address.
    """

    name: str
    kind: str
    command: tuple[str, ...]
    queues: tuple[str, ...] = ()
    files: tuple[int, ...] = ()


def plan_processes(
    processes: int, *, work: bool = True, schedule: bool = True, pages: Sequence[Part] = ()
) -> list[Part]:
    """Return what one `tuban up` runs: a worker for scans, one for cameras, one for all else, so that an upload never
    waits behind a night's scan or a camera that hangs, a schedule, and the pages.

    Args:
        processes: children that scan.
        work: whether there are workers.
        schedule: whether there is a schedule.
        pages: processes that serve the pages: parts that this room knows nothing of (:func:`module_process`).
    """
    parts = []
    if work:
        for name, queues, children in (
            ("light", ("ingest", "deliver"), LIGHT_PROCESSES),
            ("scan", ("scan",), processes),
            ("cameras", ("capture",), CAPTURE_PROCESSES),
        ):
            given = ("--queues", ",".join(queues), "--processes", str(children))
            parts.append(module_process(f"worker {name}", "worker", "workers.runtime.worker", *given, queues=queues))
    if schedule:
        parts.append(module_process("schedule", "schedule", "workers.runtime.schedule"))
    return [*parts, *pages]


def module_process(
    name: str, kind: str, module: str, *given: str, queues: tuple[str, ...] = (), files: tuple[int, ...] = ()
) -> Part:
    """A part that is a module of ours with arguments."""
    # -P: not from the folder that this happens to be started in
    return Part(name, kind, (sys.executable, "-P", "-m", module, *given), queues, files)


@dataclass
class _Running:
    """A part and the process that runs it now."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    begun: float = 0.0
    begun_at: dt.datetime | None = None
    start_at: float = 0.0
    pause: float = 0.5
    stop_by: float | None = None

    @property
    def owner(self) -> str:
        return process_name(self.process.pid) if self.process else ""


class Supervisor:
    """Keeps parts running until asked to stop.

    A child is in a process group of its own, so that Ctrl-C reaches only the supervisor, and is killed by the kernel
    when the supervisor dies.
    """

    def __init__(self, parts: Sequence[Part], context: Context, seconds: Callable[[], float] = time.monotonic) -> None:
        """Nothing is started yet. ``seconds``: a clock that never goes back."""
        self._context = context
        self._seconds = seconds
        self._running = [_Running(part) for part in parts]
        self._asked = 0
        self._check_at = 0.0

    def run(self) -> int:
        """Run until asked to stop by SIGTERM, SIGINT or SIGHUP (a second one kills); returns the exit code."""
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            while not self._asked:
                self.look()
                time.sleep(LOOK_SECONDS)
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        return 0

    def look(self) -> None:
        """Start what does not run, and see now and then whether what runs also works."""
        now = self._seconds()
        for running in self._running:
            if running.process is not None and running.process.poll() is not None:
                self._bury(running, now)
            if running.process is None and now >= running.start_at:
                self._start(running, now)
            elif running.stop_by is not None and now >= running.stop_by:
                _kill(running)
        if now >= self._check_at:
            self._check_at = now + CHECK_SECONDS
            for running in self._running:
                self._try(self._check, running)

    def processes(self) -> dict[str, int]:
        """Name of each part that runs → its process."""
        return {running.part.name: running.process.pid for running in self._running if running.process is not None}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked += 1

    def _start(self, running: _Running, now: float) -> None:
        here = str(Path(__file__).parents[2])
        environment = os.environ | {"TUBAN_HOME": str(self._context.settings.home.resolve())}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))
        try:
            running.process = subprocess.Popen(
                [*running.part.command, "--parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                process_group=0,
                env=environment,
                pass_fds=running.part.files,
            )
        except OSError as error:  # no memory, too many processes: it may pass
            running.start_at = now + LONGEST_PAUSE
            logger.error("cannot be started", part=running.part.name, error=str(error))
            return
        running.begun, running.begun_at, running.stop_by = now, self._context.clock(), None
        logger.info("started", part=running.part.name, process=running.process.pid)

    def _bury(self, running: _Running, now: float) -> None:
        """A process has ended: end what is left of it, give its jobs to others, and plan its next start."""
        assert running.process is not None
        code = running.process.returncode
        _kill(running)  # its children, should any live
        steady = now - running.begun >= STEADY_SECONDS
        pause = 0.0 if steady else running.pause
        running.pause = 0.5 if steady else min(2 * running.pause, LONGEST_PAUSE)
        running.start_at = now + pause
        if not self._asked:
            logger.warning("ended", part=running.part.name, code=code, starts_again_in=pause)
        self._try(self._release, running)
        running.process = None

    def _release(self, running: _Running) -> None:
        with self._context.database.write() as session:
            expire_leases(session, running.owner, self._context.clock())
            remove_process(session, running.owner)
            resign_leadership(session, f"{running.owner}:schedule")

    def _check(self, running: _Running) -> None:
        if running.process is None or running.part.kind != "worker" or running.begun_at is None:
            return
        with self._context.database.write() as session:
            record_heartbeat(session, f"{running.owner}:{running.part.name}", "worker", self._context.clock())
        if running.stop_by is None and is_stalled(self._context, running.owner, running.part.queues, running.begun_at):
            logger.warning("does not hear the broker and is started again", part=running.part.name)
            self._ask_to_stop(running)

    def _try(self, act: Callable[[_Running], None], running: _Running) -> None:
        try:
            act(running)
        except DatabaseError as error:
            logger.warning("the database does not answer", error=str(error).splitlines()[0])

    def _ask_to_stop(self, running: _Running) -> None:
        if running.process is not None:
            running.stop_by = self._seconds() + KILL_SECONDS
            with suppress(ProcessLookupError):
                running.process.terminate()

    def stop(self) -> None:
        """Stop everything: first pages and schedule, which make work, then the workers, all at once."""
        for kind in ("web", "schedule", "worker"):
            stopped = [running for running in self._running if running.part.kind == kind]
            for running in stopped:
                self._ask_to_stop(running)
            while any(running.process is not None for running in stopped):
                now = self._seconds()
                for running in stopped:
                    if running.process is None:
                        continue
                    if running.process.poll() is not None:
                        self._bury(running, now)
                    elif self._asked > 1 or now >= (running.stop_by or 0.0):
                        _kill(running)
                time.sleep(LOOK_SECONDS / 4)
        logger.info("stopped")


def _kill(running: _Running) -> None:
    if running.process is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(running.process.pid, signal.SIGKILL)
