"""``tuban status``: how the service stands, on one screen."""

from __future__ import annotations

import datetime as dt
import json as json_text
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.administration.jobs import ago
from cli.administration.service import service
from store.cameras.cameras import NEEDS_ATTENTION
from store.jobs.queue import list_jobs
from store.scans.nights import night_summary, recent_nights
from store.scans.scans import RunningScan, running_scans
from store.schema.tables import Job
from store.views.statistics import ServiceStatistics, read_statistics

MOST_LINES = 10
PARTS = {"worker": "worker", "schedule": "schedule", "web": "pages"}


def status(
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object instead of tables, for other programs.")
    ] = False,
) -> None:
    """Show what runs and waits: processes, queues, running scans with their progress, the last night, dead jobs.

    Exit code 0 when nothing needs a person; 1 when a job or a delivery is dead, work waits and no worker runs, a
    camera needs a person, or the last audit found a broken log.
    """
    with service() as context:
        now = context.clock()
        with context.database.read() as session:
            figures = read_statistics(session, now)
            scans = running_scans(session)
            dead = list_jobs(session, state="dead", limit=MOST_LINES)
            nights = [(night.day, night.state, night_summary(session, night)) for night in recent_nights(session, 1)]
    wrong = _wrong(figures)
    if json:
        typer.echo(_as_json(figures, scans, dead, wrong))
    else:
        words = Console(highlight=False, soft_wrap=True)
        _tell_processes(words, figures)
        _tell_queues(words, figures, now)
        _tell_scans(words, scans, figures, now)
        for day, state, summary in nights:
            found = ", ".join(f"{count} {word}" for word, count in summary.get("alerts", {}).items() if count)
            compared = f"{summary.get('scans', 0)} scans, {summary.get('looked_at_m2', 0) / 1e6:.2f} km²"
            words.print(f"Last night: {day}, {state}; {compared}" + (f"; alerts: {found}." if found else "."))
        _tell_cameras(words, figures)
        _tell_alerts(words, figures)
        _show_audit(words, figures, now)
        for job in dead:
            words.print(
                f"Dead job {job.id} ({job.kind}, {ago(job.finished_at, now)} ago): {job.error}",
                style="red",
                markup=False,
            )
        for line in wrong:
            words.print(line, style="red", markup=False)
    raise typer.Exit(1 if wrong else 0)


def _wrong(figures: ServiceStatistics) -> list[str]:
    """What needs a person, one line each."""
    lines = []
    waiting = sum(queue.waiting for queue in figures.queues)
    if waiting and not figures.processes.get("worker"):
        lines.append(f"{waiting} jobs wait and no worker runs: start `tuban up`.")
    dead = sum(queue.dead for queue in figures.queues)
    if dead:
        lines.append(f"{dead} dead jobs: `tuban jobs --state dead` tells why, `tuban revive` lets them be tried again.")
    lines += [
        f"Camera {camera.name}, {camera.state} since {camera.since:%Y-%m-%d %H:%M} UTC: {camera.error}"
        for camera in figures.cameras
        if camera.state in NEEDS_ATTENTION
    ]
    undelivered = sum(target.dead for target in figures.targets)
    if undelivered:
        lines.append(f"{undelivered} deliveries were given up: `tuban deliveries` tells which and why.")
    if figures.audit is not None and figures.audit.broken:
        first = figures.audit.first_broken
        lines.append(
            f"The audit of {figures.audit.finished_at:%Y-%m-%d %H:%M} UTC found {figures.audit.broken} broken logs of "
            f"alerts, first {first['number'] or 'of a removed alert'}: {first['reason']}. `tuban audit` lists them."
        )
    return lines


def _tell_processes(words: Console, figures: ServiceStatistics) -> None:
    running = [f"{figures.processes[part]} {name}" for part, name in PARTS.items() if figures.processes.get(part)]
    words.print("Running: " + (", ".join(running) if running else "nothing (start `tuban up`)") + ".")


def _tell_queues(words: Console, figures: ServiceStatistics, now: dt.datetime) -> None:
    table = Table("queue", "waiting", "running", "dead", "oldest waits for")
    for queue in figures.queues:
        oldest = ago(now - dt.timedelta(seconds=queue.oldest_seconds), now) if queue.oldest_seconds else ""
        table.add_row(queue.queue, str(queue.waiting), str(queue.running), str(queue.dead), oldest)
    words.print(table)


def _tell_scans(words: Console, scans: list[RunningScan], figures: ServiceStatistics, now: dt.datetime) -> None:
    for scan in scans[:MOST_LINES]:
        words.print(
            f"Scan {scan.scan_id} in {scan.area_code}: {scan.before} → {scan.after}, {scan.state}, "
            f"{scan.done:.0%} compared, planned {ago(scan.created_at, now)} ago.",
            markup=False,
        )
    if len(scans) > MOST_LINES:
        words.print(f"… and {len(scans) - MOST_LINES} more scans.")
    lately = figures.lately
    if lately.scans:
        rate = f"{lately.km2:.2f} km², {lately.km2_per_hour:.1f} km² per hour of scanning"
        words.print(f"Last {lately.hours:.0f} h: {lately.scans} scans, {rate}.")


def _tell_cameras(words: Console, figures: ServiceStatistics) -> None:
    if figures.cameras:
        told = ", ".join(f"{camera.name} {camera.state}" for camera in figures.cameras[:MOST_LINES])
        words.print(f"Cameras: {told}{' …' if len(figures.cameras) > MOST_LINES else ''}.", markup=False)


def _tell_alerts(words: Console, figures: ServiceStatistics) -> None:
    by_state: dict[str, int] = {}
    for (state, _), count in figures.alerts.items():
        by_state[state] = by_state.get(state, 0) + count
    if by_state:
        words.print("Alerts: " + ", ".join(f"{count} {state}" for state, count in sorted(by_state.items())) + ".")
    for target in figures.targets:
        words.print(
            f"Deliveries to {target.target}: {target.delivered} delivered, {target.waiting} waiting, "
            f"{target.dead} given up.",
            markup=False,
        )


def _show_audit(words: Console, figures: ServiceStatistics, now: dt.datetime) -> None:
    audit = figures.audit
    if audit is None:
        words.print("Last audit of the alerts' logs: never.")
        return
    result = f"{audit.broken} broken" if audit.broken else "all whole"
    verified = f"{audit.alerts} alerts with {audit.transitions} transitions"
    words.print(f"Last audit of the alerts' logs: {ago(audit.finished_at, now)} ago, {verified}, {result}.")


def _as_json(figures: ServiceStatistics, scans: list[RunningScan], dead: list[Job], wrong: list[str]) -> str:
    counted = {
        "jobs": [{"kind": k, "state": s, "count": n} for (k, s), n in figures.jobs.items()],
        "alerts": [{"state": s, "kind": k, "count": n} for (s, k), n in figures.alerts.items()],
        "processes": dict(figures.processes),
        "running_scans": [asdict(scan) for scan in scans],
        "dead_jobs": [{"id": job.id, "kind": job.kind, "error": job.error} for job in dead],
        "needs_a_person": wrong,
    }
    return json_text.dumps(asdict(figures) | counted, ensure_ascii=False, indent=1, default=str)
