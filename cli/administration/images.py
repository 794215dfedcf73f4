"""``tuban images``: list, correct, withdraw, restore and purge images."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli.administration.ingest import Source, system_user
from cli.administration.service import open_service
from cli.exit_codes import SOME_FAILED
from cli.language import in_language, say, term
from cli.listing import Column, Field, JsonOption, Listing, Row, column, print_listing
from errors import SettingsError
from imagery.conversion.given_metadata import parse_bands, parse_crs
from service.context import Context
from service.images.correct import Correction, correct_images
from service.images.requests import Actor, ImageOutcome, last_failure
from service.images.withdraw import purge_images, restore_images, withdraw_images
from store.scenes.corrections import list_images, scene_ids_of_batch
from store.schema.tables import Job, SceneRow
from workers.runtime.job_runner import run_job

images_app = typer.Typer(
    help="List, correct, withdraw, restore and purge images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Ids = Annotated[list[int] | None, typer.Argument(help="Numbers of images, as `tuban images list` shows them.")]
OfBatch = Annotated[int | None, typer.Option("--batch", help="All images of this batch.")]


def _state(row: Row) -> str:
    state = term("image.state_", row["state"])
    return f"{state}: {row['state_reason']}" if row["state_reason"] else state


IMAGES = Listing(
    "images list",
    (
        Field("id", "integer", "Number of the image."),
        Field("name", "text", "Name of the received file."),
        Field("area_code", "text", "Administrative code that it was uploaded for."),
        Field("day", "day", "Day of acquisition.", optional=True),
        Field("day_source", "text", "Where the day is from."),
        Field("source", "text", "drone, satellite or camera."),
        Field("gsd_m", "number", "Ground sample distance, m per pixel."),
        Field("width", "integer", "Columns, pixels."),
        Field("height", "integer", "Rows, pixels."),
        Field("bands", "list", "Numbers of the red, green and blue band in the received file."),
        Field("crs", "text", "Coordinate system, EPSG code or WKT."),
        Field("state", "text", "ready, damaged, withdrawn or purged."),
        Field("state_reason", "text", "Why it has this state."),
        Field("sha256", "text", "Checksum of the received file."),
        Field("received_at", "moment", "When it was received."),
    ),
    (
        column("image", "id"),
        column("file", "name"),
        column("area", "area_code"),
        Column("day", lambda row: row["day"] or say("unknown", "cli.unknown")),
        column("day from", "day_source"),
        column("source"),
        Column("m/pixel", lambda row: f"{row['gsd_m']:.3g}"),
        Column("bands", lambda row: ",".join(map(str, row["bands"]))),
        Column("system", lambda row: row["crs"] if row["crs"].startswith("EPSG:") else "WKT"),
        Column("state", _state),
    ),
)


def _row(scene: SceneRow) -> Row:
    return {
        "id": scene.id,
        "name": scene.name,
        "area_code": scene.area_code,
        "day": scene.date,
        "day_source": scene.date_source,
        "source": scene.source,
        "gsd_m": scene.gsd_m,
        "width": scene.width,
        "height": scene.height,
        "bands": list(scene.bands),
        "crs": scene.crs,
        "state": scene.state,
        "state_reason": scene.state_reason,
        "sha256": scene.sha256,
        "received_at": scene.created_at,
    }


@images_app.command("list")
def list_command(
    area: Annotated[str, typer.Option("--area", "-a", help="Administrative code, or its beginning.")] = "",
    batch: OfBatch = None,
    undated: Annotated[bool, typer.Option("--undated", help="Only images whose day is unknown.")] = False,
    state: Annotated[str, typer.Option(help="Only images in this state: ready, withdrawn or purged.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Largest number of images, newest first.")] = 100,
    json: JsonOption = False,
) -> None:
    """List images with their day and where it is from.

    Example: tuban images list --undated
    """
    if state not in ("", "ready", "withdrawn", "purged"):
        raise SettingsError(
            f"The state is {state!r}; expected ready, withdrawn or purged.", "cli.image_state", state=state
        )
    with open_service() as context, context.database.read() as session:
        scenes = list_images(session, area=area, batch_id=batch, undated=undated, state=state, limit=limit)
    no_images = say("There are no such images.", "cli.no_images")
    rows = [_row(scene) for scene in scenes]
    print_listing(IMAGES, rows, context.settings.zone, as_json=json, if_empty=no_images)


@images_app.command("set")
def set_command(
    ids: Ids = None,
    batch: OfBatch = None,
    date: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of acquisition.")] = None,
    source: Annotated[Source | None, typer.Option(help="Source of the images.")] = None,
    bands: Annotated[str, typer.Option(help="Numbers of the red, green and blue band, like 3,2,1.")] = "",
    crs: Annotated[str, typer.Option(help="Coordinate system in which the coordinates are meant: EPSG:4547.")] = "",
) -> None:
    """Correct the day, source, bands or coordinate system of one or many images.

    Their comparisons are withdrawn; the next night, or `tuban night --now`, plans them again.

    Example: tuban images set 12 13 --date 2024-05-03

    Exit codes: 0 all were corrected, 2 wrong arguments, 3 some could not be.
    """
    correction = Correction(date and date.date(), source.value if source else "", parse_bands(bands), parse_crs(crs))
    _run(ids, batch, lambda context, actor, scenes: correct_images(context, actor, scenes, correction))


@images_app.command("withdraw")
def withdraw_command(
    ids: Ids = None,
    batch: OfBatch = None,
    reason: Annotated[str, typer.Option(help="Why; recorded in the log of each alert that is withdrawn.")] = "",
) -> None:
    """Withdraw images: they are no longer compared, and alerts that rest on them alone are withdrawn.

    Example: tuban images withdraw 12 --reason "wrong county"

    Exit codes: as of `tuban images set`.
    """
    if not reason.strip():
        raise SettingsError('A withdrawal needs a reason: --reason "…".', "cli.withdrawal_reason")
    _run(ids, batch, lambda context, actor, scenes: withdraw_images(context, actor, scenes, reason))


@images_app.command("restore")
def restore_command(ids: Ids = None, batch: OfBatch = None) -> None:
    """Use withdrawn images again.

    Example: tuban images restore 12
    """
    _run(ids, batch, restore_images)


@images_app.command("purge")
def purge_command(
    ids: Ids = None,
    batch: OfBatch = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the pixels of withdrawn images. Images that are evidence of judged alerts are kept.

    Example: tuban images purge 12
    """
    if not yes:
        typer.confirm(say("Delete the pixels of these images for good?", "cli.purge"), abort=True)
    _run(ids, batch, purge_images)


