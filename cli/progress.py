"""Progress bars of a scan, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.language import say
from inference.progress import Progress as ProgressCallback

LABELS = {"align": "Registering the two dates", "scan": "Comparing", "pictures": "Drawing the pictures"}


@contextmanager
def scan_progress() -> Iterator[ProgressCallback]:
    """Show one bar for each step; yields the progress callback for :func:`tuban.scan_to_folder`."""
    bars = Progress(
        TextColumn("{task.description:<26}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=False,
        disable=not sys.stderr.isatty(),
    )
    tasks = {}
    with bars:

        def update(step: str, done: float) -> None:
            if step not in tasks:
                label = say(LABELS[step], f"cli.step_{step}") if step in LABELS else step
                tasks[step] = bars.add_task(label, total=1.0)
            bars.update(tasks[step], completed=done)

        yield update
