"""``tuban migrate``: migrate the database schema."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from configs.service import read_service
from store.schema.database import Database
from store.schema.migrate import current_revision, downgrade, upgrade


def migrate(
    to: Annotated[str, typer.Option(help="Target revision; with --down, one of an earlier version.")] = "head",
    down: Annotated[
        bool, typer.Option("--down", help="Downgrade to --to. Data of newer tables is lost: make a backup first.")
    ] = False,
) -> None:
    """Migrate the database to the schema of this version.

    `tuban up` does this at start. With several machines, run it once before the workers start.
    """
    database = Database(read_service().database_url)
    try:
        (downgrade if down else upgrade)(database, to)
        address = database.engine.url.render_as_string(hide_password=True)
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"{address} is at revision {current_revision(database) or 'none'}.")
    finally:
        database.close()
