"""The evidence sheet: one alert on A4, to be printed, carried to the place and signed.

It repeats what is known and never more: a suspected change, to be checked on the ground. Equal input gives equal bytes.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass
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
from enforcement.evidence.sheet_drawing import GREY, RED, PicturePair, SheetPicture
from enforcement.evidence.sheet_fonts import draw_text, markup, register_fonts
from enforcement.evidence.sheet_map import LocationMap
from enforcement.evidence.sheet_sections import (
    corner_section,
    fact_section,
    log_section,
    origin_section,
    overlap_section,
    sight_section,
)
from enforcement.evidence.sheet_tables import BODY, MARGIN, PAGE_WIDTH, SMALL, heading, heading_line
from enforcement.evidence.sheet_texts import Language, Words
from enforcement.hash_chain import Row
from errors import TubanError

_FRAME = 6  # points that reportlab's page frame keeps free inside of the margins
_GAP = 4 * mm
_MAP_HEIGHT = 58 * mm
_QR = 21 * mm
_LONGEST_LINK = 800  # letters: a QR code of more has squares that no telephone reads from paper
_TITLE = ParagraphStyle("title", parent=BODY, fontSize=17, leading=22)
_STATEMENT = ParagraphStyle("statement", parent=BODY, fontSize=10.5, leading=14, textColor=RED)


@dataclass(frozen=True)
class EvidenceSheet:
    """What a sheet is made from.

    Attributes:
        alert: with its overlaps, sights and page.
        before, after: the pictures; None where there is none.
        log: the steps of the alert, oldest first, whose fields are those of ``store.alerts.transitions``: at, who, role,
            from_state, to_state, why, evidence; ``at`` as an aware moment or its ISO text.
        areas: boundaries for the location map, longitude and latitude.
        zone: in which moments are told.
        generated_at: aware moment.
    """

    alert: Alert
    before: SheetPicture | None
    after: SheetPicture | None
    log: Sequence[Row]
    areas: Sequence[NamedArea]
    zone: ZoneInfo
    generated_at: dt.datetime


def evidence_sheet(sheet: EvidenceSheet, language: Language) -> bytes:
    """Make the PDF of an alert, A4, in Chinese (``zh``) or English (``en``).

    Raises:
        TubanError: ``generated_at`` has no time zone.
    """
    if sheet.generated_at.tzinfo is None:
        raise TubanError("The moment at which a sheet is made has no time zone: give an aware one.")
    register_fonts()
    words = Words(language)
    foot = words("generated", moment=words.moment(sheet.generated_at, sheet.zone))
    held = io.BytesIO()
    document = SimpleDocTemplate(
        held,
        pagesize=A4,
        leftMargin=MARGIN - _FRAME,
        rightMargin=MARGIN - _FRAME,
        topMargin=14 * mm,
        bottomMargin=16 * mm,
        invariant=1,
        title=f"{words('title')} {sheet.alert.number}",
        subject=words.pair(STATEMENT),
        author="",
        creator="Tuban",
        lang="zh-CN" if language == "zh" else "en",
    )

    def canvas(*arguments: Any, **named: Any) -> Canvas:
        return _NumberedCanvas(words, sheet.alert.number, foot, *arguments, **named)

    document.build(_content(sheet, words), canvasmaker=canvas)
    return held.getvalue()


class _NumberedCanvas(Canvas):  # type: ignore[misc]  # reportlab has no types
    """Writes the foot of each page when all pages are known: only then is their number."""

    def __init__(self, words: Words, number: str, foot: str, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._words, self._number, self._foot = words, number, foot
        self._held: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802  (reportlab's name)
        """Keep the page for later."""
        self._held.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Write all pages, each with its foot."""
        for page, kept in enumerate(self._held, 1):
            self.__dict__.update(kept)
            self.setFillColor(GREY)
            self.setStrokeColor(GREY)
            self.setLineWidth(0.4)
            self.line(MARGIN, 12 * mm, MARGIN + PAGE_WIDTH, 12 * mm)
            statement = self._words.pair(STATEMENT)
            draw_text(self, MARGIN, 8 * mm, f"{self._number}  {statement}", 7)
            draw_text(self, A4[0] / 2 + 22 * mm, 8 * mm, self._foot, 7, align=0.5)
            pages = self._words("page_of", page=page, pages=len(self._held))
            draw_text(self, MARGIN + PAGE_WIDTH, 8 * mm, pages, 7, align=1)
            super().showPage()
        super().save()


