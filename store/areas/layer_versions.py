"""Versions of layers: loaded beside the one in use, then taken into use or discarded; the former ones are kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.orm import Session

from enforcement.layer_kinds import read_layer_kinds
from errors import Reason, SettingsError
from store.access.rights import Viewer, may_see, starts_with
from store.areas.layer_options import LayerOptions
from store.areas.layer_rows import LayerRows
from store.areas.polygon_file import InvalidRow, nothing_usable
from store.schema.database import Database
from store.schema.tables import Feature, Layer, LayerVersion

STATES = ("loading", "checked", "using", "used", "former", "discarded", "failed")
"""States of a version: its polygons are read; its effects are known; it is being taken into use; in use; replaced …"""

MAX_LISTED = 200
"""Invalid features and remarks that are kept with a version; further ones are only counted."""

_ROWS = 2000  # per statement


def find_layer(session: Session, name: str, area_code: str = "") -> Layer | None:
    """Return the layer of this name and area; None: there is none."""
    return session.scalars(select(Layer).where(Layer.name == name, Layer.area_code == area_code)).one_or_none()


def add_version(
    session: Session,
    *,
    name: str,
    area_code: str,
    kind: str,
    dated: dt.date | None,
    file_name: str,
    options: LayerOptions,
    who: str,
    now: dt.datetime,
    sha256: str = "",
    size: int = 0,
    object_key: str = "",
) -> LayerVersion:
    """Add a version in the state ``loading``; the layer is added if there is none of this name.

    Raises:
        SettingsError: unknown kind, invalid name, or the new version would mix two kinds.
    """
    kinds = read_layer_kinds().kinds
    if kind not in kinds:
        raise SettingsError(
            f"{kind!r} is not a kind of layer; expected {', '.join(kinds)}.",
            "layer.kind",
            kind=kind,
            kinds=", ".join(kinds),
        )
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise SettingsError(
            f"A layer's name must have 1 to 200 characters; found {name[:40]!r}.", "layer.name", name=name[:40]
        )
    layer = find_layer(session, name, area_code)
    if layer is None:
        layer = Layer(name=name, area_code=area_code, kind=kind, dated=dated, loaded_at=now, version=0)
        session.add(layer)
        session.flush()
    elif options.add and layer.version and layer.kind != kind:
        message = f"{name} is of the kind {layer.kind}; polygons of the kind {kind} cannot be added to it."
        raise SettingsError(message, "layer.mixed", name=name, kind=layer.kind, other=kind)
    last = session.scalar(select(func.max(LayerVersion.number)).where(LayerVersion.layer_id == layer.id)) or 0
    version = LayerVersion(
        layer_id=layer.id,
        number=max(last, layer.version) + 1,
        state="loading",
        kind=kind,
        dated=dated,
        file_name=file_name[:400],
        object_key=object_key,
        sha256=sha256,
        size=size,
        options=options.to_json(),
        loaded_by=who,
        loaded_at=now,
    )
    session.add(version)
    session.flush()
    return version


def load_features(
    database: Database,
    version_id: int,
    rows: LayerRows,
    *,
    progress: Callable[[float], None] = lambda _share: None,
) -> None:
    """Store the polygons of a version, part by part, and describe them in its row. A repeated call begins anew.

    Args:
        database: where to store them.
        version_id: of a version in the state ``loading``.
        rows: polygons of its file.
        progress: is told the share of the file that is stored.

    Raises:
        PolygonFileError: no feature is usable, or the file cannot be read to its end.
    """
    with database.write() as session:
        version = session.get_one(LayerVersion, version_id)
        layer = session.get_one(Layer, version.layer_id)
        own = {"layer_id": layer.id, "version": version.number}
        session.execute(delete(Feature).where(Feature.layer_id == layer.id, Feature.version == version.number))
        kept = _copy_features(session, layer, version.number) if rows.options.add and layer.version else 0
    loaded, seen, invalid_count = 0, 0, 0
    invalid: list[InvalidRow] = []
    remarks: list[str] = list(rows.stream.remarks)
    if rows.missing_class:
        message = "It has no field of the class of land (DLBM): no polygon counts as cultivated."
        remarks.append(Reason(message, "layer.no_class"))
    if kept:
        remarks.append(Reason(f"{kept} polygons of version {layer.version} are kept.", "layer.kept",
                              polygons=kept, version=layer.version))  # fmt: skip
    remark_count = len(remarks)
    for part in rows.read():
        columns = [row for row in part if isinstance(row, dict)]
        for start in range(0, len(columns), _ROWS):
            with database.write() as session:
                session.execute(insert(Feature), [own | row for row in columns[start : start + _ROWS]])
        bad = [row for row in part if isinstance(row, InvalidRow)]
        said = [row for row in part if isinstance(row, Reason)]
        loaded, invalid_count, remark_count = loaded + len(columns), invalid_count + len(bad), remark_count + len(said)
        invalid += bad[: MAX_LISTED - len(invalid)]
        remarks += said[: max(0, MAX_LISTED - len(remarks))]
        seen += len(columns) + len(bad)
        progress(seen / max(rows.stream.count, 1))
    if not loaded:
        raise nothing_usable(rows.stream.path, invalid_count, invalid[0] if invalid else None)
    with database.write() as session:
        version = session.get_one(LayerVersion, version_id)
        version.features, version.invalid_count = loaded + kept, invalid_count
        version.invalid = [
            {"number": r.number, "text": str(r.reason), "why": Reason.json_of(r.reason)} for r in invalid
        ]
        version.remarks = [{"text": str(remark), "why": Reason.json_of(remark)} for remark in remarks]
        version.options = version.options | {"found": rows.fields, "remark_count": remark_count}


def _copy_features(session: Session, layer: Layer, number: int) -> int:
    """Copy the polygons of the version in use to a new one; return their number."""
    names = ("kind", "number", "valid_from", "valid_to", "attributes", "outline", "west", "south", "east", "north")
    table = Feature.__table__
    copied = select(literal(layer.id), literal(number), *(table.c[name] for name in names)).where(
        Feature.layer_id == layer.id, Feature.version == layer.version
    )
    session.execute(insert(Feature).from_select(["layer_id", "version", *names], copied, include_defaults=False))
    return count_features(session, layer.id, number)


def any_layers(session: Session) -> bool:
    """Return whether there is any layer."""
    return session.scalar(select(Layer.id).limit(1)) is not None


def count_features(session: Session, layer_id: int, number: int) -> int:
    """Count the polygons of a version."""
    own = (Feature.layer_id == layer_id, Feature.version == number)
    return session.scalar(select(func.count(Feature.id)).where(*own)) or 0


def set_used(
    session: Session, version: LayerVersion, *, who: str, now: dt.datetime, today: dt.date, applied: dict[str, Any]
) -> None:
    """Take a version into use: the one before is ``former`` from now on.

    Args:
        session: a writing transaction.
        version: its polygons are loaded.
        who: decides.
        now: current time.
        today: local day.
        applied: what it changed, as of :mod:`store.layers.layer_impact`.
    """
    layer = session.get_one(Layer, version.layer_id, with_for_update=True)
    before = session.scalars(
        select(LayerVersion).where(LayerVersion.layer_id == layer.id, LayerVersion.state == "used")
    ).all()
    for former in before:
        former.state, former.valid_to = "former", today
    version.state, version.valid_from, version.valid_to = "used", today, None
    version.used_by, version.used_at, version.applied = who, now, applied
    layer.version, layer.kind, layer.dated, layer.loaded_at = version.number, version.kind, version.dated, now
    session.flush()


def delete_old_polygons(session: Session, layer_id: int, keep: int) -> None:
    """Delete the polygons of former versions except the last ``keep``, and those of discarded and failed ones."""
    unused = session.scalars(
        select(LayerVersion)
        .where(
            LayerVersion.layer_id == layer_id,
            LayerVersion.kept,
            LayerVersion.state.in_(("former", "discarded", "failed")),
        )
        .order_by(LayerVersion.number.desc())
    ).all()
    former = [version for version in unused if version.state == "former"]
    for version in [*former[keep:], *(version for version in unused if version.state != "former")]:
        session.execute(delete(Feature).where(Feature.layer_id == layer_id, Feature.version == version.number))
        version.kept = False


def version_for(session: Session, viewer: Viewer, version_id: int) -> tuple[Layer, LayerVersion] | None:
    """Return a version that an administrator may manage, with its layer; None: there is none."""
    version = session.get(LayerVersion, version_id) if 0 < version_id < 2**31 else None
    layer = version and session.get(Layer, version.layer_id)
    return (layer, version) if version and layer and may_see(viewer, layer.area_code) else None


def managed_layers(session: Session, viewer: Viewer) -> list[tuple[Layer, list[LayerVersion]]]:
    """Return the layers that an administrator may manage, by name, each with its versions, newest first."""
    layers = session.scalars(
        select(Layer).where(starts_with(Layer.area_code, viewer.code)).order_by(Layer.name, Layer.area_code)
    ).all()
    versions: dict[int, list[LayerVersion]] = {layer.id: [] for layer in layers}
    for version in session.scalars(
        select(LayerVersion).where(LayerVersion.layer_id.in_(versions)).order_by(LayerVersion.number.desc())
    ):
        versions[version.layer_id].append(version)
    return [(layer, versions[layer.id]) for layer in layers]
