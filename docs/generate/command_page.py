"""Page of all commands, generated from their help texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from cli.exit_codes import EXIT_CODES
from cli.listing import Field, Listing, listings_of
from cli.main import COMMANDS, load_command


def commands_markdown() -> str:
    """Return all commands of `tuban` as Markdown, in the order of `tuban --help`."""
    parts = [
        "# Commands\n",
        "`tuban COMMAND --help` prints the same. `tuban --install-completion` lets the shell complete commands and "
        "options.\n",
        "Results are printed on standard output; logs, progress and errors on standard error. Where that is not a "
        "terminal, there are no progress bars and no colours. Commands that list have `--json` and then print an array "
        "of objects with the fields given here; numbers are numbers, days are `2026-11-20`, moments are ISO 8601 with "
        "an offset, and unknown values are `null`. Fields may be added, so ignore those that you do not know.\n",
        "## Exit codes\n",
        "| code | meaning |\n| --- | --- |",
        *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()),
        "",
    ]
    for name, (target, _) in COMMANDS.items():
        listings = listings_of(import_module(target.partition(":")[0]))
        parts += _command_markdown(load_command(name), name, 2, listings)
    return "\n".join(parts)


def _command_markdown(command: Any, name: str, level: int, listings: Mapping[str, Listing]) -> list[str]:
    parts = [f"{'#' * level} tuban {name}\n", f"{_paragraphs(command.help or '')}\n"]
    subcommands = getattr(command, "commands", {})
    if subcommands:
        for key, value in subcommands.items():
            parts += _command_markdown(value, f"{name} {key}", level + 1, listings)
        return parts
    rows = [row for parameter in command.params if (row := _row(parameter))]
    if rows:
        parts += ["| | | |", "| --- | --- | --- |", *rows, ""]
    if name in listings:
        parts += ["Fields of `--json`:\n", "| field | kind | meaning |", "| --- | --- | --- |"]
        parts += [f"| `{each.name}` | {_kind(each)} | {each.meaning} |" for each in listings[name].fields]
        parts.append("")
    return parts


def _kind(field: Field) -> str:
    return f"{field.kind} or null" if field.optional else field.kind


def _paragraphs(text: str) -> str:
    """Join the lines of each paragraph, which are wrapped for a terminal."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip().replace("\f", "")))


def _row(parameter: Any) -> str:
    if "--help" in parameter.opts:
        return ""
    argument = parameter.param_type_name == "argument"
    name = parameter.name.upper() if argument else ", ".join([*parameter.opts, *parameter.secondary_opts])
    text = " ".join(str(getattr(parameter, "help", "") or "").split()).replace("|", "\\|")
    default = parameter.default
    if not parameter.required and not argument and default not in (None, "", [], ()) and not callable(default):
        shown = str(default) if not isinstance(default, bool) else "yes" if default else "no"
        text += f" Default: `{shown}`."
    required = "required" if parameter.required else ""
    return f"| `{name}` | {required} | {text} |"
