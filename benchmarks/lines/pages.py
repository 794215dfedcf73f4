"""Line (i): response times of pages and API with many alerts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sqlalchemy import create_engine, text

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
        rows = [_database_row(url, alerts)]
    for kind, milliseconds in times.items():
        value = float(np.percentile(milliseconds, 95))
        rows.append(Row(f"{kind}, {alerts:,} alerts, 95 %", value, "ms", "goal", GOAL_MS, "< 1"))
    return rows


def _database_row(url: str, alerts: int) -> Row:
    """Return the bytes of an alert in the database, with indexes."""
    tables = "VALUES ('alerts'), ('observations'), ('transitions')"
    engine = create_engine(url)
    with engine.connect() as connection:
        own = connection.scalar(text("SELECT pg_total_relation_size('alerts')"))
        whole = connection.scalar(text(f"SELECT sum(pg_total_relation_size(name::regclass)) FROM ({tables}) t(name)"))
    engine.dispose()
    return Row("database per alert, with sightings and steps", float(whole) / alerts, "B", "its row", own / alerts)


LINE = Line("i", "pages and API with many alerts and 20 inspectors, PostgreSQL", measure)
