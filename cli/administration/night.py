"""``tuban night``: show the last nightly scans and the ground they could not compare; with ``--now``, plan one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.administration.service import open_service
from enforcement.units import mu
from errors import TubanError
from service.context import Context
from service.scan_jobs import add_night_job
from store.scans.nights import night_summary, recent_nights, uncompared_ground
from store.schema.database import Session
from store.schema.tables import Job, Night
from workers.runtime.job_runner import run_job

MAX_LISTED = 20
OUTCOME_LABELS = {
    "new": "new",
    "again": "seen again",
    "returned": "came back",
    "suppressed": "under approvals",
    "still_rejected": "rejected before",
    "over_cap": "over the cap",
}


def night(
    now: Annotated[
        bool, typer.Option("--now", help="Plan a nightly scan now, for everything received since the last one.")
    ] = False,
    nights: Annotated[int, typer.Option(min=1, help="Number of nights to show, newest first.")] = 7,
) -> None:
    """Show the last nightly scans: compared area, changes, alerts, and the ground that could not be compared.

    With --now, all new images are planned at once, as the schedule does every night; the workers of `tuban up` then
    compare them.

    Example: tuban night --now
    """
    with open_service() as context:
        if now:
            plan_now(context)
        with context.database.read() as session:
            _print_nights(session, recent_nights(session, nights))


def plan_now(context: Context) -> None:
    """Plan a nightly scan in this process; workers run its scans.

    Raises:
        TubanError: the planning job failed; the message has the reason.
    """
    moment = context.clock()
    with context.database.write() as session:
        job_id = add_night_job(session, moment.astimezone(context.settings.zone).date(), moment, again=True)
    assert job_id is not None  # never a duplicate: the unique key contains the time
    outcome = run_job(context, job_id)
    if outcome != "done":
        with context.database.read() as session:
            error = session.get_one(Job, job_id).error
        raise TubanError(f"The night could not be planned (job {job_id}: {outcome}). {error}".strip())


def _print_nights(session: Session, nights: list[Night]) -> None:
    console = Console(highlight=False)
    if not nights:
        console.print("No night was planned yet. The schedule of `tuban up` plans one, or `tuban night --now`.")
        return
    table = Table("night", "state", "scans", "compared", "changes", "alerts", "could not be compared")
    for night in nights:
        summary = night_summary(session, night)
        states = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in summary["states"].items())
        alerts = ", ".join(
            f"{summary['alerts'][key]} {text}" for key, text in OUTCOME_LABELS.items() if key in summary["alerts"]
        )
        uncompared = sum(ground["area_m2"] for ground in summary["uncompared"])
        table.add_row(
            night.day.isoformat(),
            night.state,
            states or "nothing new",
            f"{summary['looked_at_m2'] / 1e6:.3f} km²",
            str(summary["changes"]),
            alerts,
            f"{mu(uncompared):.1f} mu" if uncompared else "",
        )
    console.print(table)
    if nights[0].state == "scanning":
        console.print(f"The night of {nights[0].day} is in progress: the workers of `tuban up` run its scans.")
    _print_uncompared(console, session, nights[0])


def _print_uncompared(console: Console, session: Session, night: Night) -> None:
    ground = uncompared_ground(session, night.id)
    if not ground:
        return
    console.print(f"Not compared in the night of {night.day} (this does not mean unchanged):")
    for piece, name in ground[:MAX_LISTED]:
        console.print(
            f"  {mu(piece.area_m2):,.1f} mu ({piece.area_m2:,.0f} m²) of {name}: {piece.reason}", soft_wrap=True
        )
    if len(ground) > MAX_LISTED:
        console.print(f"  … and {len(ground) - MAX_LISTED} more")
