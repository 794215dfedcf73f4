"""``tuban jobs`` and ``tuban revive``: what waits, runs and failed, and letting it be tried again."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.administration.service import service
from errors import SettingsError
from service.publishing import publishing
from store.jobs.queue import list_jobs
from store.jobs.queue import revive as revive_job
from store.schema.tables import Job


class State(StrEnum):
    """What a job can be."""

    waiting = "waiting"
    running = "running"
    done = "done"
    dead = "dead"


def ago(moment: dt.datetime | None, now: dt.datetime) -> str:
    """How long ago, in one unit: ``4 min``; a moment to come is ``in 4 min``."""
    if moment is None:
        return ""
    seconds = (now - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if abs(seconds) >= length or unit == "s":
            words = f"{abs(seconds) / length:.0f} {unit}"
            return words if seconds >= 0 else f"in {words}"
    return ""


def _row(job: Job, now: dt.datetime) -> list[str]:
    moment = {"waiting": job.run_after, "running": job.started_at}.get(job.state, job.finished_at)
    done = f" {job.progress:.0%}" if job.state == "running" else ""
    about = " ".join(f"{name}={value}" for name, value in job.payload.items())
    # as text: brackets in an error are no markup
    return [
        str(job.id),
        job.kind,
        job.state + done,
        str(job.attempts),
        ago(moment, now),
        escape(about),
        escape(job.error),
    ]


def jobs(
    state: Annotated[State | None, typer.Option(help="Only these; default: all but done ones.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only of this queue: ingest, scan or deliver.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 50,
) -> None:
    """List jobs: what waits, what runs, what is dead and why.

    A dead job failed every attempt; when its cause is gone, `tuban revive NUMBER` lets it be tried again.
    """
    with service() as context:
        now = context.clock()
        with context.database.read() as session:
            states = [state.value] if state else ["dead", "running", "waiting"]
            found = [job for one in states for job in list_jobs(session, state=one, queue=queue, limit=limit)][:limit]
    words = Console(highlight=False)
    if not found:
        words.print("No such jobs.")
        return
    table = Table("job", "kind", "state", "attempts", "since", "about", "error")
    for job in found:
        table.add_row(*_row(job, now))
    words.print(table)


def revive(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Dead jobs, as `tuban jobs --state dead` lists them.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every dead job.")] = False,
) -> None:
    """Let dead jobs be tried again, from their first attempt."""
    if bool(numbers) == every:
        raise SettingsError("Name the jobs to revive (tuban revive 12 13), or give --all.")
    refused = []
    with service() as context:
        with context.database.read() as session:
            wanted = numbers or [job.id for job in list_jobs(session, state="dead", limit=100_000)]
        for number in wanted:  # each by itself: a scan is locked before its night, also where there are several scans
            with publishing(context.database, context.settings) as session:
                if not revive_job(session, number, context.clock()):
                    refused.append(number)
    words = Console(highlight=False, soft_wrap=True)
    words.print(f"{len(wanted) - len(refused)} revived.")
    if refused:
        listed = ", ".join(map(str, refused))
        raise SettingsError(
            f"Not dead, or no job at all: {listed}. `tuban jobs --state dead` lists what can be revived."
        )
