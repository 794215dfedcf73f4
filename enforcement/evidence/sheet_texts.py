"""Texts of the evidence sheet in Chinese and English, and formatting of its values."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from zoneinfo import ZoneInfo

from configs.texts import catalogue, text
from enforcement.settings import read_enforcement
from enforcement.states import read_states
from enforcement.units import mu

Language = Literal["zh", "en"]


class SheetTexts:
    """Texts of the evidence sheet and the exports in one language."""

    def __init__(self, language: Language) -> None:
        """Select Chinese (``zh``) or English (``en``)."""
        self.language = language
        self.index = 0 if language == "zh" else 1

    def __call__(self, name: str, /, **values: Any) -> str:
        """Return a text of the sheet with its placeholders filled in."""
        return text(f"sheet.{name}", self.language, **values)

    def pick(self, texts: tuple[str, str]) -> str:
        """Select from (Chinese, English)."""
        return texts[self.index]

    def state(self, name: str) -> str:
        """Return the display name of a state; unknown states are returned unchanged."""
        state = read_states().states.get(name)
        return self.pick((state.zh, state.en)) if state else name

    def role(self, name: str) -> str:
        """Return the display name of a role."""
        role = read_states().roles.get(name)
        return self.pick((role.zh, role.en)) if role else name

    def source(self, name: str) -> str:
        """Return the display name of a source of alerts."""
        source = read_enforcement().sources.get(name)
        return self.pick((source.zh, source.en)) if source else name

    def layer(self, kind: str) -> str:
        """Return the display name of a kind of layer, capitalized."""
        key = f"layer.{kind}"
        name = text(key, self.language) if key in catalogue() else kind
        return name[:1].upper() + name[1:]

    def works(self, name: str) -> str:
        """Return the display name of a state of works."""
        key = f"works.{name.replace(' ', '_')}"
        return text(key, self.language) if key in catalogue() else name

    def area(self, area_m2: float) -> str:
        """Format an area like ``3.00 mu (2,000.0 m²)``."""
        unit = "亩" if self.index == 0 else "mu"
        return f"{mu(area_m2):,.2f} {unit} ({area_m2:,.1f} m²)"

    def place(self, lon: float, lat: float) -> str:
        """Format longitude and latitude in degrees like ``东经 120.0700000°，北纬 30.2100000°``."""
        names = ("东经", "西经", "北纬", "南纬"), ("E", "W", "N", "S")
        east, west, north, south = names[self.index]
        lon_name, lat_name = east if lon >= 0 else west, north if lat >= 0 else south
        if self.index:
            return f"{abs(lon):.7f}° {lon_name}, {abs(lat):.7f}° {lat_name}"
        return f"{lon_name} {abs(lon):.7f}°，{lat_name} {abs(lat):.7f}°"

    def day(self, day: dt.date | None) -> str:
        """Format a date as ISO 8601; None as unknown."""
        return self("unknown") if day is None else day.isoformat()

    def time(self, time: dt.datetime, zone: ZoneInfo) -> str:
        """Format a local time to the minute, with its UTC offset: ``2026-12-01 09:30 +08:00``."""
        formatted = f"{time.astimezone(zone):%Y-%m-%d %H:%M %z}"
        return f"{formatted[:-2]}:{formatted[-2:]}"
