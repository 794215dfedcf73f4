"""``tuban move``: move a service to another database and object store."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.language import say
from cli.progress import scan_progress
from configs.service import read_service
from errors import SettingsError
from service.home import prepare_home
from service.instance import lock_home
from service.logs import set_up_logging
from store.backup.move import move as move_everything
from store.objects.factory import open_object_store
from store.schema.database import Database


def move(
    from_database: Annotated[
        str, typer.Option(help="URL of the present database; default: tuban.db in the home folder.")
    ] = "",
    from_objects: Annotated[
        str, typer.Option(help="Present folder or s3://bucket/prefix of objects; default: objects/ in the home folder.")
    ] = "",
) -> None:
    """Copy all rows and objects to the database and object store of the settings, which must be empty.

    For PostgreSQL, stop the service, set TUBAN_DATABASE (and TUBAN_OBJECTS), run this command, and start the service.
    For the way back, unset them and name the present ones here. Everything is compared: objects by checksum, rows one
    by one, and the logs of alerts by their hash chains. After an interruption, repeat the command. Nothing is deleted.
    libpq reads a password from ~/.pgpass, so that it need not be in --from-database.

    Example: TUBAN_DATABASE=postgresql+psycopg://tuban@db/tuban tuban move

    Exit codes: 0 moved, 2 the source is in use or outdated, or the target is not empty, 5 an object cannot be written.
    """
    settings = read_service()
    set_up_logging(settings)
    home = settings.home.resolve()
    database_url = from_database or f"sqlite:///{home / 'tuban.db'}"
    objects_url = from_objects or str(home / "objects")
    if _same(database_url, settings.database_url):
        address = Database(database_url).engine.url.render_as_string(hide_password=True)
        raise SettingsError(
            f"The settings name the database {address}, which is also the present one. Set TUBAN_DATABASE "
            "to the new one, or name the present one with --from-database.",
            "cli.same_database",
            address=address,
        )
    prepare_home(settings)
    source, target = Database(database_url), Database(settings.database_url)
    try:
        with lock_home(home, ("worker", "schedule")), scan_progress() as progress:
            summary = move_everything(
                source,
                open_object_store(settings.model_copy(update={"objects": objects_url})),
                target,
                open_object_store(settings),
                now=dt.datetime.now(dt.UTC),
                progress=progress,
            )
    finally:
        source.close()
        target.close()
    console = Console(highlight=False, soft_wrap=True, markup=False)
    rows = sum(summary.rows.values())
    message = (
        f"Moved and compared: {rows:,} rows of {len(summary.rows)} tables, {summary.objects:,} objects "
        f"({summary.copied:,} copied now), logs of {summary.alerts:,} alerts with {summary.transitions:,} transitions."
    )
    values = {"rows": rows, "objects": summary.objects, "alerts": summary.alerts}
    console.print(say(message, "cli.moved", **values))
    message = "The service can be started. The former database and objects were not changed; archive or delete them."
    console.print(say(message, "cli.after_move"))


def _same(one: str, other: str) -> bool:
    def resolved(url: str) -> str:
        return f"sqlite:///{Path(url.removeprefix('sqlite:///')).resolve()}" if url.startswith("sqlite:///") else url

    return resolved(one) == resolved(other)
