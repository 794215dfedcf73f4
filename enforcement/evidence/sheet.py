"""Evidence sheet: an alert on A4 pages, to be printed for the field check and signed.

Texts claim no more than a suspected change, to be checked on the ground. Equal input gives equal bytes.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from enforcement.alert import STATEMENT, Alert
from enforcement.areas import NamedArea
from enforcement.evidence.outline_history import OutlineChange, outline_section
from enforcement.evidence.sheet_drawing import GREY, RED, PicturePair, SheetPicture
from enforcement.evidence.sheet_evidence import SheetPhoto, evidence_section
from enforcement.evidence.sheet_fonts import REGULAR, draw_text, markup, register_fonts
from enforcement.evidence.sheet_map import LocationMap
from enforcement.evidence.sheet_sections import (
    corner_section,
    log_section,
    origin_section,
    overlap_section,
    sighting_section,
    summary_section,
)
from enforcement.evidence.sheet_tables import BODY, MARGIN, PAGE_WIDTH, SMALL, heading, heading_line
from enforcement.evidence.sheet_texts import Language, SheetTexts
from enforcement.hash_chain import Row
from enforcement.steps.correction_watch import CorrectionFinding
from errors import TubanError

_FRAME = 6  # padding in points of reportlab's page frame inside the margins
_GAP = 4 * mm
_MAP_HEIGHT = 58 * mm
_QR = 21 * mm
_MAX_LINK = 800  # characters; a longer QR code has modules too small for phone cameras
_TITLE = ParagraphStyle("title", parent=BODY, fontSize=17, leading=22)
_STATEMENT = ParagraphStyle("statement", parent=BODY, fontSize=10.5, leading=14, textColor=RED)


@dataclass(frozen=True)
class EvidenceSheet:
    """Content of a sheet.

    Attributes:
        alert: the alert with its overlaps, sightings and page.
        before, after: pictures; None if missing.
        log: transitions of the alert, oldest first, with the fields of ``store.alerts.transitions``: at, who, role,
            from_state, to_state, why, evidence; ``at`` as a timezone-aware time or ISO 8601.
        areas: boundaries for the location map, longitude and latitude.
        zone: time zone of displayed times.
        generated_at: timezone-aware time.
        photos: copies of the photos that the log names, by file id.
        findings: what images after a stop notice say, oldest first.
        outlines: outlines that people drew or corrected, oldest first.
    """

    alert: Alert
    before: SheetPicture | None
    after: SheetPicture | None
    log: Sequence[Row]
    areas: Sequence[NamedArea]
    zone: ZoneInfo
    generated_at: dt.datetime
    photos: Mapping[str, SheetPhoto] = field(default_factory=dict)
    findings: Sequence[CorrectionFinding] = ()
    outlines: Sequence[OutlineChange] = ()


def render_evidence_sheet(sheet: EvidenceSheet, language: Language) -> bytes:
    """Render a sheet as PDF, A4, in Chinese (``zh``) or English (``en``).

    Raises:
        TubanError: ``generated_at`` has no time zone.
    """
    if sheet.generated_at.tzinfo is None:
        raise TubanError("The time of creation of a sheet has no time zone: pass a timezone-aware time.")
    register_fonts()
    texts = SheetTexts(language)
    footer = texts("generated", moment=texts.time(sheet.generated_at, sheet.zone))
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN - _FRAME,
        rightMargin=MARGIN - _FRAME,
        topMargin=14 * mm,
        bottomMargin=16 * mm,
        invariant=1,
        initialFontName=REGULAR,
        title=f"{texts('title')} {sheet.alert.number}",
        subject=texts.pick(STATEMENT),
        author="",
        creator="Tuban",
        lang="zh-CN" if language == "zh" else "en",
    )

    def canvas(*arguments: Any, **options: Any) -> Canvas:
        return _NumberedCanvas(texts, sheet.alert.number, footer, *arguments, **options)

    document.build(_content(sheet, texts), canvasmaker=canvas)
    return buffer.getvalue()


class _NumberedCanvas(Canvas):  # type: ignore[misc]  # reportlab has no types
    """Canvas that draws the page footers at the end, when the number of pages is known."""

    def __init__(self, texts: SheetTexts, number: str, footer: str, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._texts, self._number, self._footer = texts, number, footer
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802  (reportlab's name)
        """Store the page until :meth:`save`."""
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Write all pages with their footers."""
        for page, content in enumerate(self._pages, 1):
            self.__dict__.update(content)
            self.setFillColor(GREY)
            self.setStrokeColor(GREY)
            self.setLineWidth(0.4)
            self.line(MARGIN, 12 * mm, MARGIN + PAGE_WIDTH, 12 * mm)
            statement = self._texts.pick(STATEMENT)
            draw_text(self, MARGIN, 8 * mm, f"{self._number}  {statement}", 7)
            draw_text(self, A4[0] / 2 + 22 * mm, 8 * mm, self._footer, 7, align=0.5)
            pages = self._texts("page_of", page=page, pages=len(self._pages))
            draw_text(self, MARGIN + PAGE_WIDTH, 8 * mm, pages, 7, align=1)
            super().showPage()
        super().save()


