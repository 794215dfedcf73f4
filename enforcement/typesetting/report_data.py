"""Tables of reports as data of ``report_table.typ``; characters without a glyph are reported by row and column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from enforcement.reports.sheet import Column, Row, Sheet, Signature, Total, shown
from enforcement.typesetting.errors import MissingGlyphError
from enforcement.typesetting.fonts import missing_characters
from errors import Reason

CORRECTED = "*"
"""Behind a value that a person corrected, as in the docx."""

_MAX_KEPT = 300
"""Characters of a row that is kept on one page; a longer row may continue on the next."""
_LARGEST, _SMALLEST = 9.0, 4.0
"""Sizes of the font of a table, in points."""
_PADDING = 0.5
"""Of a cell, left and right together, in em; as in the template."""
_LATIN, _WIDE = 0.6, 1.05
"""Widths of a Latin character and of a full-width one, in em, with a margin."""
_SLACK = 0.15
"""Of a column, in em, so that a heading exactly as wide as its column asks for is not broken."""
_UNBROKEN = 18
"""Characters of a word that is not broken, such as the number of an alert; longer ones break anywhere."""


def table_data(sheet: Sheet, width: float) -> dict[str, Any]:
    """Return the table of a sheet for a page.

    Args:
        sheet: of which the table is set.
        width: of the table on the page, points.

    Raises:
        MissingGlyphError: no font has a character of it.
    """
    for number, row in enumerate(sheet.rows, 1):
        for column, value in zip(sheet.columns, row.cells, strict=True):
            if isinstance(value, str):
                _verify(value, number, column)
    widths = column_widths(sheet)
    rows = [[_cell(value, column, row) for value, column in zip(row.cells, sheet.columns, strict=True)]
            for row in sheet.rows]  # fmt: skip
    return {
        "size": font_size(widths, width),
        "widths": widths,
        "align": [_alignment(column) for column in sheet.columns],
        "head": _head(sheet),
        "grouped": sheet.has_groups,
        "rows": rows,
        "kept": [max(map(len, row)) <= _MAX_KEPT for row in rows],
        "bold": [row.emphasis for row in sheet.rows],
        "totals": [_total(total, sheet.columns) for total in sheet.totals],
    }


def signature_data(signatures: Sequence[Signature]) -> list[dict[str, str]]:
    """Return the fields of the foot."""
    return [{"label": field.label, "value": field.value} for field in signatures]


def _verify(text: str, row: int, column: Column) -> None:
    for character in missing_characters(text):
        place = Reason(f"row {row}, column {column.label}", "typesetting.cell", row=row, column=column.label)
        raise MissingGlyphError(character, place, text)


def _cell(value: Any, column: Column, row: Row) -> str:
    words = shown(value, column)
    return words + CORRECTED if column.key in row.originals else words


def _total(total: Total, columns: Sequence[Column]) -> dict[str, Any]:
    """Return a row of totals; its label takes the columns before the first value."""
    cells = [shown(total.values[column.key], column) if column.key in total.values else "" for column in columns]
    span = next((number for number, column in enumerate(columns) if column.key in total.values), len(columns))
    return {"label": total.label, "span": span, "cells": cells}


def _head(sheet: Sheet) -> list[dict[str, Any]]:
    """Return the cells of the heading: those of the first row, then those of columns in groups."""
    first, second = [], []
    for group, columns in sheet.groups():
        if group:
            first.append({"text": group, "columns": len(columns), "rows": 1})
            second += [{"text": _heading(column), "columns": 1, "rows": 1} for column in columns]
        else:
            rows = 2 if sheet.has_groups else 1
            first.append({"text": _heading(columns[0]), "columns": 1, "rows": rows})
    return first + second


def _heading(column: Column) -> str:
    """Return the label, and below it the unit."""
    return f"{column.label}\n({column.unit})" if column.unit else column.label


def _alignment(column: Column) -> str:
    return "right" if column.is_numeric else "center" if column.kind == "date" else "left"


def column_widths(sheet: Sheet) -> list[float]:
    """Return the widths of the columns in em: what they ask for, and at least their longest word or number."""
    words: list[list[str]] = [[*column.label.split(), f"({column.unit})"] for column in sheet.columns]
    for row in sheet.rows:
        for found, column, value in zip(words, sheet.columns, row.cells, strict=True):
            found += _cell(value, column, row).split()
    for total in sheet.totals:
        for found, column in zip(words, sheet.columns, strict=True):
            found.append(shown(total.values.get(column.key), column))
    return [
        max(0.5 * column.width + _SLACK, *map(_unbroken_width, found))
        for column, found in zip(sheet.columns, words, strict=True)
    ]


def font_size(widths: Sequence[float], width: float) -> float:
    """Return the size in points at which columns of these widths in em fill a width in points."""
    size = width / (sum(widths) + _PADDING * len(widths))
    return round(min(_LARGEST, max(_SMALLEST, size)), 2)


def _unbroken_width(word: str) -> float:
    """Return the width in em that a word needs: Latin words are not broken, Chinese ones after each character."""
    longest = max((len(run) for run in re.findall("[!-~]+", word)), default=0)
    if longest > _UNBROKEN:
        return 0.0
    return max(longest * _LATIN, _WIDE if len(word) > longest else 0.0)
