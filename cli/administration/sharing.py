"""``tuban sharing``: list receiving bodies and their reads, and write their files."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.administration.service import open_service
from cli.listing import Column, Field, JsonOption, Listing, column, print_listing
from service.sharing.packages import shares_folder, write_all
from store.access.rights import COMMAND
from store.sharing.access_log import last_reads, list_reads
from store.sharing.bodies import visible_bodies

BODIES = Listing(
    "sharing list",
    (
        Field("key", "text", "of the body; names its folder"),
        Field("name", "text", "of the body"),
        Field("kind", "text", "department, police, prosecutor, court, discipline or supplier"),
        Field("code", "text", "administrative code; empty: all areas"),
        Field("by_rule", "boolean", "whether alerts of its matters are shared without a letter"),
        Field("active", "boolean", "whether it sees anything"),
        Field("reads", "integer", "number of reads"),
        Field("last_read", "moment", "time of the last read", optional=True),
    ),
    (column("key"), column("name"), column("kind"), column("code"), column("reads"), column("last read")),
)
READS = Listing(
    "sharing reads",
    (
        Field("at", "moment", "of the read"),
        Field("body", "text", "key of the body"),
        Field("who", "text", "login; system: a nightly file or a hook"),
        Field("channel", "text", "page, api, file or hook"),
        Field("what", "text", "query, alert or file"),
        Field("rows", "integer", "that were shown"),
        Field("address", "text", "network address"),
    ),
    (
        column("at"),
        column("body"),
        column("who"),
        column("channel"),
        Column("rows", lambda row: row["rows"]),
        column("what"),
    ),
)


sharing_app = typer.Typer(
    name="sharing",
    help="List receiving bodies and what they read, and write their files.\n\n"
    "Bodies are registered on the page Sharing. Their files are written every night.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@sharing_app.command("list")
def list_command(json: JsonOption = False) -> None:
    """List the receiving bodies with the number of their reads."""
    with open_service() as service, service.database.read() as session:
        bodies = visible_bodies(session, COMMAND)
        reads = last_reads(session, [body.id for body in bodies])
        rows = [
            {
                **{name: getattr(body, name) for name in ("key", "name", "kind", "code", "by_rule", "active")},
                "reads": reads.get(body.id, (0, None))[0],
                "last_read": reads.get(body.id, (0, None))[1],
            }
            for body in bodies
        ]
        print_listing(BODIES, rows, service.settings.zone, as_json=json)


@sharing_app.command("reads")
def reads_command(
    limit: Annotated[int, typer.Option(min=1, help="Most reads to list, newest first.")] = 100,
    json: JsonOption = False,
) -> None:
    """List what receiving bodies read: who, when, by which way, what, and how many rows."""
    with open_service() as service, service.database.read() as session:
        names = ("at", "who", "channel", "what", "rows", "address")
        rows = [
            {**{name: getattr(read, name) for name in names}, "body": body.key}
            for read, body in list_reads(session, COMMAND, limit=limit)
        ]
        print_listing(READS, rows, service.settings.zone, as_json=json)


@sharing_app.command("write")
def write_command() -> None:
    """Write the files of all bodies now: a GeoPackage each, for suppliers a CSV, under `shares` in home."""
    with open_service() as service:
        count = write_all(service)
        typer.echo(f"{shares_folder(service)}: {count}")
