"""Kinds of reference layers: what their polygons mean and the fields that hold it (``configs/layers.yaml``)."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from enforcement.settings import StrictModel, read_settings
from errors import Reason

LAND_USE = "land_use"
"""Kind of a layer of all classes of land: its polygons count as other kinds by their class."""

ROLES = ("number", "from", "to", "term", "land_class", "class_name")
"""What a field of a layer can hold."""

_DIGITS = {
    "一": 1,
    "两": 2,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
    "半": 0.5,
}
_TERM = re.compile(
    r"(\d+(?:\.\d+)?|[一两二三四五六七八九十半])\s*(?:个)?\s*(年|月|天|日|years?|months?|days?|y|m|d)", re.IGNORECASE
)
_MOST_MONTHS = 1200


Names = tuple[str, ...]


class LayerKind(StrictModel):
    """One kind of layer; the fields are described in ``configs/layers.yaml``."""

    names: Names = ()
    covers: bool = False
    limited: bool = False
    number: Names = ()
    valid_from: Annotated[Names, Field(alias="from")] = ()
    valid_to: Annotated[Names, Field(alias="to")] = ()
    term: Names = ()
    land_class: Names = ()
    class_name: Names = ()
    classes: Annotated[dict[str, Names], Field(default_factory=dict)]

    def fields_of(self, role: str) -> Names:
        """Return the field names that may hold a value of :data:`ROLES`, in order of preference."""
        found: Names = getattr(self, {"from": "valid_from", "to": "valid_to"}.get(role, role))
        return found

    def kind_of_class(self, land_class: str) -> str:
        """Return the kind that a class of land counts as; "": that of the layer."""
        return next((kind for kind, codes in self.classes.items() if land_class.startswith(codes)), "")


class LayerConfig(StrictModel):
    """All of ``configs/layers.yaml``."""

    kinds: dict[str, LayerKind]

    @model_validator(mode="after")
    def _validate_classes(self) -> LayerConfig:
        named = {kind for each in self.kinds.values() for kind in each.classes}
        if unknown := named - self.kinds.keys():
            raise ValueError(f"classes name unknown kinds: {', '.join(sorted(unknown))}")
        return self

    @property
    def covering(self) -> frozenset[str]:
        """Kinds whose valid polygons suppress an alert."""
        return frozenset(name for name, kind in self.kinds.items() if kind.covers)

    def propose(self, names: Iterable[str]) -> str:
        """Return the kind that file or table names begin with, the longest match first; "": none."""
        matches = [
            (len(beginning), kind)
            for name in names
            for kind, each in self.kinds.items()
            for beginning in each.names
            if name.upper().startswith(beginning.upper()) or beginning.upper() in name.upper().split("_")
        ]
        return max(matches)[1] if matches else ""


@cache
def read_layer_kinds(path: Path = Path("layers.yaml")) -> LayerConfig:
    """Read ``configs/layers.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, LayerConfig)


def end_of_term(first: dt.date, term: str) -> dt.date:
    """Return the last day of a term that begins on ``first``: 2年, 24个月, 730天, 两年, 2 years.

    Raises:
        ValueError: the term cannot be understood.
    """
    parts = _TERM.findall(term)
    if not parts or _TERM.sub("", term).strip(" ，,、零又"):
        message = f"{term!r} is not a term; expected the form 2年, 24个月 or 730天"
        raise ValueError(Reason(message, "layer.term", term=term))
    months, days = 0.0, 0
    for amount, unit in parts:
        value = _DIGITS[amount] if amount in _DIGITS else float(amount)
        if unit.lower().startswith(("年", "y")):
            months += 12 * value
        elif unit.lower().startswith(("月", "m")):
            months += value
        else:
            days += int(value)
    if not 0 < months + days / 30 <= _MOST_MONTHS:
        raise ValueError(Reason(f"{term!r} is not a usable term", "layer.term", term=term))
    return add_months(first, round(months)) + dt.timedelta(days=days - 1)


def add_months(day: dt.date, months: int) -> dt.date:
    """Return the same day of a later month, or that month's last day."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def found_fields(kind: LayerKind, fields: Iterable[str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the field of each role: the chosen one, else the first existing one of the settings.

    Args:
        kind: of the layer.
        fields: of the file.
        chosen: role → field that a person chose, which exists; "-": none.
    """
    by_upper_case = {field.upper(): field for field in fields}
    found: dict[str, str] = {}
    for role in ROLES:
        if role in chosen:
            if chosen[role] != "-":
                found[role] = chosen[role]
            continue
        field = next((by_upper_case[n.upper()] for n in kind.fields_of(role) if n.upper() in by_upper_case), None)
        if field is not None:
            found[role] = field
    return found
