"""What a line of ``make bench`` measures, and how processes of their own are measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        what: what was measured.
        value: its figure.
        unit: of both figures, like ``MP/s`` (megapixels per second) or ``s``.
        reference: what it is compared with.
        reference_value: figure of the reference, in the same run.
        goal: such as ``≤ 1.3``; "": none.
    """

    what: str
    value: float
    unit: str
    reference: str
    reference_value: float
    goal: str = ""

    @property
    def ratio(self) -> float:
        """``value`` / ``reference_value``."""
        return self.value / self.reference_value if self.reference_value else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {
            "what": self.what,
            "value": round(self.value, 4),
            "unit": self.unit,
            "reference": self.reference,
            "reference_value": round(self.reference_value, 4),
            "ratio": round(self.ratio, 4),
            "goal": self.goal,
        }


class NotMeasured(Exception):  # noqa: N818  (a service or package is missing: no fault of the program)
    """A line cannot be measured here; the message says why."""


@dataclass
class Sizes:
    """How much the lines measure; ``small`` divides sides and numbers, to try the lines.

    Attributes:
        small: for a try.
        folder: for temporary files.
        peer: Python or folder of packages with torchgeo; None: not installed.
        postgresql: URL of a server on which databases may be created.
        redis: URL of a Redis database that is emptied.
        gigapixels: sizes of line (f).
        orthophoto: side in pixels of line (h).
        photos: number of drone photos of line (h).
        alerts: number of line (i).
    """

    folder: Path
    small: bool = False
    peer: Path | None = None
    postgresql: str = "postgresql+psycopg://postgres@127.0.0.1"
    redis: str = "redis://127.0.0.1:6379/15"
    gigapixels: Sequence[float] = (1, 4, 16)
    orthophoto: int = 10_000
    photos: int = 50
    alerts: int = 100_000

    def side(self, pixels: int) -> int:
        """Return a side of images in pixels."""
        return max(1_000, pixels // 8) if self.small else pixels


@dataclass
class Line:
    """A line of the table.

    Attributes:
        key: its letter.
        title: what it compares.
        measure: returns its rows; raises :class:`NotMeasured`.
    """

    key: str
    title: str
    measure: Callable[[Sizes, Callable[[str], None]], list[Row]]


@dataclass(frozen=True)
class Finished:
    """A process that has ended.

    Attributes:
        seconds: of the clock.
        cpu_seconds: of all its threads, and of children that it waited for.
        peak_mib: largest memory of the process.
        output: standard output.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    output: str

    @property
    def data(self) -> Any:
        """The last line of the output, which is JSON."""
        return json.loads(self.output.strip().splitlines()[-1])


def run_process(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> Finished:
    """Run a command and measure it; Ctrl-C ends it.

    Raises:
        RuntimeError: its exit code is not 0; the message ends with its error output.
    """
    start = time.perf_counter()
    with subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            output, errors = process.stdout.read(), process.stderr.read()
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))[:200]} ended with {process.returncode}: {errors[-2000:]}")
    return Finished(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, output)


def run_code(code: str, *arguments: object, environment: dict[str, str] | None = None) -> Finished:
    """Run Python code in a process of its own; it prints a line of JSON last."""
    return run_process([sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)], environment)


@contextmanager
def background(command: Sequence[str | Path], environment: dict[str, str], log: Path) -> Iterator[Any]:
    """Run a process until the block ends; then it is terminated, and killed if it does not end."""
    with log.open("ab") as written:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=os.environ | environment,
            stdout=written,
            stderr=written,
            process_group=0,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
