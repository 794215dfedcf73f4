"""The command ``tuban`` and its sub-commands."""

from __future__ import annotations

import sys

import click
import typer
from rich.console import Console

from cli.config import config
from cli.demo import demo
from cli.evaluate import evaluate
from cli.reviewed import reviewed
from cli.scan import scan
from cli.train import export, train
from errors import TubanError

app = typer.Typer(
    name="tuban",
    help="Tuban (图斑) finds new construction and ground works between two dates of aerial or satellite imagery.\n\n"
    "What it finds are suspected changes, to be checked on the ground.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(scan)
app.command()(demo)
app.command()(reviewed)
app.command()(train)
app.command()(export)
app.command()(evaluate)
app.command()(config)

INTERRUPTED = 130


def main() -> None:
    """Run the command; a known error becomes one message and its exit code, never a traceback."""
    words = Console(stderr=True, highlight=False)
    try:
        # not click's own handling of errors, which has other words and exit codes
        code = app(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TubanError as error:
        words.print("tuban:", str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # what typer returns after Ctrl-C
        words.print("tuban: interrupted; nothing was written.", markup=False)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
