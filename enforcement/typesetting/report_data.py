"""Tables of reports as data of ``report_table.typ``; characters without a glyph are reported by row and column."""

from __future__ import annotations

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
_LARGEST, _SMALLEST = 9.0, 5.5
"""Sizes of the font of a table, in points."""
_PADDING = 5.0
"""Of a cell, left and right together, in points."""


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
    rows = [[_cell(value, column, row) for value, column in zip(row.cells, sheet.columns, strict=True)]
            for row in sheet.rows]  # fmt: skip
    return {
        "size": _font_size(sheet.columns, width),
        "widths": [column.width for column in sheet.columns],
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
            second += [{"text": column.heading, "columns": 1, "rows": 1} for column in columns]
        else:
            rows = 2 if sheet.has_groups else 1
            first.append({"text": columns[0].heading, "columns": 1, "rows": rows})
    return first + second


def _alignment(column: Column) -> str:
    return "right" if column.is_numeric else "center" if column.kind == "date" else "left"


def _font_size(columns: Sequence[Column], width: float) -> float:
    """Return the size at which all columns have the width that they ask for, as far as that is legible."""
    characters = sum(column.width for column in columns)  # half-width, 0.5 em
    size = (width - _PADDING * len(columns)) / (0.5 * characters)
    return round(min(_LARGEST, max(_SMALLEST, size)), 1)
