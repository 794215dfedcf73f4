"""``tuban backup`` and ``tuban restore``: everything that the service keeps, as one file, and back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from configs.service import read_service
from store.backup.backup import BackupSummary
from store.backup.backup import backup as make_backup
from store.backup.backup import restore as restore_backup


def backup(
    out: Annotated[Path, typer.Argument(help="The file to write, like /backup/tuban-2026-11-20.tar; not there yet.")],
) -> None:
    """Write the database and all object files into one tar with checksums. The service may run meanwhile.

    Settings, weights and what was delivered into the drop folder are not in it.
    """
    made = make_backup(read_service(), out, now=dt.datetime.now(dt.UTC))
    Console(highlight=False, soft_wrap=True).print(f"{out}: {_sum(made)}.", markup=False)


def restore(
    archive: Annotated[Path, typer.Argument(help="A file of `tuban backup`.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the database and the objects that are there.")
    ] = False,
) -> None:
    """Bring back what a backup holds, into an empty home and database. Stop the service first.

    Every checksum is looked at before anything is written.
    """
    settings = read_service()
    found = restore_backup(settings, archive, overwrite=overwrite, now=dt.datetime.now(dt.UTC))
    words = Console(highlight=False, soft_wrap=True)
    made_at = f"{found.made_at.astimezone(settings.zone):%Y-%m-%d %H:%M}"
    words.print(f"Restored: {_sum(found)}, of {made_at}.", markup=False)
    if found.outdated:
        words.print("Its tables are those of an earlier version; `tuban up` or `tuban migrate` migrates them.")


def _sum(summary: BackupSummary) -> str:
    return f"the database (revision {summary.revision}) and {summary.objects} objects, {summary.size / 2**20:.1f} MiB"
