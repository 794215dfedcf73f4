"""A sheet of a periodic report as PDF: A4 or A3, repeated headings, totals, signature lines, page numbers."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from enforcement.reports.sheet import Sheet
from enforcement.typesetting.engine import typeset
from enforcement.typesetting.report_data import column_widths, font_size, signature_data, table_data

Paper = Literal["a4", "a3"]
EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
"""Date of files whose sheet states none, as of the docx."""

_LONG_SIDE_MM = {"a4": 297, "a3": 420}
_SHORT_SIDE_MM = {"a4": 210, "a3": 297}
_MARGIN_MM = 15
_POINT_MM = 25.4 / 72
_LEGIBLE = 6.0
"""Size of the font, points, below which a table of many columns is set on A3."""


def sheet_pdf(sheet: Sheet, created_at: dt.datetime = EPOCH, paper: Paper | None = None) -> bytes:
    """Return a sheet as PDF.

    Args:
        sheet: complete, in one language.
        created_at: timezone-aware date of the file.
        paper: format of the pages, upright or lying as the sheet says; None: A4, and A3 if the font would be too small.

    Raises:
        MissingGlyphError: no font has a character of the sheet; the error says in which row and column.
    """
    paper = paper or ("a4" if font_size(column_widths(sheet), _width(sheet, "a4")) >= _LEGIBLE else "a3")
    data = {
        "created_at": created_at,
        "language": sheet.language,
        "title": sheet.title,
        "status": sheet.status,
        "paper": paper,
        "landscape": sheet.landscape,
        "margin_mm": _MARGIN_MM,
        "heading": [[label, value] for label, value in sheet.heading],
        "table": table_data(sheet, _width(sheet, paper)),
        "notes": list(sheet.notes),
        "signatures": signature_data(sheet.signatures),
    }
    return typeset("sheet", data)


def _width(sheet: Sheet, paper: Paper) -> float:
    """Return the width of the text in points."""
    side = (_LONG_SIDE_MM if sheet.landscape else _SHORT_SIDE_MM)[paper]
    return (side - 2 * _MARGIN_MM) / _POINT_MM
