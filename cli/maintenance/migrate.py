"""``tuban migrate``: migrate the database schema."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console

from cli.language import say
from configs.service import read_service
from errors import SettingsError
from service.logs import set_up_logging
from store.backup.safe_migration import safe_downgrade, safe_upgrade
from store.objects.factory import open_object_store
from store.schema.database import Database
from store.schema.migrate import current_revision


def migrate(
    to: Annotated[str, typer.Option(help="Target revision; with --down, one of an earlier version.")] = "head",
    down: Annotated[bool, typer.Option("--down", help="Downgrade to --to, while the service is stopped.")] = False,
    lose: Annotated[
        str, typer.Option(help="With --down: tables and columns whose content may be deleted, separated by commas.")
    ] = "",
    with_backup: Annotated[
        bool, typer.Option("--backup/--no-backup", help="Back up the database to backups/ in the home folder first.")
    ] = True,
) -> None:
    """Migrate the database to the schema of this version.

    `tuban up` does this at start. With several machines, run it once before the workers start. The database is backed
    up first; `tuban restore ARCHIVE --overwrite` restores that backup.

    Example: tuban migrate --down --to 0007 --lose cameras,alerts.assignee
    """
    settings = read_service()
    set_up_logging(settings)
    now = dt.datetime.now(dt.UTC)
    database = Database(settings.database_url)
    try:
        if down:
            if not with_backup:
                raise SettingsError(
                    "--down deletes content, so its backup cannot be skipped. Omit --no-backup.", "cli.down_backup"
                )
            named = {name.strip() for name in lose.split(",") if name.strip()}
            archive = safe_downgrade(settings, database, to=to, lose=named, now=now)
        else:
            objects = open_object_store(settings)
            archive = safe_upgrade(settings, database, objects, to=to, now=now, with_backup=with_backup)
        address = database.engine.url.render_as_string(hide_password=True)
        console = Console(highlight=False, soft_wrap=True)
        if archive is not None:
            message = f"The database was backed up to {archive}."
            console.print(say(message, "cli.backed_up", file=str(archive)), markup=False)
        revision = current_revision(database) or say("none", "cli.none")
        message = f"{address} is at revision {revision}."
        console.print(say(message, "cli.revision", address=address, revision=revision), markup=False)
    finally:
        database.close()
