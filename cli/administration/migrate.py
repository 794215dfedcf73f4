"""``tuban migrate``: the database's tables as this version needs them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from configs.service import read_service
from store.schema.database import Database
from store.schema.migrate import current_revision, downgrade, upgrade


def migrate(
    to: Annotated[str, typer.Option(help="A revision of an earlier version, to go back to it.")] = "head",
    down: Annotated[
        bool, typer.Option("--down", help="Go back to --to. What only newer tables hold is lost: make a backup first.")
    ] = False,
) -> None:
    """Bring the database to the tables that this version works with.

    `tuban up` does so by itself; on many machines, call it once before the workers start.
    """
    database = Database(read_service().database_url)
    try:
        (downgrade if down else upgrade)(database, to)
        Console(highlight=False, soft_wrap=True).print(
            f"{database.engine.url.render_as_string(hide_password=True)} is at revision {current_revision(database) or 'none'}."
        )
    finally:
        database.close()
