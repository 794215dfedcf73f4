"""``tuban images``: list, correct, withdraw, restore and purge images."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.administration.ingest import Source, system_user
from cli.administration.service import open_service
from cli.language import head, in_language, say, term
from errors import SettingsError
from imagery.conversion.given_metadata import parse_bands, parse_crs
from service.context import Context
from service.images.correct import Correction, correct_images
from service.images.requests import Actor, ImageOutcome, last_failure
from service.images.withdraw import purge_images, restore_images, withdraw_images
from store.scenes.corrections import list_images, scene_ids_of_batch
from store.schema.tables import Job
from workers.runtime.job_runner import run_job

NOT_ALL = 3

images_app = typer.Typer(
    help="List, correct, withdraw, restore and purge images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Ids = Annotated[list[int] | None, typer.Argument(help="Numbers of images, as `tuban images list` shows them.")]
OfBatch = Annotated[int | None, typer.Option("--batch", help="All images of this batch.")]


@images_app.command("list")
def list_command(
    area: Annotated[str, typer.Option("--area", "-a", help="Administrative code, or its beginning.")] = "",
    batch: OfBatch = None,
    undated: Annotated[bool, typer.Option("--undated", help="Only images whose day is unknown.")] = False,
    state: Annotated[str, typer.Option(help="Only images in this state: ready, withdrawn or purged.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Largest number of images, newest first.")] = 100,
) -> None:
    """List images with their day and where it is from.

    Example: tuban images list --undated
    """
    if state not in ("", "ready", "withdrawn", "purged"):
        raise SettingsError(
            f"The state is {state!r}; expected ready, withdrawn or purged.", "cli.image_state", state=state
        )
    console = Console(highlight=False)
    with open_service() as context, context.database.read() as session:
        scenes = list_images(session, area=area, batch_id=batch, undated=undated, state=state, limit=limit)
    table = Table()
    for column in ("image", "file", "area", "day", "day from", "source", "m/pixel", "bands", "system", "state"):
        table.add_column(head(column), overflow="fold")
    for scene in scenes:
        bands = ",".join(map(str, scene.bands))
        state_name = term("image.state_", scene.state)
        reason = f"{state_name}: {scene.state_reason}" if scene.state_reason else state_name
        system = scene.crs if scene.crs.startswith("EPSG:") else "WKT"
        values = [
            scene.id,
            scene.name,
            scene.area_code,
            scene.date or say("unknown", "cli.unknown"),
            scene.date_source,
            scene.source,
        ]
        texts = [*map(str, values), f"{scene.gsd_m:.3g}", bands, system, reason]
        table.add_row(*(Text(value) for value in texts))
    console.print(table if scenes else say("There are no such images.", "cli.no_images"))


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
        raise typer.Exit(NOT_ALL)


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
