"""The texts of a bulletin as a sheet, the first worksheet of its xlsx."""

from __future__ import annotations

from enforcement.reports.bulletin import Bulletin
from enforcement.reports.sheet import Column, Row, Sheet


def text_sheet(bulletin: Bulletin) -> Sheet:
    """Return headings and paragraphs as rows, with the values of charts."""
    chinese = bulletin.language == "zh"
    rows = []
    for section in bulletin.sections:
        rows += [Row((section.heading, words)) for words in section.paragraphs]
        if section.chart:
            for series in section.chart.series:
                pairs = zip(section.chart.labels, series.values, strict=True)
                values = "，".join(f"{label} {value:g}" for label, value in pairs if value is not None)
                rows.append(Row((section.heading, f"{section.chart.title} · {series.name}: {values}")))
    columns = (
        Column("section", "章节" if chinese else "Section", width=24),
        Column("text", "内容" if chinese else "Text", width=90),
    )
    heading = tuple((words, "") for words in (bulletin.issuer, bulletin.number, bulletin.day) if words)
    return Sheet(
        bulletin.title,
        columns,
        tuple(rows),
        name="正文" if chinese else "Text",
        heading=heading,
        signatures=bulletin.signatures,
        landscape=False,
        language=bulletin.language,
        status=bulletin.status,
    )
