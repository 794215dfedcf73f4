"""``tuban check``: verify stored objects, rows and hash chains, and repair objects from a backup."""

from __future__ import annotations

import json as json_text
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.administration.service import open_service
from cli.exit_codes import ATTENTION, SUCCESS
from cli.language import in_language, say
from store.backup.repair import repair_objects
from store.integrity.check import check_chains, check_objects, check_rows, record_check
from store.reports.report_rows import check_report_chains
from workers.integrity import log_check


def check(
    repair: Annotated[
        Path | None,
        typer.Option(help="Backup from which missing and damaged objects are restored, if its copies are intact."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Verify every stored object against its checksum, read every row, and verify the log of every alert.

    The schedule does the same a little each night (setting `check`). A damaged image is quarantined: nothing is
    compared with it until it is repaired, and the pages of alerts that rest on it say so.

    Example: tuban check --repair /backup/tuban-2026-11-20.tar

    Exit codes: 0 everything is intact, 1 something is missing or damaged, 2 there is no database or no such backup.
    """
    with open_service() as context:
        begun_at = context.clock()
        result = check_objects(context.database, context.objects)
        if repair is not None and result.damaged:
            restored = repair_objects(context.objects, repair, context.database, [each.key for each in result.damaged])
            if not json:
                message = f"{len(restored)} of {len(result.damaged)} damaged objects restored from {repair}."
                values = {"restored": len(restored), "damaged": len(result.damaged), "file": str(repair)}
                typer.echo(say(message, "cli.repaired", **values))
            result = check_objects(context.database, context.objects)
        problems = check_rows(context.database) + check_chains(context.database)
        problems += check_report_chains(context.database)
        log_check(result.damaged, problems, result.objects, result.size)
        with context.database.write() as session:
            record_check(session, result, problems, origin="command", begun_at=begun_at, now=context.clock())
    if json:
        summary = {"objects": result.objects, "bytes": result.size, "damaged": [asdict(one) for one in result.damaged]}
        typer.echo(json_text.dumps({**summary, "problems": problems}, ensure_ascii=False, indent=1))
    else:
        console = Console(highlight=False, soft_wrap=True, markup=False)
        for line in [*(damage.detail for damage in result.damaged), *problems]:
            console.print(f"{in_language(line)}.", style="red")
        intact = say("everything is intact", "cli.intact")
        state = say("see above for what is damaged", "cli.damaged") if result.damaged or problems else intact
        size = result.size / 2**20
        message = f"{result.objects:,} objects, {size:,.1f} MiB, all rows and logs checked: {state}."
        console.print(say(message, "cli.checked", objects=result.objects, size=size, state=state))
    raise typer.Exit(ATTENTION if result.damaged or problems else SUCCESS)
