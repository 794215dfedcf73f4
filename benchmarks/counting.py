"""CPU time of counting alerts: from columns in memory, and in SQL with dedicated covering indexes.

    .venv/bin/python -m benchmarks.counting                                # SQLite, 100,000 alerts
    .venv/bin/python -m benchmarks.counting --database postgresql+psycopg://postgres@127.0.0.1/EMPTY_DATABASE

Rows are those of :mod:`benchmarks.generated_county`, in an empty database on this machine. Figures are milliseconds of
CPU time of this process and the database process together, which depend little on other load.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import ColumnElement, Executable, func, select, text
from sqlalchemy.orm import Session

from benchmarks.generated_county import SIDE, SOUTH, TOWNSHIPS, VILLAGES, WEST, fill
from store.access.rights import Viewer, visible_to
from store.review.review_statistics import TO_BE_JUDGED, day_statistics
from store.schema.database import Database
from store.schema.migrate import upgrade
from store.schema.tables import AlertRow
from store.search.alert_columns import all_alerts
from store.search.alert_filter import AlertFilter
from store.search.alert_map import alerts_on_map
from store.search.alert_order import after_position
from store.search.alert_search import facets, neighbours

TODO = AlertFilter(states=TO_BE_JUDGED, over_cap=False)
COUNTY = (WEST, SOUTH, WEST + SIDE * VILLAGES, SOUTH + SIDE * TOWNSHIPS)
ZOOM, CELL = 11, 360 / 2**11 / 8
RUNS = 20

COVERING = (
    "CREATE INDEX counting_narrow ON alerts (state, kind, over_cap, grid_code)",
    "CREATE INDEX counting_wide ON alerts (grid_code, state, kind, over_cap, legal_weight, score, id, area_m2, "
    "created_at, last_date, due_on, sources_seen, assignee, change_type, west, south, east, north, number)",
    "DROP INDEX ix_alerts_state",  # SQLite would choose it and read most rows of the table
    "DROP INDEX ix_alerts_shown",
)


def _viewer(code: str) -> Viewer:
    return Viewer("bench", "bench", "county", code, administrator=False, person_id=1)


def _in_memory(viewer: Viewer, number: str) -> dict[str, Callable[[Session], Any]]:
    return {
        "facets": lambda session: facets(session, viewer, TODO),
        "alerts left": lambda session: day_statistics(session, viewer, "bench", dt.date(2026, 11, 25)),
        "neighbours": lambda session: neighbours(session, viewer, TODO, number),
        "map": lambda session: alerts_on_map(session, viewer, AlertFilter(), COUNTY, ZOOM),
    }


def _in_sql(session: Session, viewer: Viewer, number: str) -> dict[str, list[Executable]]:
    """Return equivalent statements of each count; the fastest of them is reported."""
    code = visible_to(AlertRow.grid_code, viewer)
    todo = [code, *TODO.conditions(session)]
    open_to_all = [code, *TODO.conditions(session, ("states", "kinds"))]
    keys = (AlertRow.legal_weight, AlertRow.score, AlertRow.id)
    place = session.execute(select(*keys).where(AlertRow.number == number)).one()
    before: ColumnElement[bool] = next(iter(after_position("gravest", place, backwards=True))).condition
    for part in after_position("gravest", place, backwards=True):
        before = before | part.condition
    inner = (
        select(AlertRow.state, AlertRow.kind, func.count().label("alerts"))
        .where(*open_to_all)
        .group_by(AlertRow.grid_code, AlertRow.state, AlertRow.kind)  # in index order, so that SQLite does not sort
        .subquery()
    )
    lon, lat = AlertRow.west + AlertRow.east, AlertRow.south + AlertRow.north
    column, row = func.floor(lon * (0.5 / CELL)).label("x"), func.floor(lat * (0.5 / CELL)).label("y")
    cells = (
        select(column, row, AlertRow.kind, AlertRow.state, func.count(), func.sum(lon), func.sum(lat))
        .add_columns(func.min(AlertRow.number), func.max(AlertRow.score + 2 * AlertRow.legal_weight))
        .where(code)
        .group_by(column, row, AlertRow.kind, AlertRow.state)
    )
    counts = select(func.count()).select_from(AlertRow)
    full_scan = (
        select(func.count().filter(*todo)).select_from(AlertRow).where(code)
    )  # keeps SQLite from using other indexes
    return {
        "facets": [
            select(AlertRow.state, AlertRow.kind, func.count())
            .where(*open_to_all)
            .group_by(AlertRow.state, AlertRow.kind),
            select(inner.c.state, inner.c.kind, func.sum(inner.c.alerts)).group_by(inner.c.state, inner.c.kind),
        ],
        "alerts left": [counts.where(*todo), full_scan],
        "neighbours": [
            counts.where(*todo, before),
            select(func.count().filter(*todo, before)).select_from(AlertRow).where(code),
        ],
        "map": [cells],
    }


class _CpuClock:
    """CPU time of this process and of the PostgreSQL backend that serves its connection."""

    def __init__(self, session: Session, sqlite: bool) -> None:
        self.backend = None if sqlite else session.scalar(text("SELECT pg_backend_pid()"))

    def milliseconds(self) -> float:
        """Return the CPU time since the processes started."""
        own = 1000 * time.process_time()
        if self.backend is None:
            return own
        fields = Path(f"/proc/{self.backend}/stat").read_text().rpartition(")")[2].split()
        return own + 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _measure(database: Database, query: Callable[[Session], Any], runs: int = RUNS) -> float:
    with database.read() as session:
        if not database.sqlite:
            session.execute(
                text("SET LOCAL max_parallel_workers_per_gather = 0")
            )  # CPU time of parallel workers would not be counted
            session.execute(text("SET LOCAL work_mem = '64MB'"))
        query(session)
        clock = _CpuClock(session, database.sqlite)
        start = clock.milliseconds()
        for _ in range(runs):
            query(session)
        return (clock.milliseconds() - start) / runs


def _measure_after_write(database: Database) -> float:
    """Measure the refresh of the columns in memory after one alert was written."""
    total = 0.0
    for number in range(1, RUNS + 1):
        with database.write() as session:
            session.get_one(AlertRow, number).state = "triaged"
        with database.read() as session:
            clock = _CpuClock(session, database.sqlite)
            start = clock.milliseconds()
            all_alerts(session)
            total += clock.milliseconds() - start
    return total / RUNS


def _maintain(database: Database, *statements: str) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (*statements, "ANALYZE" if database.sqlite else "VACUUM ANALYZE alerts"):
            if not (database.sqlite and statement == "ANALYZE"):  # the service never runs it on SQLite
                connection.execute(text(statement))


def run(
    database: Annotated[
        str, typer.Option(help="URL of an empty database; default: SQLite in a temporary folder.")
    ] = "",
    alerts: Annotated[int, typer.Option(help="Number of alerts.")] = 100_000,
) -> None:
    """Fill an empty database and print the CPU times."""
    with tempfile.TemporaryDirectory() as folder:
        target = Database(database or f"sqlite:///{Path(folder) / 'tuban.db'}")
        upgrade(target)
        number = fill(target, alerts, 2, dt.datetime.now(dt.UTC))
        viewers = {"county": _viewer("330199"), "village": _viewer("330199005010")}
        _maintain(target)
        memory: dict[tuple[str, str], float] = {}
        sql: dict[tuple[str, str], list[float]] = {}
        with target.read() as session:
            clock = _CpuClock(session, target.sqlite)
            start = clock.milliseconds()
            all_alerts(session)
            first = clock.milliseconds() - start
        for name, viewer in viewers.items():
            for kind, query in _in_memory(viewer, number).items():
                memory[name, kind] = _measure(target, query)
        written = _measure_after_write(target)
        for indexes in ((), COVERING):
            _maintain(target, *indexes)
            for name, viewer in viewers.items():
                with target.read() as session:
                    statements = _in_sql(session, viewer, number)
                for kind, forms in statements.items():
                    times = [_measure(target, lambda session, s=form: session.execute(s).all()) for form in forms]  # type: ignore[misc]
                    sql.setdefault((name, kind), []).append(min(times))
        target.close()
    title = f"{alerts:,} alerts, {'SQLite' if not database else 'PostgreSQL'}, ms of CPU time"
    table = Table("viewer", "count of", "in memory", "SQL", "SQL, covering indexes", title=title)
    for (name, kind), milliseconds in memory.items():
        table.add_row(name, kind, f"{milliseconds:.1f}", *(f"{ms:.1f}" for ms in sql[name, kind]))
    Console().print(table)
    Console().print(f"columns in memory: first read {first:.0f} ms, after a write of one alert {written:.0f} ms")


if __name__ == "__main__":
    typer.run(run)
