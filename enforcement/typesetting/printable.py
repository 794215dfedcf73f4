"""Verify that a report can be typeset, before a person signs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enforcement.reports.content import Content
from enforcement.reports.fields import SOURCES
from enforcement.typesetting.errors import MissingGlyphError
from enforcement.typesetting.fonts import missing_characters
from errors import Reason


def verify_printable(content: Content) -> None:
    """Verify the texts of all tables of a report.

    Raises:
        MissingGlyphError: no font has a character; the error says in which row and field.
    """
    for table, rows in content.tables.items():
        for number, row in enumerate(rows, 1):
            for name, value in row.values.items():
                for words in _texts(value):
                    for character in missing_characters(words):
                        raise MissingGlyphError(character, _place(table, number, name), words)


def _texts(value: Any) -> list[str]:
    """Return the texts of a value: its own, or those in each language."""
    if isinstance(value, Mapping):
        return [words for words in value.values() if isinstance(words, str)]
    return [value] if isinstance(value, str) else []


def _place(table: str, row: int, name: str) -> Reason:
    field = SOURCES.get(table, {}).get(name)
    english, chinese = (field.en, field.zh) if field else (name, name)
    return Reason(f"row {row}, column {english}", "typesetting.cell", row=row, column=chinese)
