"""Entry point of the command ``tuban`` and its list of sub-commands."""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from cli.chinese_help import (
    INTRODUCTION,
    MAIN_OPTIONS,
    chinese_summaries,
    chinese_usage_error,
    translate_frame,
    translate_help,
)
from cli.exit_codes import INTERRUPTED
from cli.language import in_language, language, say
from cli.listing import describe_fields, listings_of
from configs.version import program_version
from errors import TubanError

COMMANDS: dict[str, tuple[str, str]] = {
    "scan": ("cli.detection.scan:scan", "Compare two dates of one place and write what changed."),
    "place": ("cli.detection.place:place", "Orient raw drone photos and build a georeferenced mosaic."),
    "demo": ("cli.detection.demo:demo", "Demonstrate a scan and the service on a rendered scene with known truth."),
    "reviewed": ("cli.learning.reviewed:reviewed", "Turn reviewed alerts into training data."),
    "train": ("cli.learning.train:train", "Train a network, or resume an interrupted training run."),
    "export": (
        "cli.learning.train:export",
        "Export a training run as weights with checksum, thresholds and model card.",
    ),
    "calibrate": (
        "cli.learning.calibrate:calibrate",
        "Calibrate weights on pairs that they were not trained on.",
    ),
    "evaluate": ("cli.learning.evaluate:evaluate", "Measure the accuracy of a detector on labelled pairs."),
    "up": ("cli.administration.up:up", "Run the service: pages, ingest, nightly scans and delivery, in one command."),
    "upload": ("cli.administration.upload:upload", "Upload images from a laptop to the service."),
    "people": (
        "cli.administration.people:people_app",
        "Add users, and create the links with which they set their password.",
    ),
    "verify": ("cli.detection.verify:verify", "Verify a signed evidence bundle, without the service."),
    "ingest": ("cli.administration.ingest:ingest", "Ingest images into the service: files, folders and zip files."),
    "images": ("cli.administration.images:images_app", "List, correct, withdraw and purge images."),
    "alerts": ("cli.reporting.alerts:alerts_app", "List and export alerts, by the filter of the pages."),
    "areas": ("cli.administration.areas:areas_app", "Load and list villages, townships and counties."),
    "layers": ("cli.administration.layers:layers_app", "Load and list approvals, farmland and plans, in versions."),
    "camera": ("cli.administration.camera:camera_app", "Add, list, test and capture fixed cameras."),
    "night": ("cli.administration.night:night", "Show the last nightly scans, or plan one now."),
    "status": ("cli.administration.status:status", "Show the state of the service."),
    "audit": ("cli.maintenance.audit:audit", "Verify the hash chain of every alert's log."),
    "check": ("cli.maintenance.check:check", "Verify stored objects, rows and logs; repair objects from a backup."),
    "jobs": ("cli.administration.jobs:jobs", "List waiting, running and dead jobs."),
    "revive": ("cli.administration.jobs:revive", "Retry dead jobs."),
    "queue": ("cli.administration.deliveries:queue", "Read the enforcement queue as plain JSON."),
    "deliveries": ("cli.administration.deliveries:deliveries", "List waiting and dead deliveries; retry or drop them."),
    "retention": (
        "cli.administration.retention:retention_app",
        "List and delete what exceeds the settings' limits, and place holds.",
    ),
    "sharing": ("cli.administration.sharing:sharing_app", "List receiving bodies and their reads; write their files."),
    "document": ("cli.reporting.document:document", "Write a document of an alert from its Word template."),
    "report": ("cli.reporting.report:report", "Write a periodic report or the ranking as xlsx, docx and PDF."),
    "migrate": ("cli.maintenance.migrate:migrate", "Migrate the database to the schema of this version."),
    "backup": ("cli.maintenance.backup:backup", "Back up the database and all object files into one file."),
    "restore": ("cli.maintenance.backup:restore", "Restore a backup."),
    "restore-drill": ("cli.maintenance.restore_drill:drill", "Restore a backup into a scratch home and compare."),
    "weights": ("cli.administration.weights:weights_app", "List, add and use own weights."),
    "move": ("cli.maintenance.move:move", "Move to another database and object store, for example to PostgreSQL."),
    "config": ("cli.config:config", "Print the effective settings."),
}
"""Command name → (``module:attribute``, one-line help). A command is imported only when it is called, so that
`tuban status` does not load torch and the supervisor of `tuban up` does not keep it in memory."""


Command = Any
"""A Click command. Typer does not export the class."""


class _LazyGroup(TyperGroup):
    """Command group that lists its commands without importing them."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help in the language."""
        if language() == "zh":
            self.help = INTRODUCTION
            parameters: list[Any] = self.get_params(ctx)
            for parameter in parameters:
                parameter.help = MAIN_OPTIONS.get(parameter.opts[0], getattr(parameter, "help", None))
        super().format_help(ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return all command names, in the order of :data:`COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Command:
        """Return a placeholder for the list of commands; :meth:`resolve_command` imports the real one."""
        if cmd_name not in COMMANDS:
            return None
        summary = chinese_summaries()[cmd_name] if language() == "zh" else COMMANDS[cmd_name][1]
        return TyperCommand(cmd_name, help=summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Command, list[str]]:
        """Import the command that is called."""
        if args and args[0] in COMMANDS:
            return args[0], load_command(args[0]), args[1:]
        return super().resolve_command(ctx, args)


def load_command(name: str) -> Command:
    """Import a command of :data:`COMMANDS`: a function, or a Typer application with sub-commands."""
    module_name, attribute = COMMANDS[name][0].split(":")
    module = import_module(module_name)
    target: Any = getattr(module, attribute)
    if not isinstance(target, typer.Typer):
        wrapper = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        wrapper.command(name)(target)
        target = wrapper
    command: Command = typer.main.get_command(target)
    command.name = name
    describe_fields(command, name, listings_of(module))
    if language() == "zh":
        translate_help(command, name)
    return command


app = typer.Typer(
    name="tuban",
    cls=_LazyGroup,
    help="Tuban (图斑) finds new construction and ground works between two dates of aerial or satellite imagery.\n\n"
    "Its results are suspected changes, to be checked on the ground.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"tuban {program_version()}")
        raise typer.Exit


@app.callback()
def _tuban(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Accept only ``--version`` before the command name."""


def main() -> None:
    """Run the command line; report a :class:`TubanError` as one message with its exit code, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal whose encoding lacks a character shows "?"
    console = Console(stderr=True, highlight=False)
    if language() == "zh":
        translate_frame()
    try:
        # standalone mode would report errors with Typer's own wording and exit codes
        code = app(standalone_mode=False, prog_name="tuban")
    except typer.TyperException as error:  # a wrong option or argument
        usage_error: Any = error
        if language() == "zh":
            message = chinese_usage_error(usage_error.format_message())
            context = getattr(usage_error, "ctx", None)
            path = context.command_path if context else "tuban"
            console.print(f"tuban: {message}\n用 {path} --help 查看帮助。", markup=False, soft_wrap=True)
        else:
            usage_error.show()
        sys.exit(usage_error.exit_code)
    except TubanError as error:
        console.print("tuban:", in_language(error.reason), style="red", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # Typer also returns it after Ctrl-C
        console.print(f"tuban: {say('interrupted; nothing was written.', 'cli.interrupted')}", markup=False)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
