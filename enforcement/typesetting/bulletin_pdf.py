"""A bulletin of several sections as PDF: text, charts, maps, tables, signatures on A4."""

from __future__ import annotations

import datetime as dt
from typing import Any

from enforcement.reports.bulletin import Bulletin, Section
from enforcement.typesetting.area_map import draw_area_map
from enforcement.typesetting.charts import draw_chart
from enforcement.typesetting.engine import typeset
from enforcement.typesetting.report_data import signature_data, table_data
from enforcement.typesetting.sheet_pdf import EPOCH

WIDTH = (210 - 2 * 25) / 25.4 * 72
"""Of the text, points: A4 with margins of 25 mm."""


def bulletin_pdf(bulletin: Bulletin, created_at: dt.datetime = EPOCH) -> bytes:
    """Return a bulletin as PDF.

    Raises:
        MissingGlyphError: no font has a character of it.
    """
    north = "北" if bulletin.language == "zh" else "N"
    data = {
        "created_at": created_at,
        "language": bulletin.language,
        "title": bulletin.title,
        "status": bulletin.status,
        "line": [words for words in (bulletin.issuer, bulletin.number, bulletin.day) if words],
        "sections": [_section(section, north) for section in bulletin.sections],
        "signatures": signature_data(bulletin.signatures),
    }
    return typeset("bulletin", data)


def _section(section: Section, north: str) -> dict[str, Any]:
    figures = []
    if section.chart is not None:
        figures.append((section.chart.title, section.chart.unit, draw_chart(section.chart, WIDTH)))
    if section.area_map is not None:
        drawn = draw_area_map(section.area_map, WIDTH, north)
        if drawn is not None:
            figures.append((section.area_map.title, section.area_map.unit, drawn))
    return {
        "heading": section.heading,
        "paragraphs": list(section.paragraphs),
        "figures": [{"title": title, "unit": unit, "drawing": drawn.to_data()} for title, unit, drawn in figures],
        "table": None if section.sheet is None else table_data(section.sheet, WIDTH),
        "notes": [] if section.sheet is None else list(section.sheet.notes),
    }
