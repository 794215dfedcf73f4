"""Page of all commands, generated from their help texts."""

from __future__ import annotations

import re
from typing import Any

from cli.main import COMMANDS, load_command


def commands_markdown() -> str:
    """Return all commands of `tuban` as Markdown, in the order of `tuban --help`."""
    parts = [
        "# Commands\n",
        "`tuban COMMAND --help` prints the same. Exit code 0 is success and 130 is Ctrl-C; other codes are listed with "
        "each command.\n",
    ]
    for name in COMMANDS:
        parts += _command_markdown(load_command(name), f"tuban {name}", 2)
    return "\n".join(parts)


def _command_markdown(command: Any, name: str, level: int) -> list[str]:
    parts = [f"{'#' * level} {name}\n", f"{_paragraphs(command.help or '')}\n"]
    subcommands = getattr(command, "commands", {})
    if subcommands:
        for key, value in subcommands.items():
            parts += _command_markdown(value, f"{name} {key}", level + 1)
        return parts
    rows = [row for parameter in command.params if (row := _row(parameter))]
    if rows:
        parts += ["| | | |", "| --- | --- | --- |", *rows, ""]
    return parts


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
