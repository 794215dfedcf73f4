"""A sheet as xlsx: formulas with their computed values, typed numbers and days, frozen heading, A4."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from enforcement.reports.cell_text import COLONS, clean, looks_like_formula
from enforcement.reports.expression import to_spreadsheet
from enforcement.reports.sheet import Cell, Column, Row, Sheet, Total, shown

FONTS = {"title": "方正小标宋简体", "heading": "黑体", "body": "宋体"}
"""Fonts by name, as documents of bureaus use them; programs substitute those that are not installed."""

_A4 = 9
_DAY = "yyyy-mm-dd"
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # of the file's properties: the same content is the same file


class _Styles:
    """Formats of one workbook, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, Any], ...], Any] = {}

    def get(self, **properties: Any) -> Any:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            base = {"font_name": FONTS["body"], "font_size": 9, "valign": "vcenter", "text_wrap": True}
            self._made[key] = self._book.add_format(base | properties)
        return self._made[key]


def write_xlsx(sheets: Sequence[Sheet], path: Path) -> None:
    """Write sheets as worksheets of one workbook.

    Texts are written as texts, whatever they begin with: nothing that a person entered is evaluated.

    Args:
        sheets: at least one; their names are made unique.
        path: of the file, which is overwritten.
    """
    with xlsxwriter.Workbook(
        str(path), {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    ) as book:
        book.set_properties({"title": clean(sheets[0].title)[:200], "created": _EPOCH})
        book.set_calc_mode("auto")
        styles = _Styles(book)
        used: set[str] = set()
        for sheet in sheets:
            name = sheet.worksheet
            number = 2
            while name.lower() in used:
                name, number = f"{sheet.worksheet[:27]} {number}", number + 1
            used.add(name.lower())
            _write(book.add_worksheet(name), sheet, styles)


def _write(worksheet: Any, sheet: Sheet, styles: _Styles) -> None:
    last = len(sheet.columns) - 1
    line = _write_title(worksheet, sheet, styles, last)
    first_heading = line
    line = _write_heading(worksheet, sheet, styles, line)
    first_row = line
    for row in sheet.rows:
        _write_row(worksheet, sheet, row, styles, line)
        worksheet.set_row(line, _height(sheet, row))
        line += 1
    for total in sheet.totals:
        _write_total(worksheet, sheet, total, styles, (first_row, first_row + len(sheet.rows) - 1), line)
        line += 1
    line = _write_foot(worksheet, sheet, styles, line, last)
    worksheet.freeze_panes(first_row, 0)
    worksheet.repeat_rows(first_heading, first_row - 1)
    worksheet.print_area(0, 0, max(line - 1, first_row), last)
    if sheet.landscape:
        worksheet.set_landscape()
    worksheet.set_paper(_A4)
    worksheet.fit_to_pages(1, 0)
    worksheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.7)
    worksheet.center_horizontally()
    worksheet.set_footer("&C&P / &N")
    worksheet.hide_gridlines(2)
    for number, column in enumerate(sheet.columns):
        worksheet.set_column(number, number, column.width)


def _write_title(worksheet: Any, sheet: Sheet, styles: _Styles, last: int) -> int:
    title = styles.get(font_name=FONTS["title"], font_size=16, align="center", bold=True)
    _merged(worksheet, 0, 0, last, sheet.title, title)
    worksheet.set_row(0, 30)
    if not (sheet.heading or sheet.status):
        return 1
    colon = COLONS[sheet.language]
    words = "    ".join(f"{label}{colon}{value}" if value else label for label, value in sheet.heading)
    status = f"    【{sheet.status}】" if sheet.status else ""
    _merged(worksheet, 1, 0, last, words + status, styles.get(align="left"))
    worksheet.set_row(1, 15 * _lines(words + status, sheet))
    return 2


def _write_heading(worksheet: Any, sheet: Sheet, styles: _Styles, line: int) -> int:
    style = styles.get(font_name=FONTS["heading"], align="center", border=1, bg_color="#EEF1F4")
    if not sheet.has_groups:
        for number, column in enumerate(sheet.columns):
            worksheet.write_string(line, number, clean(column.heading), style)
        worksheet.set_row(line, _heading_height(sheet))
        return line + 1
    number = 0
    for group, columns in sheet.groups():
        if group:
            _merged(worksheet, line, number, number + len(columns) - 1, group, style)
            for place, column in enumerate(columns, number):
                worksheet.write_string(line + 1, place, clean(column.heading), style)
        else:
            worksheet.merge_range(line, number, line + 1, number, "", style)
            worksheet.write_string(line, number, clean(columns[0].heading), style)
        number += len(columns)
    worksheet.set_row(line + 1, _heading_height(sheet))
    return line + 2