def _run(
    ids: list[int] | None, batch: int | None, change: Callable[[Context, Actor, list[int]], list[ImageOutcome]]
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    with open_service() as context:
        scenes = list(ids or [])
        if batch is not None:
            with context.database.read() as session:
                scenes += scene_ids_of_batch(session, batch)
        if not scenes:
            raise SettingsError(
                "No image is given. Give the numbers of images, or --batch NUMBER with images.", "cli.which_images"
            )
        outcomes = change(context, Actor(system_user()), scenes)
        failed = 0
        for outcome in outcomes:
            message = in_language(outcome.message)
            done = outcome.done
            if outcome.job_id is not None:
                done, message = _run_job(context, outcome.job_id, message)
            failed += not done
            label = say(f"image {outcome.scene_id}", "cli.image", image=outcome.scene_id) + f" {outcome.name}".rstrip()
            console.print(Text(f"{label}: {message}", style="" if done else "red"))
    if failed:
        raise typer.Exit(SOME_FAILED)


def _run_job(context: Context, job_id: int, message: str) -> tuple[bool, str]:
    """Rewrite the pixels of an image in this process, unless a worker does, and say what came of it."""
    run_job(context, job_id)
    with context.database.read() as session:
        job = session.get_one(Job, job_id)
        if job.state == "running":
            return True, message
        if job.state != "done":
            return False, f"{message} (job {job_id} is {job.state}: {job.error})"
        failure = last_failure(session, job.payload["scene"], since=job.created_at)
    written = say("its pixels were written again; the next night compares it", "cli.rewritten")
    return (True, written) if failure is None else (False, in_language(failure))
