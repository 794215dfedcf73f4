"""Reference layers (approvals, farmland, plans): loading from files, and spatial queries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from shapely.geometry.base import BaseGeometry
from sqlalchemy import and_, false, func, or_, select
from sqlalchemy.orm import Session

from enforcement.layer_kinds import read_layer_kinds
from errors import Reason
from store.areas.layer_options import LayerOptions
from store.areas.layer_rows import LayerRows
from store.areas.layer_versions import add_version, count_features, delete_old_polygons, load_features, set_used
from store.areas.polygon_file import InvalidRow, open_polygons
from store.chain_settings import read_chain_values
from store.schema.database import Database
from store.schema.outlines import bounds_intersect
from store.schema.tables import Feature, Layer, LayerVersion


def layer_kinds() -> tuple[str, ...]:
    """Return the names of all kinds of layers."""
    return tuple(read_layer_kinds().kinds)


@dataclass(frozen=True)
class LoadedLayer:
    """Result of loading a layer from a file.

    Attributes:
        layer_id: id of the layer.
        features: number of loaded polygons.
        replaced: number of polygons of the version that was in use.
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
    """Load a layer and use it at once, without checking open alerts; :mod:`service.layers` does that.

    Args:
        database: where to store it.
        path: see :func:`store.areas.polygon_file.open_polygons`.
        name: display name, which identifies the layer.
        kind: one of :func:`layer_kinds`.
        dated: date of the layer's content; None: unknown.
        number_field: field of the approval number; None: found by the settings.
        from_field: field of the first day of validity; None: found by the settings.
        to_field: field of the last day of validity; None: found by the settings.
        table: name of the layer, for a GeoPackage with several.
        now: current time, aware.

    Raises:
        PolygonFileError: the file or all its features are unusable; nothing was changed.
        SettingsError: unknown kind, or invalid name.
    """
    chosen = {"number": number_field, "from": from_field, "to": to_field}
    options = LayerOptions({role: field for role, field in chosen.items() if field}, table or "")
    with database.write() as session:
        version = add_version(
            session, name=name, area_code="", kind=kind, dated=dated, file_name=path.name, options=options, who="",
            now=now,
        )  # fmt: skip
        layer = session.get_one(Layer, version.layer_id)
        months = read_chain_values(session).whole("layers.temporary_months")
        before = count_features(session, layer.id, layer.version)
    try:
        load_features(database, version.id, LayerRows.of(open_polygons(path, table), kind, options, months))
    except BaseException:
        with database.write() as session:
            session.delete(session.get_one(LayerVersion, version.id))
            session.flush()
            if not layer.version:
                session.delete(session.get_one(Layer, layer.id))
        raise
    with database.write() as session:
        loaded = session.get_one(LayerVersion, version.id)
        set_used(session, loaded, who="", now=now, today=now.date(), applied={})
        delete_old_polygons(session, layer.id, read_chain_values(session).whole("layers.keep_versions"))
        remarks = [str(Reason.from_json(remark["text"], remark["why"])) for remark in loaded.remarks]
        invalid = [InvalidRow(row["number"], Reason.from_json(row["text"], row["why"])) for row in loaded.invalid]
    return LoadedLayer(layer.id, loaded.features, before, remarks, invalid)


def features_touching(
    session: Session, outline: BaseGeometry, kinds: Collection[str] | None = None
) -> list[tuple[Layer, Feature]]:
    """Return the polygons in use that intersect a geometry, ordered by layer.

    Args:
        session: a read transaction.
        outline: longitude, latitude; valid.
        kinds: only layers of these :func:`layer_kinds`; None: all.
    """
    layers = {layer.id: layer for layer in session.scalars(select(Layer)) if kinds is None or layer.kind in kinds}
    versions = {layer.id: layer.version for layer in layers.values()}
    return [(layers[f.layer_id], f) for f in features_of_versions(session, outline, versions)]


def features_of_versions(session: Session, outline: BaseGeometry, versions: Mapping[int, int]) -> list[Feature]:
    """Return the polygons of versions that intersect a geometry, ordered by layer.

    Args:
        session: a read transaction.
        outline: longitude, latitude; valid.
        versions: layer id → number of the version.
    """
    of_these = or_(false(), *(and_(Feature.layer_id == k, Feature.version == v) for k, v in versions.items()))
    query = select(Feature).where(bounds_intersect(Feature, outline), of_these)
    found = session.scalars(query.order_by(Feature.layer_id, Feature.id))
    return [feature for feature in found if feature.outline.intersects(outline)]


def list_layers(session: Session) -> list[tuple[Layer, int]]:
    """Return all layers with a version in use, ordered by name, with the number of their polygons."""
    used = and_(Feature.layer_id == Layer.id, Feature.version == Layer.version)
    query = select(Layer, func.count(Feature.id)).outerjoin(Feature, used).where(Layer.version > 0)
    return [(layer, count) for layer, count in session.execute(query.group_by(Layer.id).order_by(Layer.name))]
