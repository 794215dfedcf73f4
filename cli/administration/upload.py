"""``tuban upload``: upload images from a laptop to a remote service."""

from __future__ import annotations

import ssl
import sys
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

from cli.administration.ingest import (
    STATES,
    STYLES,
    Acquired,
    AreaCode,
    Bands,
    Override,
    Paths,
    Source,
    SourceName,
    System,
    given_metadata,
)
from cli.administration.upload_client import BatchUpload, ServiceClient
from cli.exit_codes import SOME_FAILED
from cli.language import head, language, say, term
from configs.network_addresses import is_internal
from configs.service import BatchSettings
from errors import SettingsError

_POLL_SECONDS = 2.0


def upload(
    url: Annotated[str, typer.Argument(help="Address of the service: https://tuban.example.cn")],
    paths: Paths,
    area: AreaCode,
    token: Annotated[
        str, typer.Option(envvar="TUBAN_TOKEN", help="API key; created on your account page.", show_envvar=True)
    ] = "",
    source: SourceName = Source.drone,
    date: Acquired = None,
    bands: Bands = "",
    crs: System = "",
    override: Override = False,
    name: Annotated[str, typer.Option(help="Name of the batch; default: the names of the paths.")] = "",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the outcome of every file and print it.")
    ] = True,
    ca: Annotated[Path | None, typer.Option(help="Certificate of a private certificate authority (PEM).")] = None,
) -> None:
    """Upload images to the service, each with its checksum. Interrupted uploads resume with the same command.

    If the connection is lost, the upload is retried until it is back; Ctrl-C ends it.

    Example: TUBAN_TOKEN=tuban_… tuban upload https://tuban.example.cn flight_2024-05-01/ --area 330102

    Exit codes: 0 every file was placed or a duplicate (with --no-wait: sent), 2 wrong arguments or missing rights,
    3 some files failed, 5 the service cannot accept them now, 130 interrupted: run the same command again to resume.
    """
    console = Console(highlight=False, soft_wrap=True)
    if not token:
        raise SettingsError(
            "There is no token. Create an API key on your account page and set it as TUBAN_TOKEN.", "cli.no_token"
        )
    given = given_metadata(date, bands, crs, override)
    chosen = {"tuban_language": language()}  # the user's own language applies to the pages only
    with httpx.Client(
        base_url=_base_url(url, console),
        headers=_headers(token),
        cookies=chosen,
        timeout=60,
        verify=_tls_context(ca),
        trust_env=not is_internal(urlsplit(url).hostname or ""),  # a proxy in the environment is for the internet
    ) as client:
        service = ServiceClient(client, console)
        batch = BatchUpload(service, url, paths, area, source.value, given, name, BatchSettings().max_files)
        _send(batch)
        if not wait:
            message = f"Batch {batch.id}: {len(batch.files)} files sent."
            console.print(
                f"{say(message, 'cli.sent', batch=batch.id, files=len(batch.files))} {service.batch_page(batch.id)}"
            )
            _print_unreadable(console, batch)
            return
        report = _wait_for_outcomes(service, batch.id)
        batch.forget()
    _print_report(console, report)
    console.print(service.batch_page(report["id"]))
    _print_unreadable(console, batch)
    if any(file["state"] in ("failed", "waiting") for file in report["files"]):
        raise typer.Exit(SOME_FAILED)


def _print_unreadable(console: Console, batch: BatchUpload) -> None:
    for name, reason in batch.unreadable.items():
        console.print(Text(f"{name}: {reason}"), style="red")
    if batch.unreadable:
        raise typer.Exit(SOME_FAILED)


def _base_url(url: str, console: Console) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise SettingsError(
            f"{url!r} is not the address of a service; expected https://host.", "cli.no_service", url=url
        )
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        message = "This address is not https: the token and the images can be read on the network."
        console.print(say(message, "cli.not_https"), style="yellow")
    return url.rstrip("/")


def _headers(token: str) -> dict[str, str]:
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise SettingsError("The token contains invalid characters. Copy it again.", "cli.bad_token")
    return {"authorization": f"Bearer {token}", "accept": "application/json"}


def _tls_context(ca: Path | None) -> ssl.SSLContext | bool:
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"{ca} is not a readable PEM certificate: {error}.", "cli.bad_certificate", file=str(ca), error=str(error)
        ) from None


def _send(batch: BatchUpload) -> None:
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        batch.begin()
        reading = bars.add_task(say("Reading", "cli.reading"), total=batch.total)
        batch.compute_checksums(lambda size: bars.advance(reading, size))
        sending = bars.add_task(say("Sending", "cli.sending"), total=batch.total)
        batch.send(lambda sent: bars.update(sending, completed=sent))


def _wait_for_outcomes(service: ServiceClient, batch: int) -> dict[str, Any]:
    """Poll a batch until it is done or all of its waiting files have dead jobs; return its last report."""
    with Progress(
        TextColumn("{task.description:<12}"), BarColumn(), TextColumn("{task.completed}"),
        console=Console(stderr=True), disable=not sys.stderr.isatty(),
    ) as bars:  # fmt: skip
        task = bars.add_task(say("Checking", "cli.checking"), total=None)
        while True:
            report = service.batch(batch)
            waiting = [file for file in report["files"] if file["state"] == "waiting"]
            total = len(report["files"])
            bars.update(task, total=total or None, completed=total - len(waiting))
            dead = all(file["job"].startswith("dead") for file in waiting)
            if report["state"] == "done" or (report["state"] == "working" and dead):
                return report
            time.sleep(_POLL_SECONDS)


def _print_report(console: Console, report: dict[str, Any]) -> None:
    table = Table()
    for column in ("file", "outcome", "day", "remark"):
        table.add_column(head(column), overflow="fold")
    for file in report["files"]:
        outcome = Text(term("batch.file_", file["state"]), style=STYLES.get(file["state"], "dim"))
        remark = {"failed": say("see below", "cli.see_below"), "waiting": file["job"]}.get(
            file["state"], file["reason"]
        )
        table.add_row(Text(file["name"]), outcome, file["date"] or "", Text(remark))
    console.print(table, soft_wrap=False)
    states = [file["state"] for file in report["files"]]
    counts = ", ".join(f"{states.count(state)} {term('batch.file_', state)}" for state in STATES if state in states)
    counts = counts or say("no files", "cli.no_files")
    console.print(say(f"Batch {report['id']}: {counts}.", "cli.batch", batch=report["id"], counts=counts))
    for file in report["files"]:
        if file["state"] == "failed":
            console.print(Text(f"{file['name']}: {file['reason']}"), style="red")
