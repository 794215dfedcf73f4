"""Chinese texts of errors without a code, found by their English message: ``help/errors.yaml``."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path

import yaml

_FILE = Path(__file__).parent / "help" / "errors.yaml"
_PLACE = re.compile(r"\{(\d+)\}")


@cache
def message_templates() -> dict[str, str]:
    """Return Chinese texts by English ones, both with numbered placeholders like ``{0}``."""
    texts: dict[str, str] = yaml.safe_load(_FILE.read_text("utf-8"))
    return texts


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the templates as patterns; those with the most literal text first, because they say more."""
    found = []
    for english, chinese in message_templates().items():
        parts = _PLACE.split(english)
        pattern = "".join(re.escape(part) if index % 2 == 0 else "(.*?)" for index, part in enumerate(parts))
        literal = sum(len(part) for part in parts[::2])
        found.append((literal, re.compile(pattern, re.DOTALL), chinese, [int(part) for part in parts[1::2]]))
    found.sort(key=lambda entry: -entry[0])
    return tuple((pattern, _by_group(chinese, numbers)) for _, pattern, chinese, numbers in found)


def _by_group(chinese: str, numbers: list[int]) -> str:
    """Number the placeholders by their order in the English text."""
    return _PLACE.sub(lambda place: "{" + str(numbers.index(int(place[1]))) + "}", chinese)


@lru_cache(maxsize=512)
def chinese_message(message: str) -> str:
    """Return an English message without a code in Chinese; unchanged if it is not among the known ones."""
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(message):
            return chinese.format(*found.groups())
    return message