def _content(sheet: EvidenceSheet, words: Words) -> list[Flowable]:
    alert = sheet.alert
    codes = [area.code for area in (alert.county, alert.township, alert.village) if area is not None]
    return [
        _head(alert, words),
        Spacer(0, 5),
        fact_section(alert, sheet.log, words),
        heading(words("pictures")),
        *_pictures(sheet, words),
        heading(words("location")),
        LocationMap(alert.outline, sheet.areas, codes, (PAGE_WIDTH, _MAP_HEIGHT), _GAP, words("north")),
        *([] if sheet.areas else [Paragraph(markup(words("no_areas")), SMALL)]),
        *corner_section(alert, words),
        *overlap_section(alert, words),
        *sight_section(alert, words),
        *origin_section(alert, words),
        *log_section(sheet.log, sheet.zone, words),
        _signatures(words),
    ]


def _head(alert: Alert, words: Words) -> Flowable:
    """Title, number and statement, and beside them the way to the alert's page."""
    said = [
        Paragraph(markup(words("title")), _TITLE),
        Paragraph(markup(f"{words('number')}  ") + markup(alert.number, bold=True), BODY),
        Spacer(0, 4),
        Paragraph(markup(words.pair(STATEMENT), bold=True), _STATEMENT),
    ]
    if not alert.page or len(alert.page) > _LONGEST_LINK:
        return Table([[said]], [PAGE_WIDTH], style=_FLUSH)
    side = _QR + 2 * mm
    code = QrCodeWidget(alert.page, barWidth=_QR, barHeight=_QR, barBorder=0, barLevel="M")
    drawing = Drawing(_QR, _QR)
    drawing.add(code)
    caption = Paragraph(markup(words("page_link")), ParagraphStyle("qr", parent=SMALL, fontSize=6.5, alignment=1))
    drawing.hAlign = "RIGHT"
    return Table([[said, [drawing, caption]]], [PAGE_WIDTH - side, side], style=_FLUSH)


def _pictures(sheet: EvidenceSheet, words: Words) -> list[Flowable]:
    side = (PAGE_WIDTH - _GAP) / 2
    pair = PicturePair((sheet.before, sheet.after), side, _GAP, words("no_picture"), words("north"))
    captions = [
        [Paragraph(markup(text), SMALL) for text in _caption(words(name), picture, words)]
        for name, picture in (("before", sheet.before), ("after", sheet.after))
    ]
    below = Table([captions], [side + _GAP, side], style=_FLUSH)
    told = f"{words('scale', scale=f'{round(pair.scale):,}')}  ·  {words('outline')}" if pair.scale else ""
    return [KeepTogether([pair, Spacer(0, 3), below, Paragraph(markup(told), SMALL)])]


def _caption(name: str, picture: SheetPicture | None, words: Words) -> list[str]:
    if picture is None or picture.image is None:
        return [f"{name}  {words('unknown')}"]
    image = picture.image
    return [
        f"{name}  {words.day(image.date)}  {words.source(image.source)}  {words('gsd')} {image.gsd_m:g} m",
        f"SHA-256 {image.sha256[:16]}…" if image.sha256 else "",
    ]


def _signatures(words: Words) -> Flowable:
    boxes = [[words("checked_by"), "", words("reviewed_by"), ""], [words("sign_date"), "", words("sign_date"), ""]]
    rows = [[Paragraph(markup(text), BODY) if text else "" for text in row] for row in boxes]
    rows.insert(0, [Paragraph(markup(words("finding")), BODY), "", "", ""])
    quarter = PAGE_WIDTH / 4
    style = TableStyle(
        [
            ("BOX", (0, 0), (-1, -1), 0.6, GREY),
            ("INNERGRID", (0, 0), (-1, -1), 0.35, GREY),
            ("SPAN", (1, 0), (-1, 0)),
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ]
    )
    widths = [quarter * 0.7, quarter * 1.3] * 2
    return KeepTogether(
        [heading_line(words("signatures")), Table(rows, widths, [22 * mm, 13 * mm, 9 * mm], style=style)]
    )


_FLUSH = TableStyle(
    [
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
)
