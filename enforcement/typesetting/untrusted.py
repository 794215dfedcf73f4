"""Replace characters without a glyph in untrusted text, for documents that appear in any case, as evidence does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from enforcement.typesetting.fonts import is_printable

REPLACEMENT = "〓"
"""Replaces characters without a glyph, as usual in Chinese typesetting."""

_WHITE = str.maketrans(dict.fromkeys("\t\n\r\v\f\u2028\u2029", " "))


def replace_missing(value: Any, replaced: dict[str, None]) -> Any:
    """Return data with line ends as spaces and characters without a glyph as :data:`REPLACEMENT`.

    Args:
        value: text, or mappings and sequences of it; other values are returned unchanged.
        replaced: gets the characters that were replaced, each once, in order.
    """
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return value
        return "".join(_printable(character, replaced) for character in value.translate(_WHITE))
    if isinstance(value, Mapping):
        return {key: replace_missing(item, replaced) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [replace_missing(item, replaced) for item in value]
    return value


def _printable(character: str, replaced: dict[str, None]) -> str:
    if is_printable(character):
        return character
    replaced[character] = None
    return REPLACEMENT
