"""``tuban up``: the whole service under one command."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from configs.service import ServiceSettings, read_service
from errors import SettingsError
from workers.broker import shown
from workers.context import Context
from workers.process import begin
from workers.start import prepared
from workers.supervisor import Part, Supervisor, plan_parts


def up(
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that scan; default: as the settings say.")
    ] = None,
    schedule: Annotated[
        bool, typer.Option("--schedule/--no-schedule", help="Whether nights begin and lost jobs are found from here.")
    ] = True,
    work: Annotated[bool, typer.Option("--work/--no-work", help="Whether jobs are done here.")] = True,
) -> None:
    """Run the service until Ctrl-C: workers and the schedule, with what they need.

    With the settings as they ship nothing else must run: database, messages and images are files in the home folder.
    On many machines, one has the schedule and the others `--no-schedule`.
    """
    if not (work or schedule):
        raise SettingsError("--no-work with --no-schedule leaves nothing to run.")
    settings = read_service()
    begin(settings)
    parts = plan_parts(processes or settings.worker_processes, work=work, schedule=schedule)
    words = Console(stderr=True, highlight=False, soft_wrap=True)
    with prepared(settings, sorted({part.kind for part in parts})) as context:
        _tell(words, settings, context, parts)
        code = Supervisor(parts, context).run()
    words.print("Tuban has stopped. What was not finished goes on with the next start.")
    raise typer.Exit(code)


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
