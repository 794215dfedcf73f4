"""``tuban audit``: verify the hash chains of all alerts' logs."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.administration.service import open_service
from cli.exit_codes import ATTENTION, SUCCESS
from cli.language import and_more, in_language, say
from service.context import Context
from store.alerts.audit import Audit, audit_alert, audit_alerts, record_audit
from store.alerts.audit import Progress as ProgressCallback
from workers.audit import log_audit


def audit(
    alert: Annotated[
        str | None, typer.Option(help="Verify only the alert with this number; the result is not recorded.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Verify the log of every alert: the hash of each transition, its link to the previous one, and the alert's state.

    This detects transitions that were changed, inserted or removed outside the software, and an alert whose state
    differs from its last transition. The schedule does the same once a week; `tuban status` shows the last result.

    Exit codes: 0 every log is intact, 1 a log is broken, 2 there is no such alert or no database.
    """
    with open_service() as context:
        result = _audit_all(context) if alert is None else audit_alert(context.database, alert)
    if json:
        typer.echo(json_text.dumps({"whole": result.intact, **asdict(result)}, ensure_ascii=False, indent=1))
    else:
        _print_result(result)
    raise typer.Exit(SUCCESS if result.intact else ATTENTION)


def _audit_all(context: Context) -> Audit:
    begun_at = context.clock()
    with _progress() as progress:
        result = audit_alerts(context.database, progress=progress)
    log_audit(result)
    with context.database.write() as session:
        record_audit(session, result, begun_at=begun_at, now=context.clock(), origin="command")
    return result


@contextmanager
def _progress() -> Iterator[ProgressCallback]:
    """Show a progress bar on standard error if that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn(say("Verifying alerts", "cli.verifying")),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("alerts", total=None)
        yield lambda verified, total: bars.update(task, completed=verified, total=total)


def _print_result(result: Audit) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    message = f"{result.alerts:,} alerts with {result.transitions:,} transitions verified"
    verified = say(message, "cli.verified", alerts=result.alerts, transitions=result.transitions)
    if result.intact:
        console.print(say(f"{verified}: every log is intact.", "cli.logs_intact", verified=verified))
        return
    for chain in result.listed:
        number = chain.number or say("(removed alert)", "cli.removed_alert")
        console.print(f"{number}: {in_language(chain.reason)}.", style="red")
    if result.broken > len(result.listed):
        console.print(f"{and_more(result.broken - len(result.listed))}.", style="red")
    message = f"{verified}: {result.broken:,} logs are broken."
    console.print(say(message, "cli.logs_broken", verified=verified, broken=result.broken), style="red")
