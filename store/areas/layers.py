"""Layers of a bureau: approvals, farmland, plans. Loaded from its files, found by place."""

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
    """What became of a file of a layer.

    Attributes:
        layer_id: its row.
        features: polygons that it has now.
        replaced: polygons that it had before.
        remarks: what was repaired or guessed.
        broken: features that could not be used.
    """

    layer_id: int
    features: int
    replaced: int
    remarks: list[str]
    broken: list[InvalidRow]


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
    """Load a layer; what one of that name held before is replaced as a whole.

    Args:
        database: where to.
        path: see :func:`store.areas.polygon_file.read_polygons`.
        name: for people; the layer is known by it.
        kind: one of :data:`LAYER_KINDS`.
        dated: of which date the layer is; None: not known.
        number_field: field of the approval's number.
        from_field: field of the first day on which a polygon is valid; None or empty: from ever.
        to_field: field of the last day; None or empty: for ever.
        table: which layer of a GeoPackage that has several.
        now: the moment, aware.

    Raises:
        PolygonFileError: the file cannot be used, or nothing in it; nothing was changed.
        SettingsError: there is no such kind.
    """
    if kind not in LAYER_KINDS:
        raise SettingsError(f"{kind!r} is no kind of layer; expected {', '.join(LAYER_KINDS)}.")
    if not name.strip() or len(name) > 200:
        raise SettingsError(f"A layer's name has 1 to 200 characters; found {name[:40]!r}.")
    file = read_polygons(path, table)
    number_field, from_field, to_field = (f and file.field(f) for f in (number_field, from_field, to_field))
    features: list[Feature] = []

    def take(row: Row) -> None:
        valid_from = _day(row.values[from_field]) if from_field else None
        valid_to = _day(row.values[to_field]) if to_field else None
        if valid_from and valid_to and valid_to < valid_from:
            raise ValueError(f"it is valid to {valid_to}, which is before {valid_from}, from when it is valid")
        features.append(
            Feature(
                number=text_of(row.values[number_field])[:200] if number_field else "",
                valid_from=valid_from,
                valid_to=valid_to,
                attributes={k: v.isoformat() if isinstance(v, dt.date) else v for k, v in row.values.items()},
                **bounds_of(row.outline),
            )
        )

    remarks, broken = file.load_rows(take)
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
    return LoadedLayer(layer.id, len(features), replaced, remarks, broken)


def features_touching(
    session: Session, outline: BaseGeometry, kinds: Collection[str] | None = None
) -> list[tuple[Layer, Feature]]:
    """Polygons of layers that a polygon lies in or touches, by layer.

    Args:
        session: of :class:`store.schema.database.Database`.
        outline: longitude, latitude; valid.
        kinds: which of :data:`LAYER_KINDS`; None: all.
    """
    query = select(Layer, Feature).join(Feature, Feature.layer_id == Layer.id).where(bounds_intersect(Feature, outline))
    if kinds is not None:
        query = query.where(Layer.kind.in_(kinds))
    found = session.execute(query.order_by(Layer.id, Feature.id))
    return [(layer, feature) for layer, feature in found if feature.outline.intersects(outline)]


def list_layers(session: Session) -> list[tuple[Layer, int]]:
    """All layers by name, each with how many polygons it has."""
    counted = select(Layer, func.count(Feature.id)).outerjoin(Feature, Feature.layer_id == Layer.id)
    return [(layer, count) for layer, count in session.execute(counted.group_by(Layer.id).order_by(Layer.name))]


def _day(value: Any) -> dt.date | None:
    """A day, or None where none is given; ValueError: what stands there is none."""
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
        raise ValueError(f"{text!r} is no day; expected one like 2026-11-20") from None
