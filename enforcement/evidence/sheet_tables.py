"""Headings, lines and tables of a sheet, which go on to the next page wherever they must."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Paragraph, Table, TableStyle

from enforcement.evidence.sheet_fonts import LATIN, markup

MARGIN = 15 * mm
PAGE_WIDTH = float(A4[0]) - 2 * MARGIN
"""Between the margins, points."""

BODY = ParagraphStyle("body", fontName=LATIN, fontSize=8.5, leading=12, wordWrap="CJK")
SMALL = ParagraphStyle("small", parent=BODY, fontSize=7.5, leading=10)
CODE = ParagraphStyle("code", parent=SMALL, fontName="Courier", fontSize=7)
_HEADING = ParagraphStyle("heading", parent=BODY, fontSize=10.5, leading=14, spaceBefore=8, spaceAfter=3)
_LINE = HexColor(0xB8B8B8)
_HEAD = HexColor(0xEEF1F4)

_MOST_LETTERS = 500
"""Of one cell. A row cannot be split between two pages, so a longer text goes on in a row of its own."""


def heading(text: str) -> Flowable:
    """A heading that does not stay alone at the foot of a page."""
    return KeepTogether([CondPageBreak(28 * mm), heading_line(text)])


def heading_line(text: str) -> Flowable:
    """A heading alone, for what is kept together anyway."""
    return Paragraph(markup(text, bold=True), _HEADING)


def line(text: str, style: ParagraphStyle = SMALL) -> Flowable:
    """Text over the width of the page, as long as it is."""
    return Paragraph(markup(text), style)


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float], right: Sequence[int] = ()
) -> Table:
    """A table with a heading that is repeated on each page.

    Args:
        head: words of the columns.
        rows: texts, as they come; each is set so that nothing is cut off.
        widths: of the columns, parts of the page's width.
        right: columns of numbers, from 0.
    """
    cells: list[list[Any]] = [[Paragraph(markup(word, bold=True), SMALL) for word in head]]
    cells += [[Paragraph(markup(text), SMALL) for text in part] for row in rows for part in _parts(row)]
    for index in right:
        for row in cells:
            row[index].style = _RIGHT
    styles = [*_GRID, ("BACKGROUND", (0, 0), (-1, 0), _HEAD)]
    return Table(cells, _shares(widths), repeatRows=1, style=TableStyle(styles), spaceAfter=3)


def facts(pairs: Sequence[tuple[str, str]], code: bool = False) -> Table:
    """Names and values below each other; ``code``: values are checksums."""
    style = CODE if code else BODY
    rows = [
        [Paragraph(markup(name), SMALL), Paragraph(part[0] if code else markup(part[0]), style)]
        for name, value in pairs
        for part in _parts([value])
    ]
    styles = [*_GRID, ("BACKGROUND", (0, 0), (0, -1), _HEAD)]
    return Table(rows, _shares((0.24, 0.76)), style=TableStyle(styles))


def _parts(row: Sequence[str]) -> list[tuple[str, ...]]:
    """A row cut into several, so that none is taller than a page."""
    cut = [[text[at : at + _MOST_LETTERS] for at in range(0, max(1, len(text)), _MOST_LETTERS)] for text in row]
    return list(zip_longest(*cut, fillvalue=""))


def _shares(widths: Sequence[float]) -> list[float]:
    return [share / sum(widths) * PAGE_WIDTH for share in widths]


_RIGHT = ParagraphStyle("right", parent=SMALL, alignment=2)
_GRID = [
    ("GRID", (0, 0), (-1, -1), 0.35, _LINE),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 3),
    ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ("TOPPADDING", (0, 0), (-1, -1), 1.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
]
