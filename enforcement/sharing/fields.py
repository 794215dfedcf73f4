"""Fields of an alert that a receiving body may be shown; a value outside its list never leaves the bureau."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import shapely

from enforcement.alert import STATEMENT, Alert, alert_feature
from enforcement.evidence.sheet_texts import SheetTexts
from enforcement.exports.columns import COLUMNS, Column, Value
from enforcement.sharing.matters import DETERMINATIONS
from errors import SettingsError

ALWAYS = ("number", "statement")
"""Fields that every body sees: the number, to answer by, and the statement, so that nobody reads it as a verdict."""

FIELDS: tuple[str, ...] = (
    *("area_code", "county", "township", "village", "type", "kind", "state", "source", "earlier", "later"),
    *("area_m2", "area_mu", "lon", "lat", "cultivated_m2", "basic_m2", "overlaps", "basis", "stop_notice"),
    *("correct_by", "case_number", "decision", "total_m2", "demolished_m2", "regularised_m2", "determination"),
    "outline",
)
"""Names that a body's list may contain: columns of the exports, ``determination`` and ``outline``."""

DEFAULT_FIELDS: tuple[str, ...] = (
    *("county", "township", "village", "type", "state", "area_m2", "area_mu", "lon", "lat"),
    *("cultivated_m2", "basic_m2", "determination", "outline"),
)

_COLUMNS = {column.name: column for column in COLUMNS}


def check_fields(names: Sequence[str]) -> list[str]:
    """Return the names without duplicates, in the order of :data:`FIELDS`.

    Raises:
        SettingsError: one is unknown.
    """
    if unknown := sorted(set(names) - set(FIELDS)):
        raise SettingsError(
            f"Unknown fields: {', '.join(unknown)}; expected any of {', '.join(FIELDS)}.",
            "sharing.value",
            name="fields",
            value=", ".join(unknown),
        )
    return [name for name in FIELDS if name in set(names)]


def shown_columns(fields: Sequence[str]) -> list[Column]:
    """Return the export columns among a body's fields, the number first and the statement last."""
    return [_COLUMNS[name] for name in ("number", *fields, "statement") if name in _COLUMNS]


def shown_values(alert: Alert, determination: str, fields: Sequence[str], texts: SheetTexts) -> dict[str, Value]:
    """Return the values that a body may see, by field; the outline is left out: see :func:`shown_outline`."""
    properties: dict[str, Any] = alert_feature(alert)["properties"]
    values: dict[str, Value] = {}
    for column in shown_columns(fields):
        value = column.value(alert, properties, texts)
        if column.kind == "number" and isinstance(value, int | float):
            value = round(float(value), column.decimals)
        values[column.name] = value
    values["statement"] = texts.pick(STATEMENT)
    if "determination" in fields:
        values["determination"] = texts.state(determination) if determination in DETERMINATIONS else ""
    return values


def shown_outline(alert: Alert, fields: Sequence[str]) -> shapely.geometry.base.BaseGeometry | None:
    """Return the outline, else the centre if both coordinates are shown, else None. Longitude, latitude."""
    if "outline" in fields:
        return alert.outline
    return alert.outline.centroid if {"lon", "lat"} <= set(fields) else None
