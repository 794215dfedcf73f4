"""A sheet or bulletin as docx: A4, repeated heading rows, page numbers, East Asian fonts by name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from enforcement.reports.bulletin import Bulletin, Chart
from enforcement.reports.cell_text import COLONS, clean
from enforcement.reports.sheet import Column, Row, Sheet, Signature, Total, shown

TITLE, HEADING, BODY, TABLE = "方正小标宋简体", "黑体", "仿宋_GB2312", "宋体"
LATIN = "Times New Roman"
LONG_SIDE_MM, SHORT_SIDE_MM = 297, 210
MARGIN_MM = {True: 15, False: 25}
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_BAR = "█"
_MOST_BARS = 30


def write_docx(report: Sheet | Bulletin, path: Path) -> None:
    """Write a report as a Word document; ``path`` is overwritten."""
    document = Document()
    landscape = isinstance(report, Sheet) and report.landscape
    _set_page(document, landscape)
    width = (LONG_SIDE_MM if landscape else SHORT_SIDE_MM) - 2 * MARGIN_MM[landscape]
    document.core_properties.title = clean(report.title)[:200]
    document.core_properties.created = document.core_properties.modified = _EPOCH
    document.core_properties.author = ""
    _paragraph(document, report.title, TITLE, 18, WD_ALIGN_PARAGRAPH.CENTER)
    if isinstance(report, Sheet):
        colon = COLONS[report.language]
        words = "    ".join(f"{label}{colon}{value}" if value else label for label, value in report.heading)
        status = f"    【{report.status}】" if report.status else ""
        if words or status:
            _paragraph(document, words + status, TABLE, 10)
        _table(document, report, width)
        for note in report.notes:
            _paragraph(document, note, TABLE, 9)
    else:
        _bulletin(document, report, width)
    _signatures(document, report.signatures, isinstance(report, Bulletin), COLONS[report.language])
    document.save(str(path))


def _bulletin(document: Any, report: Bulletin, width: float) -> None:
    line = "    ".join(filter(None, (report.issuer, report.number, report.day)))
    if report.status:
        line += f"    【{report.status}】"
    if line:
        _paragraph(document, line, TABLE, 11, WD_ALIGN_PARAGRAPH.CENTER)
    for section in report.sections:
        _paragraph(document, section.heading, HEADING, 14, keep=True)
        for words in section.paragraphs:
            _paragraph(document, words, BODY, 12, indent=True)
        if section.chart:
            _chart(document, section.chart, width)
        if section.area_map:
            _chart(
                document,
                Chart(
                    section.area_map.title,
                    tuple(area.name for area in section.area_map.areas),
                    (_series([area.value for area in section.area_map.areas]),),
                    section.area_map.unit,
                ),
                width,
            )
        if section.sheet:
            _table(document, section.sheet, width)
            _paragraph(document, "", TABLE, 6)


def _series(values: Sequence[float]) -> Any:
    from enforcement.reports.bulletin import Series

    return Series("", tuple(values))


def _chart(document: Any, chart: Chart, width: float) -> None:
    """Write a chart as a table of bars, which Word and WPS show alike and screen readers read."""
    _paragraph(document, f"{chart.title}({chart.unit})" if chart.unit else chart.title, HEADING, 10.5, keep=True)
    most = max((value or 0 for series in chart.series for value in series.values), default=0) or 1
    table = document.add_table(rows=0, cols=3)
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    for place, label in enumerate(chart.labels):
        for series in chart.series:
            value = series.values[place]
            cells = table.add_row().cells
            _cell(cells[0], f"{label} {series.name}".strip(), TABLE, 9)
            _cell(cells[1], _BAR * round((value or 0) / most * _MOST_BARS), TABLE, 7)
            _cell(cells[2], "–" if value is None else f"{value:g}", TABLE, 9, WD_ALIGN_PARAGRAPH.RIGHT)
    _set_widths(table, [width * 0.3, width * 0.55, width * 0.15])
    _paragraph(document, "", TABLE, 6)


def _table(document: Any, sheet: Sheet, width: float) -> None:
    heading_rows = 2 if sheet.has_groups else 1
    size = 9 if len(sheet.columns) <= 12 else 7.5 if len(sheet.columns) <= 20 else 6
    table = document.add_table(
        rows=heading_rows + len(sheet.rows) + len(sheet.totals), cols=len(sheet.columns), style="Table Grid"
    )
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    cells = _grid(table)
    _heading(cells, sheet, size)
    for number in range(heading_rows):
        _repeat(table.rows[number])
    for number, row in enumerate(sheet.rows, heading_rows):
        _fill(cells[number], sheet.columns, row, size)
        _keep_together(table.rows[number])
    for number, total in enumerate(sheet.totals, heading_rows + len(sheet.rows)):
        _total(cells[number], sheet.columns, total, size)
    whole = sum(column.width for column in sheet.columns)
    _set_widths(table, [width * column.width / whole for column in sheet.columns])


def _grid(table: Any) -> list[list[Any]]:
    """Return the cells by row; ``table.cell`` is quadratic in the size of the table."""
    count = len(table.columns)
    flat = table._cells
    return [flat[start : start + count] for start in range(0, len(flat), count)]


def _heading(cells: Sequence[Sequence[Any]], sheet: Sheet, size: float) -> None:
    centre = WD_ALIGN_PARAGRAPH.CENTER
    number = 0
    for group, columns in sheet.groups():
        last = number + len(columns) - 1
        if group:
            merged = cells[0][number].merge(cells[0][last]) if last > number else cells[0][number]
            _cell(merged, group, HEADING, size, centre)
            for place, column in enumerate(columns, number):
                _cell(cells[1][place], column.heading, HEADING, size, centre)
        else:
            merged = cells[0][number].merge(cells[1][number]) if sheet.has_groups else cells[0][number]
            _cell(merged, columns[0].heading, HEADING, size, centre)
        number += len(columns)


def _fill(cells: Sequence[Any], columns: Sequence[Column], row: Row, size: float) -> None:
    for cell, column, value in zip(cells, columns, row.cells, strict=True):
        words = shown(value, column)
        if column.key in row.originals:
            words += "*"
        _cell(cell, words, TABLE, size, _alignment(column), bold=row.emphasis)


def _total(cells: Sequence[Any], columns: Sequence[Column], total: Total, size: float) -> None:
    label_written = False
    for number, (cell, column) in enumerate(zip(cells, columns, strict=True)):
        if column.key in total.values:
            _cell(cell, shown(total.values[column.key], column), TABLE, size, _alignment(column), bold=True)
        elif not label_written and number <= 1:
            _cell(cell, total.label, TABLE, size, bold=True)
            label_written = True


def _alignment(column: Column) -> Any:
    return WD_ALIGN_PARAGRAPH.RIGHT if column.is_numeric else WD_ALIGN_PARAGRAPH.LEFT


def _cell(cell: Any, words: str, font: str, size: float, alignment: Any = None, *, bold: bool = False) -> None:
    paragraph = cell.paragraphs[0]
    if alignment is not None:
        paragraph.alignment = alignment
    paragraph.paragraph_format.space_after = Pt(0)
    _run(paragraph, words, font, size, bold=bold)


def _paragraph(
    document: Any,
    words: str,
    font: str,
    size: float,
    alignment: Any = None,
    *,
    indent: bool = False,
    keep: bool = False,
) -> None:
    paragraph = document.add_paragraph()
    if alignment is not None:
        paragraph.alignment = alignment
    paragraph.paragraph_format.space_after = Pt(4)
    paragraph.paragraph_format.keep_with_next = keep
    if indent:
        paragraph.paragraph_format.first_line_indent = Pt(2 * size)
        paragraph.paragraph_format.line_spacing = 1.5
    _run(paragraph, words, font, size)


def _run(paragraph: Any, words: str, font: str, size: float, *, bold: bool = False) -> None:
    run = paragraph.add_run(clean(words))
    run.font.size = Pt(size)
    run.font.bold = bold
    run.font.name = LATIN
    run._element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), font)


def _signatures(document: Any, signatures: Sequence[Signature], right: bool, colon: str) -> None:
    if not signatures:
        return
    words = "        ".join(f"{field.label}{colon}{field.value or '____________'}" for field in signatures)
    _paragraph(document, words, TABLE, 10.5, WD_ALIGN_PARAGRAPH.RIGHT if right else None)


def _set_page(document: Any, landscape: bool) -> None:
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE if landscape else WD_ORIENT.PORTRAIT
    sides = (LONG_SIDE_MM, SHORT_SIDE_MM) if landscape else (SHORT_SIDE_MM, LONG_SIDE_MM)
    section.page_width, section.page_height = Mm(sides[0]), Mm(sides[1])
    margin = Mm(MARGIN_MM[landscape])
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = margin
    paragraph = section.footer.paragraphs[0]
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for kind, words in (("PAGE", ""), ("", " / "), ("NUMPAGES", "")):
        run = paragraph.add_run(words)
        run.font.size = Pt(9)
        if kind:
            _add_field(run, kind)


def _add_field(run: Any, name: str) -> None:
    for kind, words in (("begin", ""), ("", name), ("end", "")):
        if kind:
            element = OxmlElement("w:fldChar")
            element.set(qn("w:fldCharType"), kind)
        else:
            element = OxmlElement("w:instrText")
            element.set(qn("xml:space"), "preserve")
            element.text = words
        run._element.append(element)


def _repeat(row: Any) -> None:
    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    _keep_together(row)


def _keep_together(row: Any) -> None:
    row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))


def _set_widths(table: Any, widths: Sequence[float]) -> None:
    table.autofit = False
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Mm(width)
    for row in _grid(table):
        for cell, width in zip(row, widths, strict=True):
            if cell._tc.grid_span == 1:
                cell.width = Mm(width)
