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

import segno

from enforcement.alert import STATEMENT, Alert
from enforcement.areas import NamedArea
from enforcement.evidence.outline_history import OutlineChange, outline_section
from enforcement.evidence.sheet_drawing import MM, PicturePair, SheetPicture
from enforcement.evidence.sheet_evidence import SheetPhoto, evidence_section
from enforcement.evidence.sheet_map import LocationMap
from enforcement.evidence.sheet_sections import (
    corner_section,
    log_section,
    origin_section,
    overlap_section,
    sighting_section,
    summary_section,
)
from enforcement.evidence.sheet_texts import Language, SheetTexts
from enforcement.hash_chain import Row
from enforcement.steps.correction_watch import CorrectionFinding
from enforcement.typesetting.blocks import Block, columns, drawing, heading, kept, paragraph
from enforcement.typesetting.engine import typeset
from enforcement.typesetting.untrusted import REPLACEMENT, replace_missing
from errors import TubanError

_PAGE_WIDTH = 180 * MM  # of A4, between margins of 15 mm
_GAP = 4 * MM
_MAP_HEIGHT = 58 * MM
_MAX_LINK = 800  # characters; a longer QR code has modules too small for phone cameras


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
    texts, alert = SheetTexts(language), sheet.alert
    data: dict[str, Any] = {
        "language": language,
        "title": texts("title"),
        "number": alert.number,
        "number_label": texts("number"),
        "statement": texts.pick(STATEMENT),
        "qr": _qr_code(alert.page),
        "qr_label": texts("page_link"),
        "footer": texts("generated", moment=texts.time(sheet.generated_at, sheet.zone)),
        "page_of": texts("page_of", page="{page}", pages="{pages}"),
        "blocks": _content(sheet, texts),
        "signatures": {
            "title": texts("signatures"),
            "finding": texts("finding"),
            "checked_by": texts("checked_by"),
            "reviewed_by": texts("reviewed_by"),
            "date": texts("sign_date"),
        },
    }
    replaced: dict[str, None] = {}
    data = replace_missing(data, replaced)
    if replaced:
        codes = ", ".join(f"U+{ord(character):04X}" for character in replaced)
        data["blocks"].append(paragraph(texts("replaced", mark=REPLACEMENT, codes=codes)))
    return typeset("evidence_sheet", data | {"created_at": sheet.generated_at.astimezone(sheet.zone)})


def _content(sheet: EvidenceSheet, texts: SheetTexts) -> list[Block]:
    alert = sheet.alert
    codes = [area.code for area in (alert.county, alert.township, alert.village) if area is not None]
    location = LocationMap(alert.outline, sheet.areas, codes, (_PAGE_WIDTH, _MAP_HEIGHT), _GAP, texts("north"))
    return [
        summary_section(alert, sheet.log, texts),
        heading(texts("pictures")),
        _pictures(sheet, texts),
        heading(texts("location")),
        drawing(location.draw(texts("location"))),
        *([] if sheet.areas else [paragraph(texts("no_areas"))]),
        *corner_section(alert, texts),
        *overlap_section(alert, texts),
        *sighting_section(alert, texts),
        *origin_section(alert, texts),
        *outline_section(sheet.outlines, sheet.zone, texts),
        *log_section(sheet.log, sheet.zone, texts),
        *evidence_section(sheet.log, sheet.photos, sheet.findings, sheet.zone, texts),
    ]


def _qr_code(address: str) -> bytes | None:
    """Return a QR code of an address as SVG; None: there is no address, or it is too long."""
    if not address or len(address) > _MAX_LINK:
        return None
    buffer = io.BytesIO()
    segno.make_qr(address, error="m", boost_error=False).save(buffer, kind="svg", border=0, xmldecl=False)
    return buffer.getvalue()


def _pictures(sheet: EvidenceSheet, texts: SheetTexts) -> Block:
    side = (_PAGE_WIDTH - _GAP) / 2
    pair = PicturePair((sheet.before, sheet.after), side, _GAP, texts("no_picture"), texts("north"))
    captions = [
        [paragraph(text) for text in _caption(texts(name), picture, texts)]
        for name, picture in (("before", sheet.before), ("after", sheet.after))
    ]
    note = f"{texts('scale', scale=f'{round(pair.scale):,}')}  ·  {texts('outline')}" if pair.scale else ""
    return kept([drawing(pair.draw(texts("pictures"))), columns(captions, _GAP), paragraph(note)])


def _caption(name: str, picture: SheetPicture | None, texts: SheetTexts) -> list[str]:
    if picture is None or picture.image is None:
        return [f"{name}  {texts('unknown')}"]
    image = picture.image
    return [
        f"{name}  {texts.day(image.date)}  {texts.source(image.source)}  {texts('gsd')} {image.gsd_m:g} m",
        f"SHA-256 {image.sha256[:16]}…" if image.sha256 else "",
    ]
