"""``tuban up``: run the complete service with one command."""

from __future__ import annotations

import socket
from typing import Annotated

import typer
from rich.console import Console

from cli.language import head, say
from configs.service import ServiceSettings, read_service
from configs.version import program_version
from errors import SettingsError
from service.broker import redacted_address
from service.context import Context
from service.home import served_pages_url, store_port
from service.logs import log_version, set_up_logging
from service.monitoring.log_file import redirect_to_log_file
from store.access.users import has_administrator, invite
from web.front_end import check_packages
from workers.runtime.startup_checks import prepare_service
from workers.runtime.supervisor import ProcessSpec, Supervisor, module_process, plan_processes

BACKLOG = 512
"""Number of connections queued while a process restarts."""


def up(
    processes: Annotated[
        int | None, typer.Option(min=1, help="Number of scan processes; default: from the settings.")
    ] = None,
    schedule: Annotated[
        bool, typer.Option("--schedule/--no-schedule", help="Run the schedule: nightly scans, recovery of lost jobs.")
    ] = True,
    work: Annotated[bool, typer.Option("--work/--no-work", help="Run jobs on this machine.")] = True,
    pages: Annotated[bool, typer.Option("--pages/--no-pages", help="Serve the pages and the API.")] = True,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the pages; default: from the settings (8000).")
    ] = None,
) -> None:
    """Run the service until Ctrl-C: pages, workers and schedule.

    With the default settings no other server is needed: database, messages and images are files in the home folder.
    The first start prints a link that creates the first administrator. With several machines, one runs the schedule
    and the others are started with --no-schedule --no-pages.

    Exit codes: 0 stopped by Ctrl-C or SIGTERM, 2 the settings, the database or a folder cannot be used.
    """
    if not (work or schedule or pages):
        raise SettingsError(
            "--no-work, --no-schedule and --no-pages together leave nothing to run. Omit one of them.",
            "cli.nothing_runs",
        )
    settings = read_service()
    set_up_logging(settings)
    log_version("up")
    port = port or settings.web.port
    web_processes: list[ProcessSpec] = []
    if pages:
        check_packages()
        listener = _listen(settings.web.address, port)
        web_processes = _plan_web(listener.fileno(), settings.web_processes)
    parts = plan_processes(processes or settings.worker_processes, workers=work, schedule=schedule, pages=web_processes)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with prepare_service(settings, sorted({part.kind for part in parts})) as context:
        _print_settings(console, settings, context, parts)
        if pages:
            store_port(settings, port)
            _print_page_links(console, settings, context)
        redirect_to_log_file(settings.log)
        code = Supervisor(parts, context).run()
    console.print(say("Tuban has stopped. Unfinished jobs resume at the next start.", "cli.stopped"))
    raise typer.Exit(code)


def _plan_web(socket_fd: int, processes: int) -> list[ProcessSpec]:
    """Plan the processes that serve the pages. They share one listening socket; an idle one accepts each connection."""
    names = ["pages"] if processes == 1 else [f"pages {number}" for number in range(1, processes + 1)]
    arguments = ("web.server", "--listening", str(socket_fd))
    return [module_process(name, "web", *arguments, pass_fds=(socket_fd,)) for name in names]


def _listen(address: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"The pages cannot be served on {address} port {port}: {error}. Name another port with --port or "
            "TUBAN_WEB__PORT.",
            "cli.port",
            address=address,
            port=port,
            error=str(error),
        ) from error


def _print_page_links(console: Console, settings: ServiceSettings, context: Context) -> None:
    """Print the address of the pages and, until there is one, the link that creates the first administrator."""
    base = served_pages_url(settings)
    console.print(f"  {head('pages'):9} {base}", markup=False)
    with context.database.write() as session:
        secret = None if has_administrator(session) else invite(session, None, context.clock())
    if secret is not None:
        message = "There is no administrator yet. Open this link to create the first one (it works once):"
        console.print("\n" + say(message, "cli.first_administrator"))
        console.print(f"  {base}/welcome/{secret}\n", markup=False)


def _print_settings(console: Console, settings: ServiceSettings, context: Context, parts: list[ProcessSpec]) -> None:
    console.print(say("Tuban is up; Ctrl-C stops it.", "cli.up"))
    for name, value in (
        ("version", program_version()),
        ("home", settings.home.resolve()),
        ("database", context.database.engine.url.render_as_string(hide_password=True)),
        ("broker", redacted_address(settings)),
        ("objects", settings.objects_url),
        ("runs", ", ".join(part.name for part in parts)),
        ("night", f"{settings.night.at} {settings.time_zone}"),
        *([("watches", settings.watch.folder)] if settings.watch.folder else []),
        *([("metrics", f"http://127.0.0.1:{settings.metrics_port}/metrics")] if settings.metrics_port else []),
    ):
        console.print(f"  {head(name):9} {value}", markup=False)
