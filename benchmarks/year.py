"""A simulated county in a year: 12 townships, 180 villages, 400 officers and 250 nights of scans, checked each week.

    .venv/bin/python -m benchmarks.year                                  # SQLite in a temporary folder
    .venv/bin/python -m benchmarks.year --database postgresql+psycopg://postgres@127.0.0.1/EMPTY_DATABASE
    .venv/bin/python -m benchmarks.year --scale 0.1 --days 90 --seed 7   # smaller and shorter
    .venv/bin/python -m benchmarks.year --write                          # also writes the table of benchmarks/README.md

Detections are drawn from a rendered truth with the recall and precision of the shipped weights; everything after them
goes through the functions that workers and pages call. Exit code 1: a check found a fault.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import platform
import re
import tempfile
import time
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.year_parts.checks import Checks
from benchmarks.year_parts.county import Scale
from benchmarks.year_parts.measured import database_bytes, table_sizes
from benchmarks.year_parts.run import Year
from store.schema.database import Database
from store.schema.migrate import upgrade

README = Path(__file__).with_name("README.md")
MOST_TABLES = 12
MOST_FAULTS = 50


def scaled(share: float, days: int) -> Scale:
    """Return the county at a share of its full size, each row of villages photographed as often as at full size."""
    full = Scale()
    townships = max(1, round(full.townships * share))
    villages = townships * (full.villages // full.townships)
    officers = max(2 * villages, round(full.officers * villages / full.villages))
    return dataclasses.replace(
        full,
        townships=townships,
        villages=villages,
        officers=officers,
        nights=math.ceil(full.nights * days / full.days),
        days=days,
        tips=max(12, round(full.tips * share)),
        flights=max(1, round(full.flights * share)),
    )


def run(
    seed: Annotated[int, typer.Option(help="Of truth, people and what they do.")] = 1,
    database: Annotated[
        str, typer.Option(help="URL of an empty database; default: SQLite in a temporary folder.")
    ] = "",
    scale: Annotated[float, typer.Option(help="Share of the full county, 0 to 1.", min=0.01, max=1.0)] = 1.0,
    days: Annotated[int, typer.Option(help="Number of days.", min=7, max=366)] = 365,
    write: Annotated[bool, typer.Option(help="Write the figures into benchmarks/README.md.")] = False,
) -> None:
    """Run the year, print seconds by phase, rows and bytes by table, and the faults that the checks found."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console()
    size = Scale() if scale == 1 and days == Scale().days else scaled(scale, days)
    with tempfile.TemporaryDirectory() as folder:
        base = Database(database or f"sqlite:///{Path(folder) / 'year.db'}")
        upgrade(base)
        wall, cpu = time.perf_counter(), time.process_time()
        year, checks = Year(base, Path(folder), seed, size), Checks()
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("days", total=size.days)

            def advance() -> None:
                bar.advance(task)
                days = int(bar.tasks[task].completed)
                if not console.is_terminal and days % 10 == 0:
                    seconds = f"{time.perf_counter() - wall:,.0f} s, {time.process_time() - cpu:,.0f} CPU seconds"
                    found = f"{len(checks.faults)} faults"
                    console.print(f"{days} of {size.days} days: {seconds}, {found}", markup=False, highlight=False)

            year.run(checks.week, advance)
        with year.measured.phase("checks of the year"):
            checks.end(year)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        report = _report(year, checks, wall, cpu)
        base.close()
    console.print(report, markup=False, highlight=False, soft_wrap=True)
    if write:
        _write(report, "sqlite" if base.sqlite else "postgresql")
    for fault in checks.faults[:MOST_FAULTS]:
        console.print(f"fault: {fault}", markup=False, highlight=False, soft_wrap=True)
    if checks.faults:
        console.print(f"{len(checks.faults)} faults")
        raise typer.Exit(1)


def _report(year: Year, checks: Checks, wall: float, cpu: float) -> str:
    """Return the figures as Markdown."""
    size, sizes = year.scale, table_sizes(year.database)
    rows = sum(table.rows for table in sizes)
    kind = "SQLite" if year.database.sqlite else "PostgreSQL"
    lines = [
        f"{kind}, seed {year.seed}: {size.townships} townships, {size.villages} villages, {size.officers} officers, "
        f"{size.days} days, {size.nights} nights, {year.nights.scenes} images, {len(year.ground.sites):,} sites; "
        f"{wall:,.0f} s, of which this process computed {cpu:,.0f} s ({platform.machine()}); {rows:,} rows, "
        f"{database_bytes(year.database) / 2**20:,.0f} MiB; {checks.weeks} weeks checked, {len(checks.faults)} faults.",
        "",
        "| phase | seconds | CPU seconds |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {seconds:,.1f} | {year.measured.cpu[name]:,.1f} |"
        for name, seconds in year.measured.wall.most_common()
    ]
    lines += ["", "| table | rows | MiB with indexes |", "| --- | --- | --- |"]
    lines += [f"| {table.name} | {table.rows:,} | {table.bytes / 2**20:,.1f} |" for table in sizes[:MOST_TABLES]]
    others = sizes[MOST_TABLES:]
    lines.append(
        f"| {len(others)} others | {sum(t.rows for t in others):,} | {sum(t.bytes for t in others) / 2**20:,.1f} |"
    )
    return "\n".join(lines)


def _write(report: str, kind: str) -> None:
    """Replace the part of the README between the marks of this kind of database."""
    text = README.read_text(encoding="utf-8")
    begin, end = f"<!-- year {kind} -->", f"<!-- end of year {kind} -->"
    found = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{report}\n{end}", text, flags=re.S)
    README.write_text(found, encoding="utf-8")


if __name__ == "__main__":
    typer.run(run)
