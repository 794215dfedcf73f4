"""Exit codes mean the same in every command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import errors
from cli.exit_codes import EXIT_CODES
from cli.main import COMMANDS, load_command


def _helps(command: Any) -> Iterator[str]:
    yield command.help or ""
    for inner in getattr(command, "commands", {}).values():
        yield from _helps(inner)


def test_codes_in_help_texts_and_errors_are_documented() -> None:
    named: set[int] = set()
    for name in COMMANDS:
        for text in _helps(load_command(name)):
            codes = text.partition("Exit codes:")[2].partition("\n\n")[0]
            named |= {int(code) for code in re.findall(r"(?:^|, )(\d+) ", codes.replace("\n", " ").strip())}
    assert {0, 1, 2, 3} < named <= set(EXIT_CODES)
    raised = {getattr(errors, name).exit_code for name in errors.__all__ if name not in ("Reason",)}
    assert raised <= set(EXIT_CODES)


def test_the_readme_names_every_code() -> None:
    readme = (Path(__file__).parents[2] / "cli" / "README.md").read_text("utf-8")
    paragraph = readme.partition("Exit codes (")[2].partition("\n\n")[0]
    assert set(map(int, re.findall(r"\b(\d+) \w", paragraph))) == set(EXIT_CODES)
