"""``tuban upload``: images from a laptop to a service that runs elsewhere."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from cli.administration.ingest import SOME_FAILED, STATES, STYLES, Acquired, AreaCode, Paths, Source, SourceName
from cli.administration.upload_client import Remote, Sender
from configs.service import BatchSettings
from errors import SettingsError

_LOOK_SECONDS = 2.0


def upload(
    url: Annotated[str, typer.Argument(help="Where the service is: https://tuban.example.cn")],
    paths: Paths,
    area: AreaCode,
    token: Annotated[
        str, typer.Option(envvar="TUBAN_TOKEN", help="API token; the page of your account makes one.", show_envvar=True)
    ] = "",
    source: SourceName = Source.drone,
    date: Acquired = None,
    name: Annotated[str, typer.Option(help="Of the batch, for people.")] = "",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until each file has its outcome, and tell it.")
    ] = True,
    ca: Annotated[
        Path | None, typer.Option(help="Certificate of the bureau's own authority (PEM), if it has one.")
    ] = None,
) -> None:
    """Send images to the service, each with its checksum. What is cut or ended goes on with the same command.

    Where the connection is lost it is tried again for as long as it takes; Ctrl-C ends it.

    Example: tuban upload https://tuban.example.cn flight_2024-05-01/ --area 330102

    Exit codes: 0 every file was placed or known (with --no-wait: sent), 3 some failed, 2 wrong arguments or
    rights, 5 the service cannot take them now, 130 interrupted: the same command goes on.
    """
    words = Console(highlight=False, soft_wrap=True)
    if not token:
        raise SettingsError("There is no token. Make one on the page of your account, and give it as TUBAN_TOKEN.")
    english = {"tuban_language": "en"}  # as all that commands say; a person's own language is that of pages
    with httpx.Client(
        base_url=_base(url, words), headers=_headers(token), cookies=english, timeout=60, verify=_trust(ca)
    ) as client:
        remote = Remote(client, words)
        sender = Sender(remote, url, paths, area, source.value, date and date.date(), name, BatchSettings().max_files)
        _send(sender)
        if not wait:
            words.print(f"Batch {sender.batch}: {len(sender.files)} files sent. {remote.page(sender.batch)}")
            _tell_unreadable(words, sender)
            return
        report = _outcomes(remote, sender.batch)
        sender.forget()
    _tell(words, report)
    words.print(remote.page(report["id"]))
    _tell_unreadable(words, sender)
    if any(file["state"] in ("failed", "waiting") for file in report["files"]):
        raise typer.Exit(SOME_FAILED)


def _tell_unreadable(words: Console, sender: Sender) -> None:
    for name, reason in sender.unreadable.items():
        words.print(Text(f"{name}: {reason}"), style="red")
    if sender.unreadable:
        raise typer.Exit(SOME_FAILED)


def _base(url: str, words: Console) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise SettingsError(f"{url!r} is no address of a service; expected https://host.")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        words.print(
            "This address is not https: whoever is on the way can read the token and the images.", style="yellow"
        )
    return url.rstrip("/")


def _headers(token: str) -> dict[str, str]:
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise SettingsError("The token holds letters that no token has. Copy it again.")
    return {"authorization": f"Bearer {token}", "accept": "application/json"}


def _trust(ca: Path | None) -> ssl.SSLContext | bool:
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"{ca} is no certificate that can be read: {error}.") from None


def _send(sender: Sender) -> None:
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        sender.begin()
        checking = bars.add_task("Reading", total=sender.total)
        sender.read(lambda size: bars.advance(checking, size))
        sending = bars.add_task("Sending", total=sender.total)
        sender.send(lambda done: bars.update(sending, completed=done))


def _outcomes(remote: Remote, batch: int) -> dict[str, Any]:
    """Wait until a batch is done, or what waits in it is dead."""
    with Progress(
        TextColumn("{task.description:<12}"), BarColumn(), TextColumn("{task.completed} files"),
        console=Console(stderr=True),
    ) as bars:  # fmt: skip
        task = bars.add_task("Checking", total=None)
        while True:
            report = remote.batch(batch)
            waiting = [file for file in report["files"] if file["state"] == "waiting"]
            total = len(report["files"])
            bars.update(task, total=total or None, completed=total - len(waiting))
            dead = all(file["job"].startswith("dead") for file in waiting)
            if report["state"] == "done" or (report["state"] == "working" and dead):
                return report
            time.sleep(_LOOK_SECONDS)


def _tell(words: Console, report: dict[str, Any]) -> None:
    table = Table()
    for column in ("file", "outcome", "day", "what to know"):
        table.add_column(column, overflow="fold")
    for file in report["files"]:
        outcome = Text(file["state"], style=STYLES.get(file["state"], "dim"))
        why = {"failed": "see below", "waiting": file["job"]}.get(file["state"], file["reason"])
        table.add_row(Text(file["name"]), outcome, file["date"] or "", Text(why))
    words.print(table, soft_wrap=False)
    states = [file["state"] for file in report["files"]]
    counts = ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)
    words.print(f"Batch {report['id']}: {counts or 'no files'}.")
    for file in report["files"]:
        if file["state"] == "failed":
            words.print(Text(f"{file['name']}: {file['reason']}"), style="red")
