"""The page of all commands, from their own help."""

from __future__ import annotations

import re
from typing import Any

from cli.main import COMMANDS, load_command


def command_text() -> str:
    """All commands of `tuban` as Markdown, in the order in which `tuban --help` lists them."""
    parts = [
        "# Commands\n",
        "`tuban COMMAND --help` says the same. Exit code 0 is success and 130 is Ctrl-C; other codes stand with each "
        "command.\n",
    ]
    for name in COMMANDS:
        parts += _described(load_command(name), f"tuban {name}", 2)
    return "\n".join(parts)


def _described(command: Any, name: str, level: int) -> list[str]:
    parts = [f"{'#' * level} {name}\n", f"{_paragraphs(command.help or '')}\n"]
    inner = getattr(command, "commands", {})
    if inner:
        for key, value in inner.items():
            parts += _described(value, f"{name} {key}", level + 1)
        return parts
    rows = [row for parameter in command.params if (row := _row(parameter))]
    if rows:
        parts += ["| | | |", "| --- | --- | --- |", *rows, ""]
    return parts


def _paragraphs(text: str) -> str:
    """Help is wrapped for a terminal; here paragraphs are."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip().replace("\f", "")))


def _row(parameter: Any) -> str:
    if "--help" in parameter.opts:
        return ""
    argument = parameter.param_type_name == "argument"
    name = parameter.name.upper() if argument else ", ".join([*parameter.opts, *parameter.secondary_opts])
    words = " ".join(str(getattr(parameter, "help", "") or "").split()).replace("|", "\\|")
    default = parameter.default
    if not parameter.required and not argument and default not in (None, "", [], ()) and not callable(default):
        shown = str(default) if not isinstance(default, bool) else "yes" if default else "no"
        words += f" Default: `{shown}`."
    must = "required" if parameter.required else ""
    return f"| `{name}` | {must} | {words} |"
