"""Line (i): response times of pages and API with many alerts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.lines.line import Line, Row, Sizes
from benchmarks.lines.processes import database
from benchmarks.pages import response_times

GOAL_MS = 300.0


def measure(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    """Measure the 95th percentile of each kind of request of 20 inspectors."""
    alerts = 2_000 if sizes.small else sizes.alerts
    progress(f"generating {alerts:,} alerts")
    with database(sizes.postgresql) as url:
        times = response_times(url, alerts, alerts // 10, inspectors=20, seconds=8 if sizes.small else 45)
    rows = []
    for kind, milliseconds in times.items():
        value = float(np.percentile(milliseconds, 95))
        rows.append(Row(f"{kind}, {alerts:,} alerts, 95 %", value, "ms", "goal", GOAL_MS, "< 1"))
    return rows


LINE = Line("i", "pages and API with many alerts and 20 inspectors, PostgreSQL", measure)
