"""``tuban status``: the state of the service on one screen."""

from __future__ import annotations

import datetime as dt
import json as json_text
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from cli.administration.jobs import ago
from cli.administration.service import open_service
from cli.exit_codes import ATTENTION, SUCCESS
from cli.language import and_more, head, headed, in_language, say, state_name, term
from configs.version import program_version
from service.monitoring.problems import find_problems, find_warnings
from store.cameras.cameras import NEEDS_ATTENTION
from store.jobs.queue import list_jobs
from store.scans.nights import night_summary, recent_nights
from store.scans.scans import RunningScan, running_scans
from store.schema.tables import Job
from store.views.statistics import CameraStatistics, ServiceStatistics, read_statistics

MAX_LINES = 10
PART_LABELS = {"worker": "worker", "schedule": "schedule", "web": "pages"}


def status(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Show processes, queues, running scans with their progress, the last night, cameras, deliveries and dead jobs.

    Exit codes: 0 all is well, 1 something requires attention: broker, object store, workers or schedule do not run, the
    disk is full, the last night is missing or has failed, a dead job or delivery, a camera with a fault, damaged
    objects, or a broken log found by the last audit; 2 there is no database. From November on a warning says that the
    calendar lacks the holidays of the next year; it changes no exit code.
    """
    with open_service() as context:
        now = context.clock()
        with context.database.read() as session:
            statistics = read_statistics(session, now)
            scans = running_scans(session)
            dead = list_jobs(session, state="dead", limit=MAX_LINES)
            nights = [(night.day, night.state, night_summary(session, night)) for night in recent_nights(session, 1)]
        found, warnings = find_problems(context), [in_language(each.reason) for each in find_warnings(context)]
    problems = [in_language(problem.reason) for problem in found] + _list_problems(statistics)
    if json:
        typer.echo(_to_json(statistics, scans, dead, problems, warnings))
    else:
        console = Console(highlight=False, soft_wrap=True)
        _print_processes(console, statistics)
        _print_queues(console, statistics, now)
        _print_scans(console, scans, statistics, now)
        for day, state, summary in nights:
            outcomes = {name: count for name, count in summary.get("alerts", {}).items() if count}
            alerts = ", ".join(f"{count} {term('nights.alert_', name)}" for name, count in outcomes.items())
            scans_count, km2 = summary.get("scans", 0), summary.get("looked_at_m2", 0) / 1e6
            message = f"Last night: {day}, {state}; {scans_count} scans, {km2:.2f} km²"
            values = {"day": day, "state": term("nights.state_", state), "scans": scans_count, "area": km2}
            message = say(message, "cli.last_night", **values)
            console.print(message + (say(f"; alerts: {alerts}.", "cli.night_alerts", alerts=alerts) if alerts else "."))
        _print_cameras(console, statistics)
        _print_alerts(console, statistics)
        _print_audit(console, statistics, now)
        _print_check(console, statistics, now)
        for job in dead:
            since = ago(job.finished_at, now)
            message = f"Dead job {job.id} ({job.kind}, {since} ago): {job.error}"
            values = {"job": job.id, "kind": job.kind, "since": since, "error": job.error}
            console.print(say(message, "cli.dead_job", **values), style="red", markup=False)
        for line in problems:
            console.print(line, style="red", markup=False)
        for line in warnings:
            console.print(line, style="yellow", markup=False)
    raise typer.Exit(ATTENTION if problems else SUCCESS)


def _list_problems(statistics: ServiceStatistics) -> list[str]:
    """List everything that requires a person's attention, one line each."""
    lines = []
    dead = sum(queue.dead for queue in statistics.queues)
    if dead:
        message = f"{dead} dead jobs: `tuban jobs --state dead` shows the errors, `tuban revive` retries them."
        lines.append(say(message, "cli.dead_jobs", count=dead))
    lines += [_camera_line(camera) for camera in statistics.cameras if camera.state in NEEDS_ATTENTION]
    undelivered = sum(target.dead for target in statistics.targets)
    if undelivered:
        message = f"{undelivered} dead deliveries: `tuban deliveries` shows the errors, --revive retries them."
        lines.append(say(message, "cli.dead_deliveries", count=undelivered))
    integrity = statistics.integrity
    if integrity is not None and integrity.damaged:
        message = (
            f"{integrity.damaged} stored objects are missing or damaged, first: {integrity.first}. `tuban check` lists "
            "them, `tuban check --repair BACKUP` restores them."
        )
        lines.append(say(message, "cli.damaged_objects", count=integrity.damaged, first=integrity.first))
    if integrity is not None:
        lines += [f"{in_language(problem)}." for problem in integrity.problems]
    if statistics.audit is not None and statistics.audit.broken:
        audit, first = statistics.audit, statistics.audit.first_broken
        at = f"{audit.finished_at:%Y-%m-%d %H:%M}"
        message = (
            f"The audit of {at} UTC found {audit.broken} broken logs of "
            f"alerts, first {first['number'] or 'of a removed alert'}: {first['reason']}. `tuban audit` lists them."
        )
        lines.append(say(message, "cli.broken_logs", at=at, count=audit.broken, first=str(first["number"] or "–")))
    return lines


def _camera_line(camera: CameraStatistics) -> str:
    at = f"{camera.since:%Y-%m-%d %H:%M}"
    message = f"Camera {camera.name}, {camera.state} since {at} UTC: {camera.error}"
    values = {"name": camera.name, "state": term("cameras.state_", camera.state), "at": at, "error": camera.error}
    return say(message, "cli.camera_fault", **values)


def _print_processes(console: Console, statistics: ServiceStatistics) -> None:
    console.print(f"Tuban {program_version()}.")
    running = [
        f"{statistics.processes[part]} {head(name)}"
        for part, name in PART_LABELS.items()
        if statistics.processes.get(part)
    ]
    nothing = say("nothing (start `tuban up`)", "cli.nothing_running")
    names = ", ".join(running) if running else nothing
    console.print(say(f"Running: {names}.", "cli.running", names=names))


def _print_queues(console: Console, statistics: ServiceStatistics, now: dt.datetime) -> None:
    table = headed("queue", "waiting", "running", "dead", "oldest waiting for")
    for queue in statistics.queues:
        oldest = ago(now - dt.timedelta(seconds=queue.oldest_seconds), now) if queue.oldest_seconds else ""
        table.add_row(queue.queue, str(queue.waiting), str(queue.running), str(queue.dead), oldest)
    console.print(table)


def _print_scans(console: Console, scans: list[RunningScan], statistics: ServiceStatistics, now: dt.datetime) -> None:
    for scan in scans[:MAX_LINES]:
        since = ago(scan.created_at, now)
        message = (
            f"Scan {scan.scan_id} in {scan.area_code}: {scan.before} → {scan.after}, {scan.state}, "
            f"{scan.done:.0%} compared, planned {since} ago."
        )
        values = {"scan": scan.scan_id, "area": scan.area_code, "before": str(scan.before), "after": str(scan.after)}
        values |= {"state": term("scans.", scan.state), "done": scan.done, "since": since}
        console.print(say(message, "cli.scan_running", **values), markup=False)
    if len(scans) > MAX_LINES:
        console.print(f"{and_more(len(scans) - MAX_LINES)}.")
    recent = statistics.lately
    if recent.scans:
        rate = f"{recent.km2:.2f} km², {recent.km2_per_hour:.1f} km² per hour of scanning"
        message = f"Last {recent.hours:.0f} h: {recent.scans} scans, {rate}."
        values = {"hours": recent.hours, "scans": recent.scans, "area": recent.km2, "rate": recent.km2_per_hour}
        console.print(say(message, "cli.recent_scans", **values))


def _print_cameras(console: Console, statistics: ServiceStatistics) -> None:
    if statistics.cameras:
        shown = statistics.cameras[:MAX_LINES]
        states = ", ".join(f"{camera.name} {term('cameras.state_', camera.state)}" for camera in shown)
        states += " …" if len(statistics.cameras) > MAX_LINES else ""
        console.print(say(f"Cameras: {states}.", "cli.cameras", states=states), markup=False)


def _print_alerts(console: Console, statistics: ServiceStatistics) -> None:
    by_state: dict[str, int] = {}
    for (state, _), count in statistics.alerts.items():
        by_state[state] = by_state.get(state, 0) + count
    if by_state:
        counts = ", ".join(f"{count} {state_name(state)}" for state, count in sorted(by_state.items()))
        console.print(say(f"Alerts: {counts}.", "cli.alerts", counts=counts))
    for target in statistics.targets:
        message = (
            f"Deliveries to {target.target}: {target.delivered} delivered, {target.waiting} waiting, "
            f"{target.dead} dead."
        )
        values = {"target": target.target, "delivered": target.delivered}
        values |= {"waiting": target.waiting, "dead": target.dead}
        console.print(say(message, "cli.deliveries", **values), markup=False)


def _print_check(console: Console, statistics: ServiceStatistics, now: dt.datetime) -> None:
    if statistics.integrity is None or statistics.integrity.checked_at is None:
        console.print(say("Last check of stored objects: never.", "cli.never_checked"))
    else:
        since = ago(statistics.integrity.checked_at, now)
        console.print(say(f"Last check of stored objects: {since} ago.", "cli.last_check", since=since))


def _print_audit(console: Console, statistics: ServiceStatistics, now: dt.datetime) -> None:
    audit = statistics.audit
    if audit is None:
        console.print(say("Last audit of the alerts' logs: never.", "cli.never_audited"))
        return
    since = ago(audit.finished_at, now)
    verified = f"{audit.alerts} alerts with {audit.transitions} transitions"
    result = f"{audit.broken} broken" if audit.broken else "all intact"
    message = f"Last audit of the alerts' logs: {since} ago, {verified}, {result}."
    values = {"since": since, "alerts": audit.alerts, "transitions": audit.transitions, "broken": audit.broken}
    console.print(say(message, "cli.last_audit", **values))


def _to_json(
    statistics: ServiceStatistics, scans: list[RunningScan], dead: list[Job], problems: list[str], warnings: list[str]
) -> str:
    extra = {
        "version": program_version(),
        "jobs": [{"kind": k, "state": s, "count": n} for (k, s), n in statistics.jobs.items()],
        "alerts": [{"state": s, "kind": k, "count": n} for (s, k), n in statistics.alerts.items()],
        "processes": dict(statistics.processes),
        "running_scans": [asdict(scan) for scan in scans],
        "dead_jobs": [{"id": job.id, "kind": job.kind, "error": job.error} for job in dead],
        "needs_a_person": problems,
        "warnings": warnings,
    }
    return json_text.dumps(asdict(statistics) | extra, ensure_ascii=False, indent=1, default=str)
