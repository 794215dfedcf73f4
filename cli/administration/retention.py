"""``tuban retention``: list what exceeds the limits of the settings, delete it, and place holds that beat deletion."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from cli.administration.service import open_service
from cli.language import headed, say
from cli.listing import Column, Field, JsonOption, Listing, column, print_listing
from errors import SettingsError
from service.context import Context
from service.images.retention import ExpiredImage, expired_images
from service.retention.categories import list_expired, purge
from store.access.audit_log import record_action
from store.access.rights import COMMAND
from store.retention.holds import place_hold, release_hold, visible_hold, visible_holds
from store.search.alert_search import alert_by_number

RULES = {"days": "older than retention.days", "per_place": "retention.per_place", "disk_share": "retention.disk_share"}

EXPIRED = Listing(
    "retention list",
    (
        Field("category", "text", "images, captures, photos, informants, messages, events, addresses or logs"),
        Field("days", "integer", "for which it is kept; 0: no limit by age"),
        Field("count", "integer", "that would be deleted"),
        Field("size", "integer", "bytes"),
        Field("oldest", "moment", "time of the oldest", optional=True),
    ),
    (
        column("category"),
        column("days"),
        column("count"),
        Column("MiB", lambda row: f"{row['size'] / 2**20:,.1f}"),
        column("oldest"),
    ),
)
HOLDS = Listing(
    "retention holds",
    (
        Field("id", "integer", "of the hold"),
        Field("kind", "text", "alert, area or case"),
        Field("code", "text", "administrative code"),
        Field("case_number", "text", "of kind case"),
        Field("reason", "text", "why nothing may be deleted"),
        Field("placed_by", "text", "login"),
        Field("placed_at", "moment", "when"),
        Field("released_at", "moment", "when it was released", optional=True),
    ),
    (column("id"), column("kind"), column("code"), column("reason"), column("placed at"), column("released at")),
)


retention_app = typer.Typer(
    name="retention",
    help="List and delete what exceeds the limits of the settings `retention`, and place holds.\n\n"
    "Nothing of open, listed and held alerts is ever listed. The schedule does the same every day when a limit is set; "
    "each deletion is in the log. With --apply, delete what is listed.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@retention_app.callback(invoke_without_command=True)
def retention(
    context: typer.Context,
    apply: Annotated[bool, typer.Option("--apply", help="Delete what is listed.")] = False,
) -> None:
    """List what exceeds the limits of the settings, image by image; with --apply, delete it."""
    if context.invoked_subcommand is not None:
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    with open_service() as service:
        images = expired_images(service)
        _print_images(console, images)
        _print_expired(service, as_json=False)
        if apply:
            deleted = purge(service, "command")
            count = sum(one.count for one in deleted)
            console.print(say(f"{count} items deleted.", "cli.deleted", count=count))


@retention_app.command("list")
def list_command(json: JsonOption = False) -> None:
    """List what would be deleted now, by category, with number, size and the oldest."""
    with open_service() as service:
        _print_expired(service, as_json=json)


@retention_app.command("holds")
def holds_command(json: JsonOption = False) -> None:
    """List the holds, those in force first."""
    with open_service() as service, service.database.read() as session:
        names = [field.name for field in HOLDS.fields]
        rows = [{name: getattr(row, name) for name in names} for row in visible_holds(session, COMMAND)]
        print_listing(HOLDS, rows, service.settings.zone, as_json=json)


@retention_app.command("hold")
def hold_command(
    reason: Annotated[str, typer.Option(help="Why nothing may be deleted.")],
    alert: Annotated[str, typer.Option(help="Number of an alert.")] = "",
    area: Annotated[str, typer.Option(help="Administrative code of an area, or of the area of a case.")] = "",
    case: Annotated[str, typer.Option(help="Number of a case.")] = "",
) -> None:
    """Place a hold on an alert, an area or a case: nothing of it is deleted until it is released.

    Example: tuban retention hold --alert 330106U2026110001 --reason "appeal"
    """
    with open_service() as service, service.database.write() as session:
        row = alert_by_number(session, COMMAND, alert) if alert else None
        if (alert and row is None) or not (alert or area or case):
            raise SettingsError("There is no such alert; name an alert, an area or a case.", "hold.missing")
        kind = "alert" if row is not None else "case" if case else "area"
        placed = place_hold(
            session, kind=kind, code=area, alert=row, case_number=case, reason=reason, who="command",
            now=service.clock(),
        )  # fmt: skip
        about = row.number if row is not None else f"hold {placed.id}"
        record_action(session, who="command", what="placed_hold", now=service.clock(), about=about, code=placed.code)
        typer.echo(placed.id)


@retention_app.command("release")
def release_command(
    hold: Annotated[int, typer.Argument(help="Id of the hold.")],
    reason: Annotated[str, typer.Option(help="Why it is released.")],
) -> None:
    """Release a hold; from then on the settings decide again."""
    with open_service() as service, service.database.write() as session:
        row = visible_hold(session, COMMAND, hold)
        if row is None:
            raise SettingsError(f"There is no hold {hold}.", "hold.release")
        release_hold(session, row, who="command", why=reason, now=service.clock())
        about = f"hold {row.id}"
        record_action(session, who="command", what="released_hold", now=service.clock(), about=about, code=row.code)


def _print_expired(service: Context, *, as_json: bool) -> None:
    rows = [vars(one) for one in list_expired(service)]
    print_listing(EXPIRED, rows, service.settings.zone, as_json=as_json)


def _print_images(console: Console, images: list[ExpiredImage]) -> None:
    table = headed("image", "file", "area", "MiB", "newer images", "limit")
    for image in images:
        scene, size = image.scene, f"{image.size / 2**20:.1f}"
        table.add_row(str(scene.scene_id), scene.name, scene.area_code, size, str(scene.newer), RULES[image.rule])
    if images:
        console.print(table)
    total = sum(image.size for image in images) / 2**20
    message = f"{len(images)} images, {total:,.1f} MiB, exceed the limits."
    console.print(say(message, "cli.expired", images=len(images), size=total))
