"""Reference layers (approvals, farmland, plans): loading from files, and spatial queries."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from errors import SettingsError
from store.areas.polygon_file import InvalidRow, Row, read_polygons, text_of
from store.schema.database import Database
from store.schema.outlines import bounds_intersect, bounds_of
from store.schema.tables import Feature, Layer

LAYER_KINDS = ("approval", "cultivated", "basic_farmland", "plan", "farm_facility", "protected")

_UNLIMITED = ("", "长期", "永久", "长期有效", "永久有效")


@dataclass(frozen=True)
class LoadedLayer:
    """Result of loading a layer from a file.

    Attributes:
        layer_id: id of the layer.
        features: number of loaded polygons.
        replaced: number of previous polygons that were deleted.
        remarks: repaired features, and assumptions that were made.
        invalid: features that could not be used.
    """

    layer_id: int
    features: int
    replaced: int
    remarks: list[str]
    invalid: list[InvalidRow]


def load_layer(
    database: Database,
    path: Path,
    *,
    name: str,
    kind: str,
    dated: dt.date | None = None,
    number_field: str | None = None,
    from_field: str | None = None,
    to_field: str | None = None,
    table: str | None = None,
    now: dt.datetime,
) -> LoadedLayer:
    """Load a layer, replacing all polygons of an existing layer with the same name.

    Args:
        database: where to store it.
        path: see :func:`store.areas.polygon_file.read_polygons`.
        name: display name, which identifies the layer.
        kind: one of :data:`LAYER_KINDS`.
        dated: date of the layer's content; None: unknown.
        number_field: field of the approval number.
        from_field: field of the first day of validity; None or empty: no beginning.
        to_field: field of the last day of validity; None or empty: no end.
        table: name of the layer, for a GeoPackage with several.
        now: current time, aware.

    Raises:
        PolygonFileError: the file or all its features are unusable; nothing was changed.
        SettingsError: unknown kind, or invalid name.
    """
    if kind not in LAYER_KINDS:
        raise SettingsError(f"{kind!r} is not a kind of layer; expected {', '.join(LAYER_KINDS)}.")
    if not name.strip() or len(name) > 200:
        raise SettingsError(f"A layer's name must have 1 to 200 characters; found {name[:40]!r}.")
    file = read_polygons(path, table)
    number_field, from_field, to_field = (f and file.field(f) for f in (number_field, from_field, to_field))
    features: list[Feature] = []

    def load(row: Row) -> None:
        valid_from = _parse_date(row.values[from_field]) if from_field else None
        valid_to = _parse_date(row.values[to_field]) if to_field else None
        if valid_from and valid_to and valid_to < valid_from:
            raise ValueError(f"its validity ends on {valid_to}, before it begins on {valid_from}")
        features.append(
            Feature(
                number=text_of(row.values[number_field])[:200] if number_field else "",
                valid_from=valid_from,
                valid_to=valid_to,
                attributes={k: v.isoformat() if isinstance(v, dt.date) else v for k, v in row.values.items()},
                **bounds_of(row.outline),
            )
        )

    remarks, invalid = file.load_rows(load)
    with database.write() as session:
        layer = session.scalars(select(Layer).where(Layer.name == name)).one_or_none() or Layer(name=name)
        layer.kind, layer.dated, layer.loaded_at = kind, dated, now
        session.add(layer)
        session.flush()
        replaced = session.scalar(select(func.count(Feature.id)).where(Feature.layer_id == layer.id)) or 0
        session.execute(delete(Feature).where(Feature.layer_id == layer.id))
        for feature in features:
            feature.layer_id = layer.id
        session.add_all(features)
    return LoadedLayer(layer.id, len(features), replaced, remarks, invalid)


def features_touching(
    session: Session, outline: BaseGeometry, kinds: Collection[str] | None = None
) -> list[tuple[Layer, Feature]]:
    """Return the layer polygons that intersect a geometry, ordered by layer.

    Args:
        session: a read transaction.
        outline: longitude, latitude; valid.
        kinds: only layers of these :data:`LAYER_KINDS`; None: all.
    """
    query = select(Layer, Feature).join(Feature, Feature.layer_id == Layer.id).where(bounds_intersect(Feature, outline))
    if kinds is not None:
        query = query.where(Layer.kind.in_(kinds))
    rows = session.execute(query.order_by(Layer.id, Feature.id))
    return [(layer, feature) for layer, feature in rows if feature.outline.intersects(outline)]


def list_layers(session: Session) -> list[tuple[Layer, int]]:
    """Return all layers, ordered by name, with the number of their polygons."""
    query = select(Layer, func.count(Feature.id)).outerjoin(Feature, Feature.layer_id == Layer.id)
    return [(layer, count) for layer, count in session.execute(query.group_by(Layer.id).order_by(Layer.name))]


def _parse_date(value: Any) -> dt.date | None:
    """Parse a date; None for an empty value or unlimited validity.

    Raises:
        ValueError: the value is not a date.
    """
    if isinstance(value, dt.date):
        return value
    text = text_of(value)
    if text in _UNLIMITED:
        return None
    parts = re.match(r"(\d{4})(?:(\d\d)(\d\d)|([-/.年])(\d{1,2})[-/.月](\d{1,2})日?)(?:[T ].*)?$", text, re.ASCII)
    try:
        if parts is None:
            raise ValueError
        year, month, day, _, other_month, other_day = parts.groups()
        return dt.date(int(year), int(month or other_month), int(day or other_day))
    except ValueError:
        raise ValueError(f"{text!r} is not a date; expected the form 2026-11-20") from None