def _content(sheet: EvidenceSheet, texts: SheetTexts) -> list[Flowable]:
    alert = sheet.alert
    codes = [area.code for area in (alert.county, alert.township, alert.village) if area is not None]
    return [
        _header(alert, texts),
        Spacer(0, 5),
        summary_section(alert, sheet.log, texts),
        heading(texts("pictures")),
        *_pictures(sheet, texts),
        heading(texts("location")),
        LocationMap(alert.outline, sheet.areas, codes, (PAGE_WIDTH, _MAP_HEIGHT), _GAP, texts("north")),
        *([] if sheet.areas else [Paragraph(markup(texts("no_areas")), SMALL)]),
        *corner_section(alert, texts),
        *overlap_section(alert, texts),
        *sighting_section(alert, texts),
        *origin_section(alert, texts),
        *outline_section(sheet.outlines, sheet.zone, texts),
        *log_section(sheet.log, sheet.zone, texts),
        *evidence_section(sheet.log, sheet.photos, sheet.findings, sheet.zone, texts),
        _signatures(texts),
    ]


def _header(alert: Alert, texts: SheetTexts) -> Flowable:
    """Title, number and statement, with a QR code of the alert's page."""
    lines = [
        Paragraph(markup(texts("title")), _TITLE),
        Paragraph(markup(f"{texts('number')}  ") + markup(alert.number, bold=True), BODY),
        Spacer(0, 4),
        Paragraph(markup(texts.pick(STATEMENT), bold=True), _STATEMENT),
    ]
    if not alert.page or len(alert.page) > _MAX_LINK:
        return Table([[lines]], [PAGE_WIDTH], style=_FLUSH)
    side = _QR + 2 * mm
    code = QrCodeWidget(alert.page, barWidth=_QR, barHeight=_QR, barBorder=0, barLevel="M")
    drawing = Drawing(_QR, _QR, initialFontName=REGULAR)
    drawing.add(code)
    caption = Paragraph(markup(texts("page_link")), ParagraphStyle("qr", parent=SMALL, fontSize=6.5, alignment=1))
    drawing.hAlign = "RIGHT"
    return Table([[lines, [drawing, caption]]], [PAGE_WIDTH - side, side], style=_FLUSH)


def _pictures(sheet: EvidenceSheet, texts: SheetTexts) -> list[Flowable]:
    side = (PAGE_WIDTH - _GAP) / 2
    pair = PicturePair((sheet.before, sheet.after), side, _GAP, texts("no_picture"), texts("north"))
    captions = [
        [Paragraph(markup(text), SMALL) for text in _caption(texts(name), picture, texts)]
        for name, picture in (("before", sheet.before), ("after", sheet.after))
    ]
    below = Table([captions], [side + _GAP, side], style=_FLUSH)
    note = f"{texts('scale', scale=f'{round(pair.scale):,}')}  ·  {texts('outline')}" if pair.scale else ""
    return [KeepTogether([pair, Spacer(0, 3), below, Paragraph(markup(note), SMALL)])]


def _caption(name: str, picture: SheetPicture | None, texts: SheetTexts) -> list[str]:
    if picture is None or picture.image is None:
        return [f"{name}  {texts('unknown')}"]
    image = picture.image
    return [
        f"{name}  {texts.day(image.date)}  {texts.source(image.source)}  {texts('gsd')} {image.gsd_m:g} m",
        f"SHA-256 {image.sha256[:16]}…" if image.sha256 else "",
    ]


def _signatures(texts: SheetTexts) -> Flowable:
    boxes = [[texts("checked_by"), "", texts("reviewed_by"), ""], [texts("sign_date"), "", texts("sign_date"), ""]]
    rows = [[Paragraph(markup(text), BODY) if text else "" for text in row] for row in boxes]
    rows.insert(0, [Paragraph(markup(texts("finding")), BODY), "", "", ""])
    quarter = PAGE_WIDTH / 4
    style = TableStyle(
        [
            ("FONTNAME", (0, 0), (-1, -1), REGULAR),
            ("BOX", (0, 0), (-1, -1), 0.6, GREY),
            ("INNERGRID", (0, 0), (-1, -1), 0.35, GREY),
            ("SPAN", (1, 0), (-1, 0)),
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ]
    )
    widths = [quarter * 0.7, quarter * 1.3] * 2
    return KeepTogether(
        [heading_line(texts("signatures")), Table(rows, widths, [22 * mm, 13 * mm, 9 * mm], style=style)]
    )


_FLUSH = TableStyle(
    [
        ("FONTNAME", (0, 0), (-1, -1), REGULAR),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
)
