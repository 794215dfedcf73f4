"""Progress of a scan on a terminal: one line for each part of the work, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from inference.progress import Progress as Told

LABELS = {"align": "Registering the two dates", "scan": "Comparing"}


@contextmanager
def scan_progress() -> Iterator[Told]:
    """Show a bar for each part; yields what :func:`inference.detect_changes.detect_changes` tells it."""
    bars = Progress(
        TextColumn("{task.description:<26}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=False,
    )
    tasks = {}
    with bars:

        def tell(part: str, done: float) -> None:
            if part not in tasks:
                tasks[part] = bars.add_task(LABELS.get(part, part), total=1.0)
            bars.update(tasks[part], completed=done)

        yield tell
