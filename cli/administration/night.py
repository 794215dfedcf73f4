"""``tuban night``: show the last nightly scans and the ground they could not compare; with ``--now``, plan one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from cli.administration.service import open_service
from cli.language import and_more, in_language, say, term
from cli.listing import Column, Field, JsonOption, Listing, Row, column, print_listing
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
    json: JsonOption = False,
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
            found = recent_nights(session, nights)
            rows = [_row(session, each) for each in found]
            none = "No night was planned yet. The schedule of `tuban up` plans one, or `tuban night --now`."
            if_empty = say(none, "cli.no_night")
            print_listing(NIGHTS, rows, context.settings.zone, as_json=json, if_empty=if_empty)
            if found and not json:
                _print_details(session, found[0])


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


def _row(session: Session, night: Night) -> Row:
    summary = night_summary(session, night)
    return {
        "day": night.day,
        "state": night.state,
        "begun_at": night.begun_at,
        "finished_at": night.finished_at,
        "scans": summary["states"],
        "compared_m2": summary["looked_at_m2"],
        "changes": summary["changes"],
        "alerts": summary["alerts"],
        "uncompared_m2": sum(ground["area_m2"] for ground in summary["uncompared"]),
        "uncompared": [
            {name: ground[name] for name in ("reason", "pieces", "area_m2")} for ground in summary["uncompared"]
        ],
    }


def _scans(row: Row) -> str:
    states = [f"{number} {term('scans.', state).replace('_', ' ')}" for state, number in row["scans"].items()]
    return ", ".join(states) or say("nothing new", "cli.nothing_new")


def _alerts(row: Row) -> list[str]:
    counts = row["alerts"]
    return [f"{counts[key]} {say(label, f'cli.alert_{key}')}" for key, label in OUTCOME_LABELS.items() if key in counts]


def _uncompared(row: Row) -> str:
    area = mu(row["uncompared_m2"])
    return say(f"{area:.1f} mu", "cli.mu", mu=area) if area else ""


NIGHTS = Listing(
    "night",
    (
        Field("day", "day", "Local date on which the night begins."),
        Field("state", "text", "planning, scanning or done."),
        Field("begun_at", "moment", "When it was planned."),
        Field("finished_at", "moment", "When its last scan ended.", optional=True),
        Field("scans", "object", "Number of scans by state."),
        Field("compared_m2", "number", "Compared ground, m²."),
        Field("changes", "integer", "Number of detected changes."),
        Field("alerts", "object", "Number of changes by outcome: new, again, returned, suppressed …"),
        Field("uncompared_m2", "number", "Ground that could not be compared, m²; this does not mean unchanged."),
        Field("uncompared", "list", "The same by reason: reason, pieces, area_m2."),
    ),
    (
        column("night", "day"),
        Column("state", lambda row: term("nights.state_", row["state"])),
        Column("scans", _scans),
        Column("compared", lambda row: f"{row['compared_m2'] / 1e6:.3f} km²"),
        column("changes"),
        Column("alerts", _alerts),
        Column("could not be compared", _uncompared),
    ),
)


def _print_details(session: Session, night: Night) -> None:
    console = Console(highlight=False)
    if night.state == "scanning":
        message = f"The night of {night.day} is in progress: the workers of `tuban up` run its scans."
        console.print(say(message, "cli.night_running", day=night.day))
    _print_uncompared(console, session, night)


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
