"""Export of alerts as a spreadsheet: xlsx with frozen headings, typed dates and numbers, or CSV. One row per alert."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from enforcement.alert import CRS, STATEMENT, Alert
from enforcement.evidence.sheet_texts import Language, SheetTexts
from enforcement.exports.columns import COLUMNS, Value, column_values
from enforcement.exports.vector_files import ExportResult, atomic_write

MAX_TEXT = 32_767
"""Characters of a cell."""

MAX_ROWS = 1_048_575
"""Rows of a sheet, without the heading."""

_TITLES = (("图斑", "说明"), ("Alerts", "About"))
_ABOUT = (
    ("坐标系", "Coordinates"),
    ("面积", "Areas"),
    ("椭球面积；1 亩 = 10000/15 平方米", "Ellipsoidal; 1 mu = 10,000/15 m²"),
    ("条数", "Alerts"),
)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_A4 = 9  # paper size code of Excel
_MAX_GROUPED_DECIMALS = 4  # numbers with more are degrees, which have no thousands separator
_FORMATS = {"text": "@", "integer": "0", "date": "yyyy-mm-dd"}


def write_spreadsheet(alerts: Iterable[Alert], path: Path, language: Language = "zh") -> ExportResult:
    """Write a workbook with a sheet of alerts and a sheet of explanations. Rows are written as a stream.

    Texts that look like formulas are marked as text, so that no program evaluates them.

    Raises:
        OutputError: the file cannot be written.
    """
    texts = SheetTexts(language)
    index = 0 if language == "zh" else 1
    count = 0
    remarks: tuple[str, ...] = ()
    with atomic_write(path) as temporary:
        book = Workbook(write_only=True)
        try:
            sheet = _add_alert_sheet(book, texts, index)
            row = _RowBuilder(sheet)
            for alert in alerts:
                if count == MAX_ROWS:
                    remarks = (f"A sheet holds {MAX_ROWS:,} alerts; the others were omitted.",)
                    break
                sheet.append(row.cells(column_values(alert, texts)))
                count += 1
            sheet.auto_filter.ref = f"A1:{get_column_letter(len(COLUMNS))}{count + 1}"
            _add_about_sheet(book, texts, index, count)
        finally:  # also on errors: only saving removes the temporary files of openpyxl
            book.save(temporary)
    return ExportResult(count, remarks)


def write_csv(alerts: Iterable[Alert], path: Path, language: Language = "zh") -> ExportResult:
    """Write comma-separated values in UTF-8 with a byte order mark, which Excel needs to read Chinese.

    Texts that look like formulas begin with an apostrophe, so that no program evaluates them.

    Raises:
        OutputError: the file cannot be written.
    """
    texts = SheetTexts(language)
    index = 0 if language == "zh" else 1
    count = 0
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(column.headings[index] for column in COLUMNS)
        for alert in alerts:
            rows.writerow(map(_csv_value, column_values(alert, texts)))
            count += 1
    return ExportResult(count)


def _csv_value(value: Value) -> Value:
    if isinstance(value, str):
        text = _FORBIDDEN.sub("�", value)
        return f"'{text}" if text.startswith(_FORMULA) else text
    return value


def _add_alert_sheet(book: Any, texts: SheetTexts, index: int) -> Any:
    sheet = book.create_sheet(_TITLES[index][0])
    sheet.freeze_panes = "B2"
    sheet.print_title_rows = "1:1"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", _A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.oddFooter.left.text = texts.pick(STATEMENT)
    sheet.oddFooter.right.text = "&P / &N"
    for number, column in enumerate(COLUMNS, 1):
        sheet.column_dimensions[get_column_letter(number)].width = column.width
    sheet.append([_heading(sheet, column.headings[index]) for column in COLUMNS])
    return sheet


def _add_about_sheet(book: Any, texts: SheetTexts, index: int, count: int) -> None:
    about = book.create_sheet(_TITLES[index][1])
    about.column_dimensions["A"].width, about.column_dimensions["B"].width = 14, 60
    crs, areas, definition, alerts = (pair[index] for pair in _ABOUT)
    about.append([texts.pick(STATEMENT)])
    about.append([crs, f"CGCS2000, {CRS}"])
    about.append([areas, definition])
    about.append([alerts, count])


def _heading(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, text)
    cell.font = Font(bold=True)
    cell.fill = PatternFill("solid", fgColor="EEF1F4")
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


class _RowBuilder:
    """Builds rows from reused cells: a new style for every cell would take ten times as long."""

    def __init__(self, sheet: Any) -> None:
        self._cells = [WriteOnlyCell(sheet) for _ in COLUMNS]
        self._quoted_cells = [WriteOnlyCell(sheet) for _ in COLUMNS]
        for column, cell, quoted in zip(COLUMNS, self._cells, self._quoted_cells, strict=True):
            integer = "0" if column.decimals > _MAX_GROUPED_DECIMALS else "#,##0"
            cell.number_format = _FORMATS.get(column.kind) or f"{integer}.{'0' * column.decimals}"
            quoted.number_format = _FORMATS["text"]
            quoted.quotePrefix = True  # stays a text when the cell is edited

    def cells(self, values: Sequence[Value]) -> list[Any]:
        """Return the cells of a row; None for unknown values."""
        cells: list[Any] = []
        for value, plain, quoted in zip(values, self._cells, self._quoted_cells, strict=True):
            cell = None
            if isinstance(value, str) and value:
                text = _FORBIDDEN.sub("�", value)[:MAX_TEXT]
                cell = quoted if text.startswith(_FORMULA) else plain
                cell.value = text
                cell.data_type = "s"  # never a formula
            elif value is not None and value != "":
                cell = plain
                cell.value = value
            cells.append(cell)
        return cells
