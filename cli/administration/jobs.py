"""``tuban jobs`` and ``tuban revive``: list jobs, and retry dead ones."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from cli.administration.service import open_service
from cli.language import say, term
from cli.listing import Column, Field, JsonOption, Listing, Row, column, print_listing
from errors import SettingsError
from store.jobs.queue import list_jobs
from store.jobs.queue import revive as revive_job
from store.schema.tables import Job


class State(StrEnum):
    """State of a job."""

    waiting = "waiting"
    running = "running"
    done = "done"
    dead = "dead"


def ago(moment: dt.datetime | None, now: dt.datetime) -> str:
    """Format the time since ``moment`` in one unit, ``4 min``; a future moment as ``in 4 min``; None as ""."""
    if moment is None:
        return ""
    seconds = (now - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if abs(seconds) >= length or unit == "s":
            count = f"{abs(seconds) / length:.0f}"
            span = say(f"{count} {unit}", f"cli.unit_{unit}", count=count)
            return span if seconds >= 0 else say(f"in {span}", "cli.in_future", span=span)
    return ""


def _row(job: Job, now: dt.datetime) -> Row:
    moment = {"waiting": job.run_after, "running": job.started_at}.get(job.state, job.finished_at)
    return {
        "id": job.id,
        "kind": job.kind,
        "queue": job.queue,
        "state": job.state,
        "progress": job.progress,
        "attempts": job.attempts,
        "payload": job.payload,
        "error": job.error,
        "created_at": job.created_at,
        "run_after": job.run_after,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "since": ago(moment, now),  # only in the table
    }


JOBS = Listing(
    "jobs",
    (
        Field("id", "integer", "Number of the job."),
        Field("kind", "text", "Kind, like scan.blocks."),
        Field("queue", "text", "ingest, scan, deliver or capture."),
        Field("state", "text", "waiting, running, done or dead."),
        Field("progress", "number", "Completed share of a running job, 0 to 1."),
        Field("attempts", "integer", "Number of attempts."),
        Field("payload", "object", "Arguments of the job."),
        Field("error", "text", "Error of the last attempt."),
        Field("created_at", "moment", "When it was added."),
        Field("run_after", "moment", "Earliest start."),
        Field("started_at", "moment", "Start of the last attempt.", optional=True),
        Field("finished_at", "moment", "When it ended.", optional=True),
    ),
    (
        column("job", "id"),
        column("kind"),
        Column(
            "state",
            lambda row: term("job", row["state"]) + (f" {row['progress']:.0%}" if row["state"] == "running" else ""),
        ),
        column("attempts"),
        column("since"),
        Column("payload", lambda row: " ".join(f"{name}={value}" for name, value in row["payload"].items())),
        column("error"),
    ),
)


def jobs(
    state: Annotated[State | None, typer.Option(help="Only jobs in this state; default: all except done.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only jobs of this queue: ingest, scan or deliver.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs, newest first.")] = 50,
    json: JsonOption = False,
) -> None:
    """List waiting, running and dead jobs, with the error of each dead one.

    A dead job has failed every attempt. Remove the cause, then retry it with `tuban revive NUMBER`.
    """
    with open_service() as context:
        now = context.clock()
        with context.database.read() as session:
            states = [state.value] if state else ["dead", "running", "waiting"]
            listed = [job for one in states for job in list_jobs(session, state=one, queue=queue, limit=limit)][:limit]
    rows = [_row(job, now) for job in listed]
    no_jobs = say("No such jobs.", "cli.no_jobs")
    print_listing(JOBS, rows, context.settings.zone, as_json=json, if_empty=no_jobs)


def revive(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Numbers of dead jobs, from `tuban jobs --state dead`.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Retry every dead job.")] = False,
) -> None:
    """Retry dead jobs, with a new count of attempts.

    Example: tuban revive 12 13
    """
    if bool(numbers) == every:
        raise SettingsError("Give the numbers of the jobs to retry (tuban revive 12 13), or --all.", "cli.which_jobs")
    rejected = []
    with open_service() as context:
        with context.database.read() as session:
            requested = numbers or [job.id for job in list_jobs(session, state="dead", limit=100_000)]
        for number in requested:  # one transaction each, to keep the lock order: a scan before its night
            with context.database.write() as session:
                if not revive_job(session, number, context.clock()):
                    rejected.append(number)
    console = Console(highlight=False, soft_wrap=True)
    count = len(requested) - len(rejected)
    console.print(say(f"{count} revived.", "cli.revived", count=count))
    if rejected:
        numbers_text = ", ".join(map(str, rejected))
        raise SettingsError(
            f"Not dead, or no such job: {numbers_text}. `tuban jobs --state dead` lists the jobs that can be revived.",
            "cli.not_dead",
            numbers=numbers_text,
        )
