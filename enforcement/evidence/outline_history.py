"""Outlines that people drew or corrected, as a section of the evidence sheet and a file of the evidence bundle."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import shapely
from shapely.geometry.base import BaseGeometry

from configs.texts import text
from enforcement.evidence.sheet_texts import SheetTexts
from enforcement.typesetting.blocks import Block, data_table, heading
from enforcement.units import mu


@dataclass(frozen=True)
class OutlineChange:
    """An outline that a person drew, corrected, or set back to the detected one.

    Attributes:
        at: timezone-aware time.
        who, name: login and name of the person.
        role: as of which the person acted.
        action: drawn, corrected, restored.
        why: reason.
        before_m2: area before; None: newly drawn.
        area_m2: area afterwards; None: unknown.
        outline: longitude, latitude.
        detected: outline by the images at that time; None: there was none.
    """

    at: dt.datetime
    who: str
    name: str
    role: str
    action: str
    why: str
    before_m2: float | None
    area_m2: float | None
    outline: BaseGeometry
    detected: BaseGeometry | None = None


def outline_section(changes: Sequence[OutlineChange], zone: ZoneInfo, texts: SheetTexts) -> list[Block]:
    """Who changed the outline, when, why and by how much; [] if nobody did."""
    if not changes:
        return []
    rows = [
        [
            texts.time(change.at, zone)[:16],
            f"{change.name} ({texts.role(change.role)})",
            text(f"outline.{change.action}", texts.language),
            " → ".join(_mu(area, texts) for area in (change.before_m2, change.area_m2) if area is not None),
            change.why,
        ]
        for change in changes
    ]
    head = [texts(name) for name in ("when", "who", "step", "outline_area", "why")]
    return [heading(texts("outline_changes")), data_table(head, rows, (1.75, 1.9, 1.9, 2, 3.4))]


def outline_changes_json(changes: Sequence[OutlineChange]) -> list[dict[str, Any]]:
    """Return the changes as plain JSON, with outlines as GeoJSON geometries, for the bundle."""
    return [
        {
            "at": change.at.astimezone(dt.UTC).isoformat(timespec="seconds"),
            "who": change.who,
            "role": change.role,
            "action": change.action,
            "why": change.why,
            "area_m2_before": change.before_m2,
            "area_m2": change.area_m2,
            "outline": shapely.geometry.mapping(change.outline),
            "detected": None if change.detected is None else shapely.geometry.mapping(change.detected),
        }
        for change in changes
    ]


def _mu(area_m2: float, texts: SheetTexts) -> str:
    return f"{mu(area_m2):.2f} {text('alert.mu', texts.language)}"
