"""``tuban restore-drill``: restore a backup into a scratch home, check it, and compare it with the running service."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.exit_codes import ATTENTION, SUCCESS
from cli.language import headed, in_language, say
from configs.service import read_service
from store.backup.drill import restore_drill


def drill(
    archive: Annotated[Path, typer.Argument(help="File written by `tuban backup`.")],
    folder: Annotated[
        Path | None, typer.Option(help="Folder with space for the backup; default: the temporary folder.")
    ] = None,
    database: Annotated[
        str, typer.Option(help="Empty PostgreSQL database to restore into; not needed with SQLite.")
    ] = "",
) -> None:
    """Restore a backup into a scratch home that is deleted afterwards, and check that nothing is missing.

    Every object, row and log of the copy is verified, and compared with the running service, which is only read.

    Example: tuban restore-drill /backup/tuban-2026-11-20.tar --folder /data/scratch

    Exit codes: 0 the backup can be relied on, 1 something is missing or differs, 2 wrong arguments.
    """
    settings = read_service()
    result = restore_drill(settings, archive, folder=folder, database_url=database, now=dt.datetime.now(dt.UTC))
    console = Console(highlight=False, soft_wrap=True, markup=False)
    created_at = f"{result.summary.created_at.astimezone(settings.zone):%Y-%m-%d %H:%M}"
    message = f"{archive}, backed up {created_at}: {result.summary.objects} objects restored and verified."
    values = {"file": str(archive), "at": created_at, "objects": result.summary.objects}
    console.print(say(message, "cli.drilled", **values))
    table = headed("table", "rows in the backup", "rows now")
    for name, (before, now) in result.rows.items():
        table.add_row(name, str(before), str(now))
    console.print(table)
    for problem in result.problems:
        console.print(f"{in_language(problem)}.", style="red")
    if not result.problems:
        console.print(say("The backup can be relied on.", "cli.reliable"))
    raise typer.Exit(ATTENTION if result.problems else SUCCESS)
