"""``tuban backup`` and ``tuban restore``: the whole state of the service as one tar file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.language import say
from configs.service import read_service
from store.backup.backup import BackupSummary
from store.backup.backup import backup as create_backup
from store.backup.backup import restore as restore_backup


def backup(
    out: Annotated[Path, typer.Argument(help="New file to write, for example /backup/tuban-2026-11-20.tar.")],
    allow_damage: Annotated[
        bool, typer.Option("--allow-damage", help="Write the backup although objects are missing or damaged.")
    ] = False,
) -> None:
    """Write the database and all object files into one tar file with checksums. The service may keep running.

    Every object is compared with its checksum. Not included: settings, shipped weights, delivered files of the drop
    folder, and the keys camera_key, tip_key and signing_key.pem.

    Example: tuban backup /backup/tuban-2026-11-20.tar
    """
    summary = create_backup(read_service(), out, now=dt.datetime.now(dt.UTC), allow_damage=allow_damage)
    Console(highlight=False, soft_wrap=True).print(f"{out}: {_describe(summary)}.", markup=False)


def restore(
    archive: Annotated[Path, typer.Argument(help="File written by `tuban backup`.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the existing database and objects.")] = False,
) -> None:
    """Restore a backup into an empty home folder and database. Stop the service first.

    All checksums are verified before anything is written.
    """
    settings = read_service()
    summary = restore_backup(settings, archive, overwrite=overwrite, now=dt.datetime.now(dt.UTC))
    console = Console(highlight=False, soft_wrap=True)
    created_at = f"{summary.created_at.astimezone(settings.zone):%Y-%m-%d %H:%M}"
    content = _describe(summary)
    message = f"Restored: {content}, backed up {created_at}."
    console.print(say(message, "cli.restored", content=content, at=created_at), markup=False)
    if summary.outdated:
        message = "The backup has the schema of an earlier version; `tuban up` or `tuban migrate` migrates it."
        console.print(say(message, "cli.old_schema"))


def _describe(summary: BackupSummary) -> str:
    size = summary.size / 2**20
    message = f"the database (revision {summary.revision}) and {summary.objects} objects, {size:.1f} MiB"
    return say(message, "cli.backup_content", revision=summary.revision, objects=summary.objects, size=size)
