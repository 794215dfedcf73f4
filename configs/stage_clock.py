"""CPU and wall seconds by stage of a computation whose stages overlap in threads.

A stage of the main thread counts the CPU time of the whole process, with the threads of NumPy, OpenCV and the network's
runtime, minus that of the side threads, which count their own. Reading a clock takes less than a microsecond, so that
stages may be as short as a tile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class StageTime:
    """Time spent in one stage.

    Attributes:
        wall_s: seconds between begin and end, summed.
        cpu_s: CPU seconds, user and system.
        side: whether a side thread did it while the main thread did something else.
        parts: what the stage consists of, as far as it is measured; the rest is the stage's own.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    side: bool = False
    parts: dict[str, StageTime] = field(default_factory=dict)

    def add(self, wall_s: float, cpu_s: float) -> None:
        """Add seconds."""
        self.wall_s += wall_s
        self.cpu_s += cpu_s

    def record(self) -> dict[str, Any]:
        """Return the values for ``scan.json``, in milliseconds precision."""
        out: dict[str, Any] = {"wall_s": round(self.wall_s, 3), "cpu_s": round(self.cpu_s, 3)}
        if self.side:
            out["side_thread"] = True
        if self.parts:
            out["parts"] = {name: part.record() for name, part in self.parts.items()}
        return out


_running = threading.local()
"""The innermost stage of each thread, and its CPU clock."""


class StageClock:
    """Measures the stages of one computation. Main and side threads may use it at the same time.

    Attributes:
        stages: by name, in the order in which they began.
    """

    def __init__(self, stages: dict[str, StageTime] | None = None) -> None:
        """Continue with ``stages``, which are changed in place; None: begin with nothing."""
        self.stages = {} if stages is None else stages
        self._side_clocks: dict[int, tuple[int, float]] = {}  # by thread: clock, and its value at the first stage

    @contextmanager
    def stage(self, name: str, *, side: bool = False) -> Iterator[StageTime]:
        """Add the time inside the ``with`` block to a stage.

        Args:
            name: of the stage.
            side: the calling thread works beside the main thread; only its own CPU time counts.
        """
        stage = self.stages.setdefault(name, StageTime(side=side))
        if side:
            self._add_side_thread()
        with _measure(stage, time.thread_time if side else self.main_cpu):
            yield stage

    def main_cpu(self) -> float:
        """Return the CPU seconds of this process without those of its side threads."""
        total = time.process_time()
        for clock, begin in list(self._side_clocks.values()):
            with suppress(OSError):  # the thread has ended
                total -= time.clock_gettime(clock) - begin
        return total

    def remove_side_threads(self) -> None:
        """Forget the side threads; to be called before they end, between stages of the main thread."""
        self._side_clocks.clear()

    def _add_side_thread(self) -> None:
        thread = threading.get_ident()
        if thread not in self._side_clocks:
            clock = time.pthread_getcpuclockid(thread)
            self._side_clocks[thread] = clock, time.clock_gettime(clock)


def wall_seconds(stages: dict[str, StageTime]) -> dict[str, float]:
    """Return the wall time of the stages of the main thread, of their parts (``stage part``), and in ``total``."""
    out: dict[str, float] = {}
    for name, stage in stages.items():
        if not stage.side:
            out[name] = stage.wall_s
            out |= {f"{name} {inner}": time.wall_s for inner, time in stage.parts.items()}
    return out | {"total": sum(stage.wall_s for stage in stages.values() if not stage.side)}


@contextmanager
def stage_part(name: str) -> Iterator[None]:
    """Add the time inside the ``with`` block to a part of the calling thread's stage; nothing outside of stages."""
    stage: StageTime | None = getattr(_running, "stage", None)
    if stage is None:
        yield
        return
    with _measure(stage.parts.setdefault(name, StageTime()), _running.cpu):
        yield


@contextmanager
def _measure(stage: StageTime, cpu: Callable[[], float]) -> Iterator[None]:
    outer = getattr(_running, "stage", None), getattr(_running, "cpu", None)
    _running.stage, _running.cpu = stage, cpu
    wall_begin, cpu_begin = time.perf_counter(), cpu()
    try:
        yield
    finally:
        stage.add(time.perf_counter() - wall_begin, cpu() - cpu_begin)
        _running.stage, _running.cpu = outer
