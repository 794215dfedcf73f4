"""``tuban audit``: verify that the logs of all alerts are as they were written."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.administration.service import service
from service.context import Context
from store.alerts.audit import Audit, audit_alert, audit_alerts, record_audit
from store.alerts.audit import Progress as Told
from workers.audit import log_audit


def audit(
    alert: Annotated[str | None, typer.Option(help="Only the alert of this number; the result is not kept.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
) -> None:
    """Verify the log of every alert: each transition's hash, its link to the one before, and the alert's state.

    Found are transitions that were changed, inserted or removed behind the software, and an alert in another state
    than its last transition. The schedule does the same once a week; `tuban status` shows the last result.

    Exit code 0: every log is as it was written. 1: a log is broken. 2: there is no such alert, or no database.
    """
    with service() as context:
        found = _audit_all(context) if alert is None else audit_alert(context.database, alert)
    if json:
        typer.echo(json_text.dumps({"whole": found.whole, **asdict(found)}, ensure_ascii=False, indent=1))
    else:
        _show(found)
    raise typer.Exit(0 if found.whole else 1)


def _audit_all(context: Context) -> Audit:
    begun_at = context.clock()
    with _progress() as progress:
        found = audit_alerts(context.database, progress=progress)
    log_audit(found)
    with context.database.write() as session:
        record_audit(session, found, begun_at=begun_at, now=context.clock(), origin="command")
    return found


@contextmanager
def _progress() -> Iterator[Told]:
    """A bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("Verifying alerts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("alerts", total=None)
        yield lambda verified, total: bar.update(task, completed=verified, total=total)


def _show(found: Audit) -> None:
    words = Console(highlight=False, soft_wrap=True, markup=False)
    verified = f"{found.alerts:,} alerts with {found.transitions:,} transitions verified"
    if found.whole:
        words.print(f"{verified}: every log is as it was written.")
        return
    for chain in found.listed:
        words.print(f"{chain.number or '(removed alert)'}: {chain.reason}.", style="red")
    if found.broken > len(found.listed):
        words.print(f"… and {found.broken - len(found.listed):,} more.", style="red")
    words.print(f"{verified}: {found.broken:,} logs are broken.", style="red")
