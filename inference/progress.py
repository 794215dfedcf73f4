"""Progress reports and timings of a scan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Progress = Callable[[str, float], None]
"""Called with the current step ("align" or "scan") and the fraction of it that is done, 0…1."""


@dataclass
class Stopwatch:
    """Wall time by step.

    Attributes:
        seconds: accumulated seconds by step.
    """

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        """Add the time spent inside the ``with`` block to ``step``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(step, time.perf_counter() - start)

    def add(self, step: str, seconds: float) -> None:
        """Add seconds to ``step``."""
        self.seconds[step] = self.seconds.get(step, 0.0) + seconds
