"""Alerts as a spreadsheet (xlsx): one row each, headings that stay, dates as dates, numbers as numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from enforcement.alert import CRS, STATEMENT, Alert
from enforcement.evidence.sheet_texts import Language, Words
from enforcement.exports.columns import COLUMNS, Value, values_of
from enforcement.exports.vector_files import Exported, written_whole

LONGEST_TEXT = 32_767
"""Letters of a cell."""

MOST_ROWS = 1_048_575
"""Of a sheet, without its heading."""

_TITLES = (("线索", "说明"), ("Alerts", "About"))
_ABOUT = (
    ("坐标系", "Coordinates"),
    ("面积", "Areas"),
    ("椭球面积；1 亩 = 10000/15 平方米", "Ellipsoidal; 1 mu = 10,000/15 m²"),
    ("条数", "Alerts"),
)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_A4 = 9  # number of the paper
_MOST_GROUPED = 4  # decimals
_FORMATS = {"text": "@", "whole": "0", "date": "yyyy-mm-dd"}


def write_table(alerts: Iterable[Alert], path: Path, language: Language = "zh") -> Exported:
    """Write a workbook: the alerts, and a sheet that tells what they are. Rows are written as they come.

    Texts stay texts: one that begins like a formula is marked so that no program takes it for one.

    Raises:
        OutputError: it cannot be written.
    """
    words = Words(language)
    index = 0 if language == "zh" else 1
    count = 0
    remarks: tuple[str, ...] = ()
    with written_whole(path) as beside:
        book = Workbook(write_only=True)
        try:
            sheet = _sheet(book, words, index)
            row = _Row(sheet)
            for alert in alerts:
                if count == MOST_ROWS:
                    remarks = (f"A sheet holds {MOST_ROWS:,} alerts; the others were left out.",)
                    break
                sheet.append(row.cells(values_of(alert, words)))
                count += 1
            sheet.auto_filter.ref = f"A1:{get_column_letter(len(COLUMNS))}{count + 1}"
            _tell_about(book, words, index, count)
        finally:  # also when an alert fails: only saving removes what openpyxl keeps in temporary files
            book.save(beside)
    return Exported(count, remarks)


def _sheet(book: Any, words: Words, index: int) -> Any:
    sheet = book.create_sheet(_TITLES[index][0])
    sheet.freeze_panes = "B2"
    sheet.print_title_rows = "1:1"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", _A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.oddFooter.left.text = words.pair(STATEMENT)
    sheet.oddFooter.right.text = "&P / &N"
    for number, column in enumerate(COLUMNS, 1):
        sheet.column_dimensions[get_column_letter(number)].width = column.width
    sheet.append([_heading(sheet, column.headings[index]) for column in COLUMNS])
    return sheet


def _tell_about(book: Any, words: Words, index: int, count: int) -> None:
    about = book.create_sheet(_TITLES[index][1])
    about.column_dimensions["A"].width, about.column_dimensions["B"].width = 14, 60
    system, areas, how, alerts = (pair[index] for pair in _ABOUT)
    about.append([words.pair(STATEMENT)])
    about.append([system, f"CGCS2000, {CRS}"])
    about.append([areas, how])
    about.append([alerts, count])


def _heading(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, text)
    cell.font = Font(bold=True)
    cell.fill = PatternFill("solid", fgColor="EEF1F4")
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


class _Row:
    """The cells of one row, used again for each: a new style for every cell would take ten times as long."""

    def __init__(self, sheet: Any) -> None:
        self._cells = [WriteOnlyCell(sheet) for _ in COLUMNS]
        self._marked = [WriteOnlyCell(sheet) for _ in COLUMNS]
        for column, cell, marked in zip(COLUMNS, self._cells, self._marked, strict=True):
            grouped = "0" if column.decimals > _MOST_GROUPED else "#,##0"  # degrees have no thousands
            cell.number_format = _FORMATS.get(column.kind) or f"{grouped}.{'0' * column.decimals}"
            marked.number_format = _FORMATS["text"]
            marked.quotePrefix = True  # nor a formula once somebody edits the cell

    def cells(self, values: Sequence[Value]) -> list[Any]:
        """Put values in; None where nothing is known."""
        found: list[Any] = []
        for value, plain, marked in zip(values, self._cells, self._marked, strict=True):
            cell = None
            if isinstance(value, str) and value:
                text = _FORBIDDEN.sub("�", value)[:LONGEST_TEXT]
                cell = marked if text.startswith(_FORMULA) else plain
                cell.value = text
                cell.data_type = "s"  # whatever it begins with
            elif value is not None and value != "":
                cell = plain
                cell.value = value
            found.append(cell)
        return found
