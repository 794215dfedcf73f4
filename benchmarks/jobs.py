"""The job system at scale: claims per second, contention and recovery with up to a million jobs, on PostgreSQL.

    createdb jobs && psql -d jobs -c 'CREATE EXTENSION postgis'
    .venv/bin/python -m benchmarks.jobs --database postgresql+psycopg://postgres@127.0.0.1/jobs
    .venv/bin/python -m benchmarks.jobs --database … --open 1000000 --finished 1000000 --seconds 60

Simulated workers, as many as with `tuban up` on many machines, share the connections of a pooler. Each claims and
finishes block jobs by the functions of a worker, without work in between, and receives some messages twice. Some die
with their lease, and the reaper publishes their jobs again. Each measurement begins with generated rows. Compare CPU
milliseconds: claims per second depend on what else the machine does.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from sqlalchemy import text

from benchmarks.bench import machine, read_results, write_results
from benchmarks.simulated_workers import THREADS, Measured, fill_jobs, measure
from store.schema.database import Database
from store.schema.migrate import upgrade


def _vacuum(database: Database) -> None:
    """Do what autovacuum does when it has time, so that each measurement begins alike."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in ("VACUUM ANALYZE jobs", "VACUUM ANALYZE processes", "CHECKPOINT"):
            connection.execute(text(statement))


def run(
    database: Annotated[str, typer.Option(help="URL of an empty PostgreSQL database with PostGIS.")],
    open_jobs: Annotated[str, typer.Option("--open", help="Waiting jobs at the start, each in turn.")] = (
        "1000 10000 100000 1000000"
    ),
    finished: Annotated[str, typer.Option(help="Finished jobs at the start, each in turn.")] = "0",
    workers: Annotated[int, typer.Option(help="Number of simulated workers.")] = 1_000,
    processes: Annotated[int, typer.Option(help=f"Processes of {THREADS} connections that they share.")] = 8,
    seconds: Annotated[float, typer.Option(help="Duration of each measurement; 0: until all jobs are done.")] = 15,
    write: Annotated[bool, typer.Option(help="Write results.json and the table of benchmarks/README.md.")] = False,
) -> None:
    """Print one line for each number of open and finished jobs."""
    multiprocessing.set_start_method("fork", force=True)
    console = Console()
    base = Database(database)
    upgrade(base)
    rows = []
    for done in map(int, finished.split()):
        for waiting in map(int, open_jobs.split()):
            with base.engine.begin() as connection:
                connection.execute(text("TRUNCATE jobs, processes RESTART IDENTITY CASCADE"))
            fill_jobs(base, "done", done, 0)
            fill_jobs(base, "waiting", waiting, done)
            _vacuum(base)
            with base.read() as session:
                job_bytes = session.scalar(text("SELECT pg_total_relation_size('jobs')")) / (done + waiting)
            console.print(f"{waiting:,} open, {done:,} finished jobs: measuring", style="dim")
            measured = measure(base, workers, processes, seconds)
            rows.append({"open": waiting, "finished": done, **_figures(measured), "job_bytes": round(job_bytes)})
            total = sum(measured.waits.values())
            shares = ", ".join(f"{name} {100 * n / total:.0f} %" for name, n in measured.waits.most_common(6))
            rows[-1]["connections"] = shares
            console.print(f"  {measured.seconds:.1f} s, {dict(measured.counts)}; connections: {shares}", style="dim")
    with base.read() as session:
        autovacuum = session.scalar(text("SHOW autovacuum"))
        fsync = session.scalar(text("SHOW fsync"))
    base.close()
    about = {"workers": workers, "connections": processes * THREADS, "autovacuum": autovacuum, "fsync": fsync}
    results = {"at": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC", "machine": machine(), **about, "rows": rows}
    console.print(markdown(results), markup=False, highlight=False, soft_wrap=True)
    if write:
        write_results(read_results() | {"jobs": results}, markdown(results), "jobs")


def _figures(measured: Measured) -> dict[str, Any]:
    counts, claims = measured.counts, max(1, measured.counts["claims"])
    quantiles = np.percentile(measured.milliseconds["claim"], (50, 95, 100))
    names = ("refused", "lost", "deadlocks", "errors", "died")
    slowest = {f"{name}_ms": max(measured.milliseconds[name] or [0]) for name in ("reaper", "unpublished", "metrics")}
    figures = {
        "claims_s": claims / measured.seconds,
        "worker_cpu_ms": measured.cpu_ms / claims,
        "server_cpu_ms": measured.server_cpu_ms / claims,
        "claim_ms": quantiles[0],
        "claim_ms_95": quantiles[1],
        "claim_ms_worst": quantiles[2],
        **slowest,
    }
    return {name: round(float(value), 2) for name, value in figures.items()} | {name: counts[name] for name in names}


def markdown(results: dict[str, Any]) -> str:
    """Return the measurements as Markdown."""
    made = results["machine"]
    lines = [
        f"{results['workers']:,} simulated workers on {results['connections']} connections; {results['at']}, commit "
        f"{made['commit']}, {made['cores']} cores of {made['processor']} for workers and server, load at the end "
        f"{made['load']}; autovacuum {results['autovacuum']}, fsync {results['fsync']}. Each claimed job is finished "
        "as well, in a transaction of its own.",
        "",
        "| open jobs | finished | claims per second | CPU ms per job: worker | server | claim ms, median | 95 % "
        "| worst | refused | lost leases | deadlocks | errors | reaper, worst ms | unpublished?, ms | metrics, ms |",
        "| --- |" + " --- |" * 14,
    ]
    lines += [
        f"| {row['open']:,} | {row['finished']:,} | {row['claims_s']:,.0f} | {row['worker_cpu_ms']:.2f} "
        f"| {row['server_cpu_ms']:.2f} | {row['claim_ms']:.1f} | {row['claim_ms_95']:.1f} "
        f"| {row['claim_ms_worst']:.0f} | {row['refused']:,} | {row['lost']:,} "
        f"| {row['deadlocks']} | {row['errors']} | {row['reaper_ms']:.0f} "
        f"| {row['unpublished_ms']:.0f} | {row['metrics_ms']:.0f} |"
        for row in results["rows"]
    ]
    largest = max(results["rows"], key=lambda row: row["open"] + row["finished"])
    lines += [
        "",
        f"With {largest['open'] + largest['finished']:,} jobs, connections in a transaction were found "
        f"{largest['connections']}; a job takes {largest['job_bytes']} bytes with its indexes.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(run)
