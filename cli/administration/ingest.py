"""``tuban ingest``: ingest images as scenes for the nightly scan."""

from __future__ import annotations

import datetime as dt
import getpass
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cli.administration.service import open_service
from cli.exit_codes import INTERRUPTED, SOME_FAILED
from cli.language import head, in_language, say, term
from configs.service import LogSettings, ServiceSettings
from imagery.conversion.given_metadata import GivenMetadata, parse_bands, parse_crs
from service.batch_intake import receive_files
from service.broker import check_broker
from service.context import Context
from service.home import prepare_home
from service.logs import set_up_logging
from store.scenes.batches import BatchReport, FileReport, batch_report
from workers.runtime.run_batch import run_batch

STYLES = {"placed": "green", "duplicate": "yellow", "failed": "red", "waiting": "yellow"}

STATES = ("placed", "duplicate", "failed", "used", "ignored", "waiting")
"""Outcomes of files, in display order."""


class Source(StrEnum):
    """Source of images."""

    drone = "drone"
    satellite = "satellite"
    camera = "camera"


Paths = Annotated[list[Path], typer.Argument(help="Images, folders and zip files.")]
AreaCode = Annotated[
    str, typer.Option("--area", "-a", help="Administrative code of the area shown: 6, 9 or 12 digits.")
]
SourceName = Annotated[Source, typer.Option(help="Source of the images.")]
Acquired = Annotated[
    dt.datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Acquisition day of files without a date in metadata or name."),
]
Bands = Annotated[str, typer.Option(help="Numbers of the red, green and blue band, like 3,2,1; or one for grey.")]
System = Annotated[str, typer.Option(help="Coordinate system of images that have coordinates but none: EPSG:4547.")]
Override = Annotated[bool, typer.Option("--override", help="Use --date and --crs also for files that contain others.")]


def given_metadata(date: dt.datetime | None, bands: str, crs: str, override: bool) -> GivenMetadata:
    """Return what the options state about the files.

    Raises:
        SettingsError: the bands are not numbers, or the coordinate system is unknown.
    """
    return GivenMetadata(date and date.date(), parse_crs(crs), override, parse_bands(bands))


def ingest(
    paths: Paths,
    area: AreaCode,
    source: SourceName = Source.drone,
    date: Acquired = None,
    bands: Bands = "",
    crs: System = "",
    override: Override = False,
    wait: Annotated[
        bool,
        typer.Option("--wait/--no-wait", help="Process the files now in this command, or leave them to `tuban up`."),
    ] = True,
) -> None:
    """Ingest images: validate, georeference, date and convert each one for the nightly scan.

    A world file and a .prj file beside an image are read with it. A file with known content, under any name, is
    reported as a duplicate, and with another date its correction is offered (`tuban images`). A broken file does not
    stop the others.

    Example: tuban ingest flight_2024-05-01/ ortho.zip --area 330102

    Exit codes: 0 every file was placed or a duplicate, 2 wrong arguments, 3 some files failed, 5 the disk is full or
    the object store cannot be written, 130 interrupted: run the same command again to resume.
    """
    console = Console(highlight=False, soft_wrap=True)
    given = given_metadata(date, bands, crs, override)
    with open_service() as context, _resume_hint(console):
        _prepare(context.settings)
        batch = _receive(context, paths, area, source.value, given, publish=not wait)
        if not wait:
            report = _report(context, batch)
            message = f"Batch {batch}: {len(report.files)} files received; the workers of `tuban up` process them."
            console.print(say(message, "cli.received", batch=batch, files=len(report.files)))
            return
        report = _process(context, batch)
    _print_report(console, report)
    if report.count("failed", "waiting"):
        raise typer.Exit(SOME_FAILED)


def _prepare(settings: ServiceSettings) -> None:
    set_up_logging(settings.model_copy(update={"log": LogSettings(level="warning")}))
    prepare_home(settings)
    if settings.embedded_broker:
        check_broker(settings)  # creates the message folders: unpacking a zip file publishes jobs


def _receive(
    context: Context, paths: list[Path], area: str, source: str, given: GivenMetadata, *, publish: bool
) -> int:
    name = ", ".join(path.resolve().name for path in paths[:3]) + (" …" if len(paths) > 3 else "")
    columns = (TextColumn("{task.description:<12}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(say("Receiving", "cli.receiving"), total=None)

        def report_progress(_: str, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        return receive_files(
            context, paths, area, source, "command", system_user(), name, report_progress, given=given, publish=publish
        )  # fmt: skip


def _process(context: Context, batch: int) -> BatchReport:
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(say("Checking", "cli.checking"), total=None)

        def report_progress(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        return run_batch(context, batch, report_progress)


def _report(context: Context, batch: int) -> BatchReport:
    with context.database.read() as session:
        report = batch_report(session, batch)
    assert report is not None
    return report


def _print_report(console: Console, report: BatchReport) -> None:
    table = Table()
    for column in ("file", "outcome", "day", "remark"):
        table.add_column(head(column), overflow="fold")
    for file in report.files:
        day = str(file.date) if file.date else ""
        outcome = Text(term("batch.file_", file.state), style=STYLES.get(file.state, "dim"))
        table.add_row(Text(file.name), outcome, day, Text(_remark(file)))
    console.print(table, soft_wrap=False)
    counts = ", ".join(f"{report.count(state)} {term('batch.file_', state)}" for state in STATES if report.count(state))
    counts = counts or say("no files", "cli.no_files")
    console.print(say(f"Batch {report.id}: {counts}.", "cli.batch", batch=report.id, counts=counts))
    for file in report.files:
        if file.state == "failed":
            console.print(Text(f"{file.name}: {in_language(file.reason)}"), style="red")
    if report.count("waiting"):
        message = "Waiting files have a dead job: remove the cause, then retry it with `tuban revive NUMBER`."
        console.print(say(message, "cli.waiting_files"))


def _remark(file: FileReport) -> str:
    if file.state == "failed":
        return say("see below", "cli.see_below")  # full sentences do not fit into a narrow table
    if file.state == "waiting":
        return say(f"job {file.job_id} is {file.job}", "cli.job_is", job=file.job_id, state=term("job", file.job))
    return in_language(file.reason)


def system_user() -> str:
    """Return the name of the operating system's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


@contextmanager
def _resume_hint(console: Console) -> Iterator[None]:
    """On Ctrl-C, release the running job, so that it can be resumed at once, and print how to resume."""

    def exit_on_interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(INTERRUPTED)

    previous = signal.signal(signal.SIGINT, exit_on_interrupt)
    try:
        yield
    except SystemExit:
        message = "Interrupted. Received files are kept: run the same command again to resume, or start `tuban up`."
        console.print(say(message, "cli.ingest_interrupted"))
        raise
    finally:
        signal.signal(signal.SIGINT, previous)
