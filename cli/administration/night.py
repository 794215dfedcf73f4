"""``tuban night``: the last nights and what they could not compare; with ``--now`` one at once."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.administration.service import service
from enforcement.units import mu
from errors import TubanError
from service.context import Context
from service.scan_jobs import add_night_job
from store.scans.nights import night_summary, recent_nights, uncompared_ground
from store.schema.database import Session
from store.schema.tables import Job, Night
from workers.runtime.job_runner import run_job

LONGEST_LIST = 20
ALERTS = {
    "new": "new",
    "again": "seen again",
    "returned": "came back",
    "suppressed": "under approvals",
    "still_rejected": "rejected before",
    "over_cap": "over the cap",
}


def night(
    now: Annotated[bool, typer.Option("--now", help="Plan a night at once, for what came in since the last.")] = False,
    nights: Annotated[int, typer.Option(min=1, help="How many to show, the newest first.")] = 7,
) -> None:
    """Show the last nights: what was compared, what was found, and what ground could not be compared and why.

    With --now, everything that is new is planned at once, as the schedule does it each night; the workers of
    `tuban up` then compare it.
    """
    with service() as context:
        if now:
            plan_now(context)
        with context.database.read() as session:
            _show(session, recent_nights(session, nights), context)


def plan_now(context: Context) -> None:
    """Plan a night at once, in this process; workers do its scans.

    Raises:
        TubanError: it could not be planned; the message says why.
    """
    moment = context.clock()
    with context.database.write() as session:
        job_id = add_night_job(session, moment.astimezone(context.settings.zone).date(), moment, again=True)
    assert job_id is not None  # its key holds the moment
    outcome = run_job(context, job_id)
    if outcome != "done":
        with context.database.read() as session:
            error = session.get_one(Job, job_id).error
        raise TubanError(f"The night could not be planned (job {job_id}: {outcome}). {error}".strip())


def _show(session: Session, shown: list[Night], context: Context) -> None:
    words = Console(highlight=False)
    if not shown:
        words.print("No night was planned yet. The schedule of `tuban up` does it, or `tuban night --now`.")
        return
    table = Table("night", "state", "scans", "compared", "changes", "alerts", "could not be compared")
    for one in shown:
        summary = night_summary(session, one)
        states = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in summary["states"].items())
        alerts = ", ".join(
            f"{summary['alerts'][key]} {text}" for key, text in ALERTS.items() if key in summary["alerts"]
        )
        lost = sum(ground["area_m2"] for ground in summary["uncompared"])
        table.add_row(
            one.day.isoformat(),
            one.state,
            states or "nothing new",
            f"{summary['looked_at_m2'] / 1e6:.3f} km²",
            str(summary["changes"]),
            alerts,
            f"{mu(lost):.1f} mu" if lost else "",
        )
    words.print(table)
    if shown[0].state == "scanning":
        words.print(f"The night of {shown[0].day} goes on: its scans are done by the workers of `tuban up`.")
    _show_ground(words, session, shown[0])


def _show_ground(words: Console, session: Session, one: Night) -> None:
    ground = uncompared_ground(session, one.id)
    if not ground:
        return
    words.print(f"Not compared in the night of {one.day}, which is not the same as unchanged:")
    for piece, name in ground[:LONGEST_LIST]:
        words.print(
            f"  {mu(piece.area_m2):,.1f} mu ({piece.area_m2:,.0f} m²) of {name}: {piece.reason}", soft_wrap=True
        )
    if len(ground) > LONGEST_LIST:
        words.print(f"  … and {len(ground) - LONGEST_LIST} more")
