"""Section of an evidence sheet: what people entered with each step, photos with their records, and file checksums."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from configs.texts import text
from enforcement.evidence.sheet_drawing import MM
from enforcement.evidence.sheet_texts import SheetTexts
from enforcement.hash_chain import Row
from enforcement.steps.correction_watch import CorrectionFinding
from enforcement.steps.evidence_words import EvidenceWords, evidence_in_words
from enforcement.typesetting.blocks import Block, columns, data_table, heading, paragraph, picture
from enforcement.units import mu

_PER_ROW = 3
_GAP = 3 * MM
_HEIGHT = 46 * MM
_MOST_PHOTOS = 24
"""Photos on a sheet; all others are named, and are in the evidence bundle."""


@dataclass(frozen=True)
class SheetPhoto:
    """A photo on a sheet.

    Attributes:
        jpeg: its copy; empty if it cannot be read.
        record: the photo's own record (``store.evidence``): position, heading, times.
        taken_at: best known time of capture; None: unknown.
        who: name of the person who added it.
    """

    jpeg: bytes
    record: Mapping[str, Any] = field(default_factory=dict)
    taken_at: dt.datetime | None = None
    who: str = ""


def evidence_section(
    log: Sequence[Row],
    photos: Mapping[str, SheetPhoto],
    findings: Sequence[CorrectionFinding],
    zone: ZoneInfo,
    texts: SheetTexts,
) -> list[Block]:
    """Entries of each step with their values, photos, and the checksums of all files; [] if there are none."""
    rows, files, shown = [], [], []
    for row in log:
        evidence = row.fields.get("evidence") or {}
        for entry in evidence_in_words(evidence, texts.language):
            rows.append(
                [str(row.sequence), texts.state(str(row.fields["to_state"])), entry.label, _words(entry, texts)]
            )
            for file in entry.files:
                files.append(
                    [str(row.sequence), str(file.get("name") or ""), _size(file), str(file.get("sha256") or "")]
                )
                if str(file["file"]) in photos:
                    shown.append((row.sequence, file, photos[str(file["file"])]))
    found: list[Block] = []
    if rows:
        head = ["", texts("step"), texts("entry"), texts("value")]
        found += [heading(texts("evidence")), data_table(head, rows, (0.4, 1.5, 2, 5))]
    if findings:
        found += [heading(texts("watch")), *(paragraph(_finding(one, texts)) for one in findings)]
    if shown:
        found += [heading(texts("photos")), *_photo_rows(shown[:_MOST_PHOTOS], zone, texts)]
        if len(shown) > _MOST_PHOTOS:
            found.append(paragraph(texts("photos_more", count=len(shown) - _MOST_PHOTOS)))
    if files:
        head = ["", texts("file"), texts("size"), "SHA-256"]
        found += [heading(texts("files")), data_table(head, files, (0.4, 2.6, 1, 5), (2,), (3,))]
    return found


def _words(entry: EvidenceWords, texts: SheetTexts) -> str:
    count = texts("file_count", count=len(entry.files)) if entry.files else ""
    return " ".join(part for part in (entry.words, count) if part)


def _size(file: Mapping[str, Any]) -> str:
    size = file.get("size")
    return f"{size / 1024:,.0f} KiB" if isinstance(size, int) else ""


def _finding(found: CorrectionFinding, texts: SheetTexts) -> str:
    before, after = f"{mu(found.before_m2):.2f}", f"{mu(found.area_m2):.2f}"
    day = found.day.isoformat()
    return text(f"evidence.found_{found.finding}", texts.language, day=day, before=before, after=after)


def _photo_rows(
    shown: Sequence[tuple[int, Mapping[str, Any], SheetPhoto]], zone: ZoneInfo, texts: SheetTexts
) -> list[Block]:
    cells = [_photo(sequence, file, photo, zone, texts) for sequence, file, photo in shown]
    rows = [cells[first : first + _PER_ROW] for first in range(0, len(cells), _PER_ROW)]
    return [columns([*row, *[[]] * (_PER_ROW - len(row))], _GAP) for row in rows]


def _photo(sequence: int, file: Mapping[str, Any], photo: SheetPhoto, zone: ZoneInfo, texts: SheetTexts) -> list[Block]:
    caption = [paragraph(line) for line in _caption(sequence, file, photo, zone, texts)]
    return [picture(photo.jpeg, _HEIGHT) if photo.jpeg else paragraph(texts("no_picture")), *caption]


def _caption(sequence: int, file: Mapping[str, Any], photo: SheetPhoto, zone: ZoneInfo, texts: SheetTexts) -> list[str]:
    record = photo.record
    exif = record.get("exif") or {}
    lon, lat = (record.get(name, exif.get(name)) for name in ("lon", "lat"))
    heading_deg = record.get("heading_deg", exif.get("heading_deg"))
    lines = [f"{sequence} · {file.get('name') or ''}"]
    lines.append(
        " ".join(part for part in (photo.who, texts.time(photo.taken_at, zone) if photo.taken_at else "") if part)
    )
    if isinstance(lon, int | float) and isinstance(lat, int | float):
        accuracy = record.get("accuracy_m")
        lines.append(f"{lon:.6f}, {lat:.6f}" + (f" ± {accuracy:.0f} m" if isinstance(accuracy, int | float) else ""))
    else:
        lines.append(texts("no_position"))
    if isinstance(heading_deg, int | float):
        lines.append(texts("heading", degrees=f"{heading_deg:.0f}"))
    return [line for line in lines if line]
