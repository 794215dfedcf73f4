"""``tuban night``: show the last nightly scans and the ground they could not compare; with ``--now``, plan one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from cli.administration.service import open_service
from cli.language import and_more, headed, in_language, say, term
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
        raise TubanError(
            f"The night could not be planned (job {job_id}: {outcome}). {error}".strip(),
            "cli.night_failed",
            job=job_id,
            error=error,
        )


def _print_nights(session: Session, nights: list[Night]) -> None:
    console = Console(highlight=False)
    if not nights:
        console.print(
            say(
                "No night was planned yet. The schedule of `tuban up` plans one, or `tuban night --now`.",
                "cli.no_night",
            )
        )
        return
    table = headed("night", "state", "scans", "compared", "changes", "alerts", "could not be compared")
    for night in nights:
        summary = night_summary(session, night)
        states = ", ".join(
            f"{number} {term('scans.', state).replace('_', ' ')}" for state, number in summary["states"].items()
        )
        alerts = ", ".join(
            f"{summary['alerts'][key]} {say(label, f'cli.alert_{key}')}"
            for key, label in OUTCOME_LABELS.items()
            if key in summary["alerts"]
        )
        uncompared = sum(ground["area_m2"] for ground in summary["uncompared"])
        table.add_row(
            night.day.isoformat(),
            term("nights.state_", night.state),
            states or say("nothing new", "cli.nothing_new"),
            f"{summary['looked_at_m2'] / 1e6:.3f} km²",
            str(summary["changes"]),
            alerts,
            say(f"{mu(uncompared):.1f} mu", "cli.mu", mu=mu(uncompared)) if uncompared else "",
        )
    console.print(table)
    if nights[0].state == "scanning":
        message = f"The night of {nights[0].day} is in progress: the workers of `tuban up` run its scans."
        console.print(say(message, "cli.night_running", day=nights[0].day))
    _print_uncompared(console, session, nights[0])


def _print_uncompared(console: Console, session: Session, night: Night) -> None:
    ground = uncompared_ground(session, night.id)
    if not ground:
        return
    message = f"Not compared in the night of {night.day} (this does not mean unchanged):"
    console.print(say(message, "cli.not_compared", day=night.day))
    for piece, name in ground[:MAX_LISTED]:
        area_mu, reason = mu(piece.area_m2), in_language(piece.reason, piece.why)
        message = f"{area_mu:,.1f} mu ({piece.area_m2:,.0f} m²) of {name}: {reason}"
        values = {"mu": area_mu, "area": piece.area_m2, "name": name, "reason": reason}
        console.print("  " + say(message, "cli.uncompared", **values), soft_wrap=True)
    if len(ground) > MAX_LISTED:
        console.print("  " + and_more(len(ground) - MAX_LISTED))
