"""Headings, paragraphs and tables of a sheet, which may continue on the next page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Paragraph, Table, TableStyle

from enforcement.evidence.sheet_fonts import REGULAR, markup

MARGIN = 15 * mm
PAGE_WIDTH = float(A4[0]) - 2 * MARGIN
"""Width between the margins, in points."""

BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=8.5, leading=12, wordWrap="CJK")
SMALL = ParagraphStyle("small", parent=BODY, fontSize=7.5, leading=10)
CODE = ParagraphStyle("code", parent=SMALL, fontSize=7)
_HEADING = ParagraphStyle("heading", parent=BODY, fontSize=10.5, leading=14, spaceBefore=8, spaceAfter=3)
_LINE = HexColor(0xB8B8B8)
_HEAD = HexColor(0xEEF1F4)

_MAX_CELL = 500
"""Characters of a cell. Rows cannot be split between pages, so longer texts continue in another row."""


def heading(text: str) -> Flowable:
    """Heading that is kept on the page of the following content."""
    return KeepTogether([CondPageBreak(28 * mm), heading_line(text)])


def heading_line(text: str) -> Flowable:
    """Heading without a page break rule, for content that is kept together."""
    return Paragraph(markup(text, bold=True), _HEADING)


def paragraph(text: str, style: ParagraphStyle = SMALL) -> Flowable:
    """Paragraph over the width of the page."""
    return Paragraph(markup(text), style)


def data_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float], right: Sequence[int] = ()
) -> Table:
    """Table with a header row that is repeated on each page.

    Args:
        head: column headings.
        rows: texts of the cells; long texts are wrapped.
        widths: relative widths of the columns.
        right: indices, from 0, of right-aligned columns.
    """
    cells: list[list[Any]] = [[Paragraph(markup(word, bold=True), SMALL) for word in head]]
    cells += [[Paragraph(markup(text), SMALL) for text in part] for row in rows for part in _split_row(row)]
    for index in right:
        for row in cells:
            row[index].style = _RIGHT
    styles = [*_GRID, ("BACKGROUND", (0, 0), (-1, 0), _HEAD)]
    return Table(cells, _column_widths(widths), repeatRows=1, style=TableStyle(styles), spaceAfter=3)


def value_table(pairs: Sequence[tuple[str, str]], code: bool = False) -> Table:
    """Table of names and values; ``code``: values are checksums."""
    style = CODE if code else BODY
    rows = [
        [Paragraph(markup(name), SMALL), Paragraph(part[0] if code else markup(part[0]), style)]
        for name, value in pairs
        for part in _split_row([value])
    ]
    styles = [*_GRID, ("BACKGROUND", (0, 0), (0, -1), _HEAD)]
    return Table(rows, _column_widths((0.24, 0.76)), style=TableStyle(styles))


def _split_row(row: Sequence[str]) -> list[tuple[str, ...]]:
    """Split a row into several, none of which is taller than a page."""
    cells = [[text[i : i + _MAX_CELL] for i in range(0, max(1, len(text)), _MAX_CELL)] for text in row]
    return list(zip_longest(*cells, fillvalue=""))


def _column_widths(widths: Sequence[float]) -> list[float]:
    return [width / sum(widths) * PAGE_WIDTH for width in widths]


_RIGHT = ParagraphStyle("right", parent=SMALL, alignment=2)
_GRID = [
    ("FONTNAME", (0, 0), (-1, -1), REGULAR),  # also of empty cells
    ("GRID", (0, 0), (-1, -1), 0.35, _LINE),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 3),
    ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ("TOPPADDING", (0, 0), (-1, -1), 1.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
]
