"""``tuban up``: the whole service under one command."""

from __future__ import annotations

import socket
from typing import Annotated

import typer
from rich.console import Console

from configs.service import ServiceSettings, read_service
from errors import SettingsError
from service.broker import shown
from service.context import Context
from service.process import begin
from store.access.users import has_administrator, invite
from web.front_end import check_packages
from workers.runtime.startup_checks import prepared
from workers.runtime.supervisor import Part, Supervisor, module_part, plan_parts

BACKLOG = 512
"""Connections that wait for a process that is being started."""


def up(
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that scan; default: as the settings say.")
    ] = None,
    schedule: Annotated[
        bool, typer.Option("--schedule/--no-schedule", help="Whether nights begin and lost jobs are found from here.")
    ] = True,
    work: Annotated[bool, typer.Option("--work/--no-work", help="Whether jobs are done here.")] = True,
    pages: Annotated[
        bool, typer.Option("--pages/--no-pages", help="Whether the pages and the API are served from here.")
    ] = True,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Of the pages; default: as the settings say (8000).")
    ] = None,
) -> None:
    """Run the service until Ctrl-C: pages, workers and the schedule, with what they need.

    With the settings as they ship nothing else must run: database, messages and images are files in the home folder.
    The first start prints a link by which the first administrator is made. On many machines, one has the schedule and
    the others `--no-schedule --no-pages`.
    """
    if not (work or schedule or pages):
        raise SettingsError("--no-work with --no-schedule and --no-pages leaves nothing to run.")
    settings = read_service()
    begin(settings)
    port = port or settings.web.port
    serve: list[Part] = []
    if pages:
        check_packages()
        listening = _listen(settings.web.address, port)
        serve = _pages(listening.fileno(), settings.web_processes)
    parts = plan_parts(processes or settings.worker_processes, work=work, schedule=schedule, pages=serve)
    words = Console(stderr=True, highlight=False, soft_wrap=True)
    with prepared(settings, sorted({part.kind for part in parts})) as context:
        _tell(words, settings, context, parts)
        if pages:
            _tell_pages(words, settings, context, port)
        code = Supervisor(parts, context).run()
    words.print("Tuban has stopped. What was not finished goes on with the next start.")
    raise typer.Exit(code)


def _pages(listening: int, processes: int) -> list[Part]:
    """The processes that serve the pages, all on one socket: whoever is free takes the next connection."""
    names = ["pages"] if processes == 1 else [f"pages {number}" for number in range(1, processes + 1)]
    given = ("web.server", "--listening", str(listening))
    return [module_part(name, "web", *given, files=(listening,)) for name in names]


def _listen(address: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"The pages cannot be served on {address} port {port}: {error}. Name another port with --port or "
            "TUBAN_WEB__PORT."
        ) from error


def _tell_pages(words: Console, settings: ServiceSettings, context: Context, port: int) -> None:
    """Where the pages are; as long as nobody manages everything, with the link by which that person is made."""
    local = settings.web.address in ("0.0.0.0", "::", "127.0.0.1")
    base = settings.public_url.rstrip("/") or f"http://{'127.0.0.1' if local else settings.web.address}:{port}"
    words.print(f"  {'pages':9} {base}", markup=False)
    with context.database.write() as session:
        secret = None if has_administrator(session) else invite(session, None, context.clock())
    if secret is not None:
        words.print("\nNobody manages Tuban yet. Open this link, once, to make the first administrator:")
        words.print(f"  {base}/welcome/{secret}\n", markup=False)


def _tell(words: Console, settings: ServiceSettings, context: Context, parts: list[Part]) -> None:
    words.print("Tuban is up; Ctrl-C stops it.")
    for name, value in (
        ("home", settings.home.resolve()),
        ("database", context.database.engine.url.render_as_string(hide_password=True)),
        ("broker", shown(settings)),
        ("objects", settings.objects_url),
        ("runs", ", ".join(part.name for part in parts)),
        ("night", f"{settings.night.at} {settings.time_zone}"),
        *([("watches", settings.watch.folder)] if settings.watch.folder else []),
        *([("metrics", f"http://127.0.0.1:{settings.metrics_port}/metrics")] if settings.metrics_port else []),
    ):
        words.print(f"  {name:9} {value}", markup=False)
