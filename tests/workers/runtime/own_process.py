"""Run real processes of the service with the settings of a test."""

from __future__ import annotations

import json
import mmap
import multiprocessing
import os
import random
import signal
import sys
from importlib import import_module
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psutil

from configs.service import ServiceSettings
from workers.runtime import shutdown

ROOT = Path(__file__).parents[3]


class OwnProcess:
    """A process of the service, terminated at the end of ``with``; :meth:`restart_if_ended` restarts a killed one.

    It is forked from a process that has imported the service, since an import takes longer than what most tests do.
    """

    def __init__(self, environment: dict[str, str], module: str, arguments: tuple[str, ...]) -> None:
        self._target = (environment, module, arguments)
        self.process = self._start()

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.join(60)
        stopped = self.ended()
        self.process.kill()
        self.process.join()
        assert stopped, "the process did not stop within a minute"

    def ended(self) -> bool:
        """Return whether the process has ended."""
        return self.process.exitcode is not None

    def restart_if_ended(self) -> None:
        """Restart the process if it has ended."""
        if self.ended():
            self.process = self._start()

    def kill(self, rng: random.Random) -> str:
        """Send SIGKILL to the worker or only to the child that runs its jobs; return which."""
        children = [] if self.ended() else psutil.Process(self.process.pid).children()
        if children and rng.random() < 0.5:
            os.kill(children[0].pid, signal.SIGKILL)
            return "a child"
        self.process.kill()
        self.process.join()
        return "a worker"

    def _start(self) -> ForkServerProcess:
        process = _FORKS.Process(target=_run, args=self._target)
        process.start()
        return process


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "workers.runtime.worker",
        "workers.runtime.schedule",
        "workers.delivery.deliver",
        "tests.workers.runtime.chaos_kinds",
        "tests.workers.runtime.stop_kinds",
    ]
)


def _run(environment: dict[str, str], module: str, arguments: tuple[str, ...]) -> None:
    """Do in a forked process what ``python -m module`` does in a new one."""
    os.chdir(ROOT)
    for name in [name for name in os.environ if name.startswith("TUBAN_")]:
        del os.environ[name]
    os.environ.update(environment)
    shutdown._shared = mmap.mmap(-1, len(shutdown._shared))  # not that of the process it was forked from
    sys.exit(import_module(module).main([*arguments, "--parent", str(os.getppid())]))


def environment_of(settings: ServiceSettings) -> dict[str, str]:
    """Return environment variables that give a process the same settings."""
    values: dict[str, Any] = settings.model_dump(mode="json", exclude_unset=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUBAN_")}
    for group, value in values.items():
        fields = value if isinstance(value, dict) else {"": value}
        for name, field in fields.items():
            key = f"TUBAN_{group}__{name}" if name else f"TUBAN_{group}"
            environment[key.upper()] = field if isinstance(field, str) else json.dumps(field)
    return environment


def alive(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
