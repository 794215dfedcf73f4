"""Run real processes of the service with the settings of a test."""

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
    """A process of the service, terminated at the end of ``with``; :meth:`restart_if_ended` restarts a killed one."""

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

    def restart_if_ended(self) -> None:
        """Restart the process if it has ended."""
        if self.process.poll() is not None:
            self.process = self._start()

    def kill(self, rng: random.Random) -> str:
        """Send SIGKILL to the worker or only to the child that runs its jobs; return which."""
        children = psutil.Process(self.process.pid).children() if self.process.poll() is None else []
        if children and rng.random() < 0.5:
            os.kill(children[0].pid, signal.SIGKILL)
            return "a child"
        self.process.kill()
        self.process.wait()
        return "a worker"

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment, cwd=ROOT)


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
