"""Content of a report before its layout: rows of each table as fields, numbers beside them, and corrections of people.

Content is JSON, so that it is stored as it was filled. Days are ISO texts. Words that differ by language are
``{"zh": …, "en": …}``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from enforcement.reports.fields import SOURCES
from enforcement.reports.sheet import Cell
from enforcement.reports.stock import ADDED, CLOSING, REMOVED
from errors import SettingsError

Value = str | int | float | Mapping[str, str] | None

SUMMED = ("patrols", "opening", "added", "removed", "closing", "area_mu", "farmland_mu", "basic_mu", "stopped")
"""Figures that a report passes on to the summary above it."""

COUNTED = ("due", "submitted", "zero", "missing", "late")

MAX_CORRECTION = 2000


@dataclass(frozen=True)
class ContentRow:
    """A row: its key within its table, the path of its page, values by field, and the originals of corrected ones."""

    key: str
    values: Mapping[str, Any]
    link: str = ""
    originals: Mapping[str, Any] = field(default_factory=dict)
    emphasis: bool = False


@dataclass(frozen=True)
class Content:
    """Content of one report.

    Attributes:
        tables: rows by the name of their source, see :data:`enforcement.reports.fields.SOURCES`.
        values: numbers and words beside the tables, by the names that texts of a layout contain.
        own: figures counted from the alerts of the whole area, which the sums of lower reports are compared with.
        previous_closing: closing stock of the report before; None: there is none.
        charts: values of charts and maps by name.
    """

    tables: Mapping[str, Sequence[ContentRow]]
    values: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)
    previous_closing: int | None = None
    charts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it for the database."""
        return {
            "tables": {
                name: [
                    {"key": row.key, "values": dict(row.values), "link": row.link, "emphasis": row.emphasis}
                    for row in rows
                ]
                for name, rows in self.tables.items()
            },
            "values": dict(self.values),
            "own": dict(self.own),
            "previous_closing": self.previous_closing,
            "charts": dict(self.charts),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Content:
        """Return what :meth:`to_json` stored; {}: an empty content."""
        tables = {
            name: [
                ContentRow(row["key"], row["values"], row.get("link", ""), emphasis=bool(row.get("emphasis")))
                for row in rows
            ]
            for name, rows in stored.get("tables", {}).items()
        }
        return cls(
            tables,
            stored.get("values", {}),
            stored.get("own", {}),
            stored.get("previous_closing"),
            stored.get("charts", {}),
        )

    def corrected(self, corrections: Mapping[tuple[str, str], Any]) -> Content:
        """Return the content with corrections.

        Args:
            corrections: value by (``table/key of the row``, field); None: back to the original.
        """
        if not any(value is not None for value in corrections.values()):
            return self
        tables = {name: [_corrected(name, row, corrections) for row in rows] for name, rows in self.tables.items()}
        return replace(self, tables=tables)

    def row(self, address: str) -> tuple[str, ContentRow]:
        """Return table and row of an address ``table/key``.

        Raises:
            SettingsError: there is no such row.
        """
        table, _, key = address.partition("/")
        for row in self.tables.get(table, ()):
            if row.key == key:
                return table, row
        raise SettingsError(f"The report has no row {address[:80]!r}.", "reports.no_row", row=address[:80])


def _corrected(table: str, row: ContentRow, corrections: Mapping[tuple[str, str], Any]) -> ContentRow:
    address = f"{table}/{row.key}"
    changed = {name: value for (at, name), value in corrections.items() if at == address and value is not None}
    if not changed:
        return row
    originals = {name: row.values.get(name) for name in changed}
    return replace(row, values={**row.values, **changed}, originals=originals)


def parse_correction(table: str, name: str, words: str) -> Value:
    """Return the value of a corrected cell, of the kind of its field.

    Raises:
        SettingsError: there is no such field, it is counted and cannot be corrected, or the text does not fit its kind.
    """
    found = SOURCES.get(table, {}).get(name)
    if found is None or name in ("serial", "movement"):
        raise SettingsError(
            f"The field {name[:40]!r} cannot be corrected; it follows from the alerts.",
            "reports.fixed_field",
            field=name[:40],
        )
    words = words.strip()
    if len(words) > MAX_CORRECTION:
        raise SettingsError(f"Longer than {MAX_CORRECTION} characters.", "reports.long_text", most=MAX_CORRECTION)
    try:
        if not words:
            return ""
        if found.kind == "date":
            return dt.date.fromisoformat(words).isoformat()
        if found.kind in ("number", "percent", "whole"):
            number = float(words)
            if not 0 <= number < 1e9 or (found.kind == "whole" and number != int(number)):
                raise ValueError
            return int(number) if found.kind == "whole" else round(number, 4)
    except ValueError:
        expected = {"date": ("日期，如 2026-03-06", "a day like 2026-03-06"), "whole": ("整数", "a whole number")}.get(
            found.kind, ("不小于 0 的数", "a number of at least 0")
        )
        raise SettingsError(
            f"{found.en}: {words[:40]!r} is no value; expected {expected[1]}.",
            "reports.value",
            field=found.zh,
            given=words[:40],
            expected=expected[0],
        ) from None
    return words


def figures(content: Content) -> dict[str, Any]:
    """Return the figures that the report passes on, of its rows as they are corrected.

    A weekly sheet counts its rows by their movement; a summary adds up its rows.
    """
    found: dict[str, Any] = dict.fromkeys((*SUMMED, *COUNTED), 0)
    if "lower_reports" in content.tables:
        rows = content.tables["lower_reports"]
        for name in (*SUMMED, *COUNTED):
            found[name] = _clean(sum(_number(row.values.get(name)) for row in rows))
        return found
    if "alerts" not in content.tables:
        return found | {name: content.values[name] for name in SUMMED if name in content.values}
    rows = content.tables["alerts"]
    new = [row for row in rows if row.values.get("movement_key") in ADDED]
    found["patrols"] = content.values.get("patrols", 0)
    found["opening"] = content.values.get("opening", 0)
    found["added"] = len(new)
    found["removed"] = sum(row.values.get("movement_key") in REMOVED for row in rows)
    found["closing"] = sum(row.values.get("movement_key") in CLOSING for row in rows)
    for name in ("area_mu", "farmland_mu", "basic_mu"):
        found[name] = _clean(sum(_number(row.values.get(name)) for row in new))
    found["stopped"] = sum(bool(row.values.get("stopped_key") in ("stopped", "restored")) for row in rows)
    found["zero"] = int(not new)
    return found


def closing_stock(content: Content) -> int:
    """Return the stock with which the next period begins.

    It is that of the rows, with their corrections; where reports below are missing, that of the alerts themselves, so
    that a village that reports again does not appear as a difference of the next period.
    """
    found = figures(content)
    own = content.own.get("closing")
    return int(found["closing"] if own is None or not found["missing"] else own)


def sha256_of(content: Content) -> str:
    """Return the checksum of a content with its corrections."""
    return hashlib.sha256(json.dumps(content.to_json(), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def in_language(value: Any, language: str) -> Any:
    """Return words in a language; other values unchanged."""
    return value.get(language, "") if isinstance(value, Mapping) else value


def cell_of(value: Any, kind: str, language: str) -> Cell:
    """Return a stored value as a cell of a sheet; an unreadable day is kept as text."""
    value = in_language(value, language)
    if value in (None, ""):
        return None
    if kind == "date" and isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            return value
    return value if isinstance(value, str | int | float) else str(value)


def _number(value: Any) -> float | int:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _clean(value: float) -> float | int:
    return round(value, 4) if isinstance(value, float) else value
