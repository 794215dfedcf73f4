"""Words of the evidence sheet in Chinese and English, and how its numbers and moments are written."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from zoneinfo import ZoneInfo

from configs.texts import catalogue, text
from enforcement.settings import read_enforcement
from enforcement.states import read_states
from enforcement.units import mu

Language = Literal["zh", "en"]


class Words:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        """Speak Chinese (``zh``) or English (``en``)."""
        self.language = language
        self.index = 0 if language == "zh" else 1

    def __call__(self, name: str, /, **values: Any) -> str:
        """The word of that name, with the values put in."""
        return text(f"sheet.{name}", self.language, **values)

    def pair(self, names: tuple[str, str]) -> str:
        """One of a name in (Chinese, English)."""
        return names[self.index]

    def state(self, name: str) -> str:
        """A state as people call it; one that the table no longer has stays as it is."""
        state = read_states().states.get(name)
        return self.pair((state.zh, state.en)) if state else name

    def role(self, name: str) -> str:
        """A role as people call it."""
        role = read_states().roles.get(name)
        return self.pair((role.zh, role.en)) if role else name

    def source(self, name: str) -> str:
        """A source of alerts as people call it."""
        source = read_enforcement().sources.get(name)
        return self.pair((source.zh, source.en)) if source else name

    def layer(self, kind: str) -> str:
        """A kind of layer as people call it."""
        known = f"layer.{kind}" in catalogue()
        name = text(f"layer.{kind}", self.language) if known else kind
        return name[:1].upper() + name[1:]

    def works(self, name: str) -> str:
        """A state of works as people call it."""
        key = f"works.{name.replace(' ', '_')}"
        return text(key, self.language) if key in catalogue() else name

    def area(self, area_m2: float) -> str:
        """Like ``3.00 mu (2,000.0 m²)``."""
        unit = "亩" if self.index == 0 else "mu"
        return f"{mu(area_m2):,.2f} {unit} ({area_m2:,.1f} m²)"

    def day(self, day: dt.date | None) -> str:
        """ISO 8601, or that it is not known."""
        return self("unknown") if day is None else day.isoformat()

    def moment(self, moment: dt.datetime, zone: ZoneInfo) -> str:
        """Local date and time to the minute, with the difference from UTC: ``2026-12-01 09:30 +08:00``."""
        text = f"{moment.astimezone(zone):%Y-%m-%d %H:%M %z}"
        return f"{text[:-2]}:{text[-2:]}"
