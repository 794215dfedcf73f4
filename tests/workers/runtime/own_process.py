"""Real processes of the service, with settings of a test."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from configs.service import ServiceSettings

ROOT = Path(__file__).parents[3]


class OwnProcess:
    """A process of the service: ended at the end of ``with``, started again by :meth:`keep` when it was killed."""

    def __init__(self, environment: dict[str, str], module: str, arguments: tuple[str, ...]) -> None:
        self._command = [sys.executable, "-m", module, *arguments, "--parent", str(os.getpid())]
        self._environment = environment
        self.process = self._start()

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()

    def keep(self) -> None:
        """Start it again if it has ended."""
        if self.process.poll() is not None:
            self.process = self._start()

    def kill(self, chance: random.Random) -> str:
        """With ``kill -9``: the worker, or only the child that does its jobs; tells which."""
        children = psutil.Process(self.process.pid).children() if self.process.poll() is None else []
        if children and chance.random() < 0.5:
            os.kill(children[0].pid, signal.SIGKILL)
            return "a child"
        self.process.kill()
        self.process.wait()
        return "a worker"

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment, cwd=ROOT)


def environment_of(settings: ServiceSettings) -> dict[str, str]:
    """What makes a process read the same settings."""
    told: dict[str, Any] = settings.model_dump(mode="json", exclude_unset=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUBAN_")}
    for name, value in told.items():
        inner = value if isinstance(value, dict) else {"": value}
        for part, one in inner.items():
            key = f"TUBAN_{name}__{part}" if part else f"TUBAN_{name}"
            environment[key.upper()] = one if isinstance(one, str) else json.dumps(one)
    return environment


def alive(process: int) -> bool:
    """Whether it lives; one that has ended and waits for its parent does not."""
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
