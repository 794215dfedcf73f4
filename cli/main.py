"""The command ``tuban`` and its sub-commands."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from errors import TubanError

COMMANDS: dict[str, tuple[str, str]] = {
    "scan": ("cli.detection.scan:scan", "Compare two dates of one place and write what changed."),
    "place": ("cli.detection.place:place", "Place raw photos of a drone and lay them into one georeferenced mosaic."),
    "demo": ("cli.detection.demo:demo", "Do the main job on a rendered scene with known truth, or on your own images."),
    "reviewed": ("cli.learning.reviewed:reviewed", "Turn reviewed alerts into data to train on."),
    "train": ("cli.learning.train:train", "Train a network, or go on where it was interrupted."),
    "export": ("cli.learning.train:export", "Turn a training run into weights with checksum, thresholds and card."),
    "evaluate": ("cli.learning.evaluate:evaluate", "Measure how good a detector is on labelled pairs."),
    "up": (
        "cli.administration.up:up",
        "Run the service: pages, ingest, nightly scans, delivery. Nothing else must run.",
    ),
    "upload": ("cli.administration.upload:upload", "Bring images from a laptop to the service."),
    "people": ("cli.administration.people:people_app", "Add people, and make links by which they set their password."),
    "verify": ("cli.detection.verify:verify", "Check an evidence bundle, without the service."),
    "ingest": ("cli.administration.ingest:ingest", "Take images into the service: files, folders, zip files."),
    "areas": ("cli.administration.areas:areas_app", "Load and list villages, townships and counties."),
    "layers": ("cli.administration.areas:layers_app", "Load and list approvals, farmland, plans."),
    "camera": ("cli.administration.camera:camera_app", "Add, list, try out and capture fixed cameras."),
    "night": ("cli.administration.night:night", "Show the last nights, or run one at once."),
    "status": ("cli.administration.status:status", "Show how the service stands."),
    "audit": ("cli.administration.audit:audit", "Verify that the logs of all alerts are as they were written."),
    "jobs": ("cli.administration.jobs:jobs", "List what waits, runs and failed."),
    "revive": ("cli.administration.jobs:revive", "Let dead jobs be tried again."),
    "queue": ("cli.administration.deliveries:queue", "Read the enforcement queue as plain JSON."),
    "deliveries": (
        "cli.administration.deliveries:deliveries",
        "List deliveries that wait or were given up, and revive them.",
    ),
    "migrate": ("cli.administration.migrate:migrate", "Bring the database to the tables of this version."),
    "backup": ("cli.administration.backup:backup", "Write database and object files into one file."),
    "restore": ("cli.administration.backup:restore", "Bring a backup back."),
    "config": ("cli.config:config", "Print the settings as they are read and checked."),
}
"""Command → where it is, and what the list of commands says of it. Imported only when it is called: `tuban status`
must not wait for a network's libraries, nor a supervisor hold them."""


Command = Any
"""Typer keeps the class of its commands to itself."""


class _Commands(TyperGroup):
    """Commands that are listed without being imported."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Command:
        """What the list shows; :meth:`resolve_command` gives the command itself."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Command, list[str]]:
        if args and args[0] in COMMANDS:
            return args[0], load_command(args[0]), args[1:]
        return super().resolve_command(ctx, args)


def load_command(name: str) -> Command:
    """Import a command of :data:`COMMANDS`: a function, or a Typer application with commands of its own."""
    module, attribute = COMMANDS[name][0].split(":")
    found: Any = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(found)
        found = alone
    command: Command = typer.main.get_command(found)
    command.name = name
    return command


app = typer.Typer(
    name="tuban",
    cls=_Commands,
    help="Tuban (图斑) finds new construction and ground works between two dates of aerial or satellite imagery.\n\n"
    "What it finds are suspected changes, to be checked on the ground.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _tuban() -> None:
    """Nothing is common to all commands."""


INTERRUPTED = 130


def main() -> None:
    """Run the command; a known error becomes one message and its exit code, never a traceback."""
    words = Console(stderr=True, highlight=False)
    try:
        # not typer's own handling of errors, which has other words and exit codes
        code = app(standalone_mode=False)
    except typer.TyperException as error:  # a wrong option or argument
        wrong: Any = error
        wrong.show()
        sys.exit(wrong.exit_code)
    except TubanError as error:
        words.print("tuban:", str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # what typer returns after Ctrl-C
        words.print("tuban: interrupted; nothing was written.", markup=False)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
