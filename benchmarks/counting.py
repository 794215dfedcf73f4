"""Processor time of counting alerts: from columns in memory, and in SQL with covering indexes made for it.

    .venv/bin/python -m benchmarks.counting                                # SQLite, 100,000 alerts
    .venv/bin/python -m benchmarks.counting --database postgresql+psycopg://postgres@127.0.0.1/EMPTY_DATABASE

Rows are those of :mod:`benchmarks.pages`, in an empty database on this machine. Figures are milliseconds of processor
time, of this process and of the database's process together: they depend little on what else the machine does.
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

from benchmarks.pages import SIDE, SOUTH, TOWNSHIPS, VILLAGES, WEST, fill
from store.access.rights import Viewer, visible_to
from store.alerts.alert_columns import all_alerts
from store.review.review_statistics import TO_BE_JUDGED, day_statistics
from store.schema.database import Database
from store.schema.migrate import upgrade
from store.schema.tables import AlertRow
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
    "DROP INDEX ix_alerts_state",  # SQLite would take it, and read most rows of the table
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
    """Return the same as statements, each in several forms of which the fastest is taken."""
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
        .group_by(
            AlertRow.grid_code, AlertRow.state, AlertRow.kind
        )  # the order of an index: nothing is sorted on SQLite
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
    every = select(func.count().filter(*todo)).select_from(AlertRow).where(code)  # keeps SQLite from other indexes
    return {
        "facets": [
            select(AlertRow.state, AlertRow.kind, func.count())
            .where(*open_to_all)
            .group_by(AlertRow.state, AlertRow.kind),
            select(inner.c.state, inner.c.kind, func.sum(inner.c.alerts)).group_by(inner.c.state, inner.c.kind),
        ],
        "alerts left": [counts.where(*todo), every],
        "neighbours": [
            counts.where(*todo, before),
            select(func.count().filter(*todo, before)).select_from(AlertRow).where(code),
        ],
        "map": [cells],
    }


class _Clock:
    """Processor time of this process, and of the one that serves its connection to PostgreSQL."""

    def __init__(self, session: Session, sqlite: bool) -> None:
        self.backend = None if sqlite else session.scalar(text("SELECT pg_backend_pid()"))

    def milliseconds(self) -> float:
        """Since the processes began."""
        own = 1000 * time.process_time()
        if self.backend is None:
            return own
        told = Path(f"/proc/{self.backend}/stat").read_text().rpartition(")")[2].split()
        return own + 1000 * (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def _measured(database: Database, do: Callable[[Session], Any], runs: int = RUNS) -> float:
    with database.read() as session:
        if not database.sqlite:
            session.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))  # theirs would not be counted
            session.execute(text("SET LOCAL work_mem = '64MB'"))
        do(session)
        clock = _Clock(session, database.sqlite)
        begun = clock.milliseconds()
        for _ in range(runs):
            do(session)
        return (clock.milliseconds() - begun) / runs


def _after_a_write(database: Database) -> float:
    """Read again what one written alert makes stale."""
    took = 0.0
    for number in range(1, RUNS + 1):
        with database.write() as session:
            session.get_one(AlertRow, number).state = "triaged"
        with database.read() as session:
            clock = _Clock(session, database.sqlite)
            begun = clock.milliseconds()
            all_alerts(session)
            took += clock.milliseconds() - begun
    return took / RUNS


def _maintain(database: Database, *statements: str) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (*statements, "ANALYZE" if database.sqlite else "VACUUM ANALYZE alerts"):
            if not (database.sqlite and statement == "ANALYZE"):  # the service never runs it
                connection.execute(text(statement))


def run(
    database: Annotated[
        str, typer.Option(help="Address of an empty database; default: SQLite in a fresh folder.")
    ] = "",
    alerts: Annotated[int, typer.Option(help="Alerts.")] = 100_000,
) -> None:
    """Fill an empty database and measure."""
    with tempfile.TemporaryDirectory() as folder:
        base = Database(database or f"sqlite:///{Path(folder) / 'tuban.db'}")
        upgrade(base)
        number = fill(base, alerts, 2, dt.datetime.now(dt.UTC))
        viewers = {"county": _viewer("330199"), "village": _viewer("330199005010")}
        _maintain(base)
        memory: dict[tuple[str, str], float] = {}
        sql: dict[tuple[str, str], list[float]] = {}
        with base.read() as session:
            clock = _Clock(session, base.sqlite)
            begun = clock.milliseconds()
            all_alerts(session)
            first = clock.milliseconds() - begun
        for name, viewer in viewers.items():
            for what, do in _in_memory(viewer, number).items():
                memory[name, what] = _measured(base, do)
        written = _after_a_write(base)
        for indexes in ((), COVERING):
            _maintain(base, *indexes)
            for name, viewer in viewers.items():
                with base.read() as session:
                    statements = _in_sql(session, viewer, number)
                for what, forms in statements.items():
                    times = [_measured(base, lambda session, s=form: session.execute(s).all()) for form in forms]  # type: ignore[misc]
                    sql.setdefault((name, what), []).append(min(times))
        base.close()
    title = f"{alerts:,} alerts, {'SQLite' if not database else 'PostgreSQL'}, ms of processor time"
    table = Table("viewer", "what", "in memory", "SQL", "SQL, covering indexes", title=title)
    for (name, what), took in memory.items():
        table.add_row(name, what, f"{took:.1f}", *(f"{ms:.1f}" for ms in sql[name, what]))
    Console().print(table)
    Console().print(f"columns in memory: first read {first:.0f} ms, after a write of one alert {written:.0f} ms")


if __name__ == "__main__":
    typer.run(run)
