"""``tuban ingest``: images in, scenes that the night compares out."""

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

from cli.administration.service import service
from configs.service import LogSettings, ServiceSettings
from service.batch_intake import receive
from service.broker import check_broker
from service.context import Context
from service.home import prepare_home
from service.logs import begin_journal
from store.scenes.batches import BatchReport, FileReport, batch_report
from workers.runtime.run_batch import work_off

SOME_FAILED = 3
INTERRUPTED = 130
STYLES = {"placed": "green", "duplicate": "yellow", "failed": "red", "waiting": "yellow"}

STATES = ("placed", "duplicate", "failed", "used", "ignored", "waiting")
"""Outcomes of files, in the order in which they are counted."""


class Source(StrEnum):
    """Where images come from."""

    drone = "drone"
    satellite = "satellite"
    camera = "camera"


Paths = Annotated[list[Path], typer.Argument(help="Images, folders and zip files.")]
AreaCode = Annotated[
    str, typer.Option("--area", "-a", help="Administrative code of where they lie: 6, 9 or 12 digits.")
]
SourceName = Annotated[Source, typer.Option(help="Where they come from.")]
Acquired = Annotated[
    dt.datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Day of acquisition of files that neither tell it nor are named by it."),
]


def ingest(
    paths: Paths,
    area: AreaCode,
    source: SourceName = Source.drone,
    date: Acquired = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Work on them here and now, or leave that to `tuban up`.")
    ] = True,
) -> None:
    """Take images in: each is checked, placed, dated, and rewritten for the nightly scan.

    A world file and a .prj beside an image are read with it. A file that was ingested before, under whatever name,
    is told and not taken again. One broken file does not stop the others.

    Example: tuban ingest flight_2024-05-01/ ortho.zip --area 330102

    Exit codes: 0 every file was placed or known, 3 some failed, 2 wrong arguments, 5 no room or no store,
    130 interrupted: the same command goes on.
    """
    words = Console(highlight=False, soft_wrap=True)
    with service() as context, _interruptible(words):
        _prepare(context.settings)
        batch = _receive(context, paths, area, source.value, date and date.date(), publish=not wait)
        if not wait:
            report = _report(context, batch)
            words.print(f"Batch {batch}: {len(report.files)} files received; the workers of `tuban up` take them.")
            return
        report = _work_off(context, batch)
    _tell(words, report)
    if report.count("failed", "waiting"):
        raise typer.Exit(SOME_FAILED)


def _prepare(settings: ServiceSettings) -> None:
    begin_journal(settings.model_copy(update={"log": LogSettings(level="warning")}))
    prepare_home(settings)
    if settings.embedded_broker:
        check_broker(settings)  # its folders are made: a zip file's members are published


def _receive(
    context: Context, paths: list[Path], area: str, source: str, date: dt.date | None, *, publish: bool
) -> int:
    name = ", ".join(path.resolve().name for path in paths[:3]) + (" …" if len(paths) > 3 else "")
    columns = (TextColumn("{task.description:<12}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("Receiving", total=None)

        def tell(_: str, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        return receive(
            context, paths, area, source, "command", person(), name, tell, date=date, publish=publish
        )  # fmt: skip


def _work_off(context: Context, batch: int) -> BatchReport:
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("Checking", total=None)

        def tell(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        return work_off(context, batch, tell)


def _report(context: Context, batch: int) -> BatchReport:
    with context.database.read() as session:
        report = batch_report(session, batch)
    assert report is not None
    return report


def _tell(words: Console, report: BatchReport) -> None:
    table = Table()
    for column in ("file", "outcome", "day", "what to know"):
        table.add_column(column, overflow="fold")
    for file in report.files:
        day = str(file.date) if file.date else ""
        outcome = Text(file.state, style=STYLES.get(file.state, "dim"))
        table.add_row(Text(file.name), outcome, day, Text(_why(file)))
    words.print(table, soft_wrap=False)
    counts = ", ".join(f"{report.count(state)} {state}" for state in STATES if report.count(state))
    words.print(f"Batch {report.id}: {counts or 'no files'}.")
    for file in report.files:
        if file.state == "failed":
            words.print(Text(f"{file.name}: {file.reason}"), style="red")
    if report.count("waiting"):
        words.print("What waits has a dead job: `tuban revive NUMBER` tries it again once the cause is gone.")


def _why(file: FileReport) -> str:
    if file.state == "failed":
        return "see below"  # whole sentences do not fit a narrow table
    return f"job {file.job_id} is {file.job}" if file.state == "waiting" else file.reason


def person() -> str:
    """Who calls the command, by the machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


@contextmanager
def _interruptible(words: Console) -> Iterator[None]:
    """Ctrl-C gives the job that runs back, so that it need not be waited for, and says how to go on."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(INTERRUPTED)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except SystemExit:
        words.print("Interrupted. What was taken in is kept: the same command goes on, or `tuban up` works it off.")
        raise
    finally:
        signal.signal(signal.SIGINT, before)
