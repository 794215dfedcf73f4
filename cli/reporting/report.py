"""``tuban report``: write a periodic report or the ranking as xlsx, docx and PDF."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from cli.administration.service import open_service
from cli.language import language, say
from configs.texts import text
from errors import OutputError, SettingsError
from service.reports.files import KEPT_LANGUAGE
from service.reports.on_demand import CALLED, FoundReport, find_ranking, find_report, kind_of
from service.reports.rendering import FORMATS, write_report
from store.objects.object_store import ObjectStore

ALL_FORMATS = ",".join(FORMATS)

Kind = Annotated[
    str,
    typer.Argument(help="week, month, quarter, ledger or ranking.", metavar="week|month|quarter|ledger|ranking"),
]
Area = Annotated[
    str,
    typer.Option("--area", help="Administrative code: 12 digits a village, 9 a township, 6 a county."),
]
Day = Annotated[str, typer.Option("--date", help="A day of the period, like 2026-11-27; default: today.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the files; it is made.")]
Formats = Annotated[str, typer.Option("--formats", help="Which files, separated by commas.")]


def report(kind: Kind, area: Area, out: Out, date: Day = "", formats: Formats = ALL_FORMATS) -> None:
    """Write a report of an area as xlsx, docx and PDF: the same files as on its page.

    week: the Friday sheet of a village, or the summary of a township or county, by the length of the code. month:
    statistics of patrols. quarter: bulletin of the joint meeting. ledger: daily disposal list of a county. ranking: of
    the townships of a county or the villages of a township.

    A report that was filled, corrected or signed on its page is written as it is there. One that does not exist yet is
    counted from the alerts up to now and marked as a draft; nothing is stored. Layouts are configs/reports/*.yaml; a
    file reports/NAME.yaml in the working directory replaces one.

    Example: tuban report week --area 330109101002 --date 2026-11-27 --out reports/

    Exit code: 0 written, 2 unknown area, kind or date, 5 the files cannot be written.
    """
    if kind not in CALLED:
        raise SettingsError(
            f"There is no report {kind[:30]!r}; expected {', '.join(CALLED)}.",
            "reports.unknown_kind",
            kind=kind[:30],
            known="、".join(CALLED),
        )
    chosen = [one.strip() for one in formats.split(",") if one.strip()]
    if not chosen or set(chosen) - set(FORMATS):
        raise SettingsError(
            f"{formats[:40]!r} is no list of formats; expected some of {', '.join(FORMATS)}.",
            "reports.formats",
            given=formats[:40],
            known="、".join(FORMATS),
        )
    with open_service() as context:
        zone, now, today = context.settings.zone, context.clock(), context.today
        day = _day(date, today)
        with context.database.read() as session:
            if kind == "ranking":
                found = find_ranking(session, area, day, today, zone, language())
            else:
                found = find_report(session, kind_of(kind, area), area, day, now, zone, language())
        paths = _write(found, chosen, out, context.objects)
    for path in paths:
        print(path)
    if found.row is not None:
        state = text(f"reports.state_{found.row.state}", language())
        Console(stderr=True).print(say(f"The report is: {state}.", "cli.report_state", state=state))


def _write(found: FoundReport, formats: list[str], out: Path, objects: ObjectStore) -> list[Path]:
    """Write the files, each complete or not at all; return their paths."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    paths = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        with bars:
            for file_format in bars.track(formats, description=found.name):
                path = out / f"{found.name}.{file_format}"
                temporary = out / f".{found.name}.writing.{file_format}"
                try:
                    kept = found.row.files.get(file_format) if found.row is not None else None
                    if kept and language() == KEPT_LANGUAGE:
                        temporary.write_bytes(objects.read(str(kept["key"])))
                    else:
                        write_report(found.shown, file_format, temporary)
                    temporary.replace(path)
                finally:
                    temporary.unlink(missing_ok=True)
                paths.append(path)
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror or error}.") from error
    return paths


def _day(words: str, today: dt.date) -> dt.date:
    if not words:
        return today
    try:
        return dt.date.fromisoformat(words)
    except ValueError:
        raise SettingsError(
            f"{words[:20]!r} is no day; expected one like 2026-11-27.", "reports.no_day", day=words[:20]
        ) from None
