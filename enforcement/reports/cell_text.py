"""Texts of cells as files accept them: no control characters, and nothing that a spreadsheet would evaluate."""

from __future__ import annotations

import re

from enforcement.reports.sheet import Cell

COLONS = {"zh": "：", "en": ": "}
"""Between a label and its value, by language."""

MAX_TEXT = 32_767
"""Characters of a cell of a spreadsheet."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def clean(words: str) -> str:
    """Return a text without characters that XML forbids, at most :data:`MAX_TEXT` long."""
    return _FORBIDDEN.sub("�", words)[:MAX_TEXT]


def looks_like_formula(value: Cell) -> bool:
    """Whether a program might evaluate a text."""
    return isinstance(value, str) and value.startswith(_FORMULA)