def _write_row(worksheet: Any, sheet: Sheet, row: Row, styles: _Styles, line: int) -> None:
    for number, (column, value) in enumerate(zip(sheet.columns, row.cells, strict=True)):
        style = _style(column, value, styles, row.emphasis, corrected=column.key in row.originals)
        if column.formula and isinstance(value, int | float):
            words = to_spreadsheet(column.formula, lambda key: xl_rowcol_to_cell(line, sheet.index(key)))
            worksheet.write_formula(line, number, words, style, value)
        else:
            _write_cell(worksheet, line, number, value, style)
        if column.key in row.originals:
            original = row.originals[column.key]
            prefix = "原值：" if sheet.language == "zh" else "Originally: "
            worksheet.write_comment(line, number, prefix + clean("–" if original is None else str(original)))


def _write_total(worksheet: Any, sheet: Sheet, total: Total, styles: _Styles, rows: tuple[int, int], line: int) -> None:
    label_written = False
    for number, column in enumerate(sheet.columns):
        value = total.values.get(column.key)
        style = _style(column, value, styles, emphasis=True)
        how = total.how_of(column.key)
        if value is None and column.key not in total.values:
            words = "" if label_written or number > 1 else total.label
            label_written = label_written or bool(words)
            _write_cell(worksheet, line, number, words or None, style)
        elif how == "sum" and sheet.rows and isinstance(value, int | float):
            span = f"{xl_rowcol_to_cell(rows[0], number)}:{xl_rowcol_to_cell(rows[1], number)}"
            worksheet.write_formula(line, number, f"=SUM({span})", style, value)
        elif how == "formula" and column.formula and isinstance(value, int | float):
            words = to_spreadsheet(column.formula, lambda key: xl_rowcol_to_cell(line, sheet.index(key)))
            worksheet.write_formula(line, number, words, style, value)
        else:
            _write_cell(worksheet, line, number, value, style)


def _write_foot(worksheet: Any, sheet: Sheet, styles: _Styles, line: int, last: int) -> int:
    for note in sheet.notes:
        _merged(worksheet, line, 0, last, note, styles.get(font_size=8, align="left"))
        worksheet.set_row(line, 12 * _lines(note, sheet))
        line += 1
    if sheet.signatures:
        colon = COLONS[sheet.language]
        words = "        ".join(f"{field.label}{colon}{field.value or '____________'}" for field in sheet.signatures)
        _merged(worksheet, line, 0, last, words, styles.get(align="left"))
        worksheet.set_row(line, 24)
        line += 1
    return line


def _style(column: Column, value: Cell, styles: _Styles, emphasis: bool = False, corrected: bool = False) -> Any:
    properties: dict[str, Any] = {"border": 1, "align": "center" if column.kind == "date" else "left"}
    if column.is_numeric:
        places = f".{'0' * column.places}" if column.places else ""
        properties["num_format"] = {"percent": f"0{places}%", "whole": "0"}.get(column.kind, f"#,##0{places}")
        properties["align"] = "right"
    elif column.kind == "date":
        properties["num_format"] = _DAY
    else:
        properties["num_format"] = "@"
    if looks_like_formula(value):
        properties["quote_prefix"] = True
    if emphasis:
        properties["bold"] = True
    if corrected:
        properties["bg_color"] = "#FFF2CC"
    return styles.get(**properties)


def _write_cell(worksheet: Any, line: int, number: int, value: Cell, style: Any) -> None:
    if value is None:
        worksheet.write_blank(line, number, None, style)
    elif isinstance(value, dt.date):
        worksheet.write_datetime(line, number, dt.datetime.combine(value, dt.time()), style)
    elif isinstance(value, str):
        worksheet.write_string(line, number, clean(value), style)
    else:
        worksheet.write_number(line, number, value, style)


def _merged(worksheet: Any, line: int, first: int, last: int, words: str, style: Any) -> None:
    if last > first:
        worksheet.merge_range(line, first, line, last, "", style)
    worksheet.write_string(line, first, clean(words), style)


def _height(sheet: Sheet, row: Row) -> float:
    """Return the height of a row in points; programs do not fit rows with wrapped texts when they open a file."""
    lines = max(
        -(-_width(shown(value, column)) // max(column.width - 1, 1))
        for column, value in zip(sheet.columns, row.cells, strict=True)
    )
    return 4 + 12 * min(max(lines, 1), 30)


def _heading_height(sheet: Sheet) -> float:
    lines = max(-(-_width(column.heading) // max(column.width - 1, 1)) for column in sheet.columns)
    return 6 + 12 * min(max(lines, 1), 8)


def _lines(words: str, sheet: Sheet) -> int:
    """Return how many lines a text takes over the whole width."""
    return max(1, -(-_width(words) // max(int(sum(column.width for column in sheet.columns)), 20)))


def _width(words: str) -> int:
    """Return the width of a text in half-width characters; a Chinese one is two wide."""
    return sum(2 if ord(c) > 0x2E7F else 1 for c in words)
