"""The drop folder: each event as a GeoJSON file, and all events of a day with their alerts in one GeoPackage.

Files are written atomically, and writing an event again changes nothing. Names::

    202612/3301062026120001_2_1f0c9a7e.geojson    alert, sequence, first characters of the event id
    20261204.gpkg                                  layer "events": one row per event of that local day;
                                                   layer "alerts": one row per alert, as of its last event of the day
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely

from store.objects.folder import fsync_path
from workers.delivery.delivery_errors import DeliveryRejected

EVENTS, ALERTS = "events", "alerts"
CRS = "EPSG:4490"
TEMPORARY_PREFIX = ".writing-"

_TEXT_COLUMNS: dict[str, tuple[str, ...]] = {  # column → path in the feature's properties
    "number": ("number",),
    "event_id": (),
    "event_type": (),
    "event_time": (),
    "statement_zh": ("statement", "zh"),
    "statement_en": ("statement", "en"),
    "kind": ("kind",),
    "kind_zh": ("kind_name", "zh"),
    "type": ("type",),
    "state": ("state",),
    "source": ("source",),
    "village_code": ("village", "code"),
    "village": ("village", "name"),
    "township_code": ("township", "code"),
    "township": ("township", "name"),
    "county_code": ("county", "code"),
    "county": ("county", "name"),
    "earlier_date": ("earlier_image", "date"),
    "earlier_sha256": ("earlier_image", "sha256"),
    "later_date": ("later_image", "date"),
    "later_sha256": ("later_image", "sha256"),
    "week": ("week",),
    "overlaps": ("overlaps",),
    "page": ("page",),
}
_NUMBER_COLUMNS: dict[str, tuple[str, ...]] = {
    "sequence": (),
    "score": ("score",),
    "area_m2": ("area_m2",),
    "area_mu": ("area_mu",),
    "lon": ("centre", "lon"),
    "lat": ("centre", "lat"),
    "times_seen": ("times_seen",),
    "growth_m2": ("growth_m2",),
    "rank": ("rank",),
    "residual_m": ("registration_residual_m",),
}


def drop_event(event: dict[str, Any], folder: Path, zone: ZoneInfo) -> None:
    """Write an event to the drop folder.

    Args:
        event: a CloudEvent with an alert's feature.
        folder: the drop folder, created if missing.
        zone: time zone of the days and months in file names.

    Raises:
        DeliveryRejected: the folder cannot be written, or the day's GeoPackage cannot be read.
    """
    day = dt.datetime.fromisoformat(event["time"]).astimezone(zone)
    number = re.sub(r"[^A-Za-z0-9-]", "-", event["subject"])
    name = f"{number}_{event['sequence']}_{event['id'][:8]}.geojson"
    try:
        month = folder / f"{day:%Y%m}"
        month.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            _remove_partial_files(folder, month)
            _write_atomically(month / name, _geojson(event))
            _add_to_day(folder / f"{day:%Y%m%d}.gpkg", event)
    except OSError as error:
        raise DeliveryRejected(f"The drop folder {folder} cannot be written: {error.strerror or error}.") from error


def _geojson(event: dict[str, Any]) -> bytes:
    """Return the feature with the event's own attributes added to its properties, so that GIS programs show them."""
    feature = event["data"]
    properties = {**feature["properties"], **_event_attributes(event)}
    return json.dumps({**feature, "properties": properties}, ensure_ascii=False, allow_nan=False).encode()


def _event_attributes(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_id": event["id"],
        "event_type": event["type"],
        "event_time": event["time"],
        "sequence": int(event["sequence"]),
    }


def _write_atomically(path: Path, content: bytes) -> None:
    with _replacing(path) as temporary:
        temporary.write_bytes(content)


def _add_to_day(path: Path, event: dict[str, Any]) -> None:
    """Add the event to its day's GeoPackage: append to a copy, which then replaces the original."""
    from pyogrio.errors import (  # imported here because it imports pandas, which most processes never need
        DataLayerError,
        DataSourceError,
    )

    if path.exists() and _is_of_earlier_version(path):
        path.rename(path.with_stem(f"{path.stem}-earlier-version"))
    if path.exists() and _contains(path, event["id"]):
        return
    with _replacing(path) as temporary:
        if path.exists():
            shutil.copyfile(path, temporary)
        try:
            _append(temporary, EVENTS, event)
            if _remove_earlier(temporary, event):
                _append(temporary, ALERTS, event)
        except (DataSourceError, DataLayerError, sqlite3.Error) as error:
            raise DeliveryRejected(f"The GeoPackage {path} cannot be extended: {error}.") from error
        if not _contains(temporary, event["id"]):  # GDAL may notice a full disk only when it closes the file
            raise DeliveryRejected(f"The GeoPackage {path} cannot be written: is the disk full?")


def _is_of_earlier_version(path: Path) -> bool:
    """Return whether the GeoPackage has only the layer ``alerts``, with one row per event."""
    with _reading(path) as connection:
        return EVENTS not in _layers(connection)


def _remove_earlier(path: Path, event: dict[str, Any]) -> bool:
    """Remove an alert's row from the layer of alerts; return False, and keep it, if it is of a later event."""
    number, sequence = event["data"]["properties"]["number"], int(event["sequence"])
    with closing(sqlite3.connect(path)) as connection, connection:
        if ALERTS not in _layers(connection):
            return True
        newer = connection.execute(f"SELECT 1 FROM {ALERTS} WHERE number = ? AND sequence > ?", (number, sequence))
        if newer.fetchone() is not None:
            return False
        connection.execute(f"DELETE FROM {ALERTS} WHERE number = ?", (number,))
    return True


def _layers(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT table_name FROM gpkg_contents")}


def _append(path: Path, layer: str, event: dict[str, Any]) -> None:
    import pyogrio  # imported here because it imports pandas, which most processes never need

    properties, attributes = event["data"]["properties"], _event_attributes(event)
    values: dict[str, Any] = {}
    for name, keys in _TEXT_COLUMNS.items():
        value = _lookup(properties, keys) if keys else attributes.get(name)
        values[name] = np.array([value if isinstance(value, str | None) else _to_json(value)], object)
    for name, keys in _NUMBER_COLUMNS.items():
        value = _lookup(properties, keys) if keys else attributes.get(name)
        values[name] = np.array([np.nan if value is None else value], float)
    outline = shapely.from_geojson(json.dumps(event["data"]["geometry"]))
    parts = list(outline.geoms) if outline.geom_type == "MultiPolygon" else [outline]
    pyogrio.raw.write(
        path,
        geometry=np.array([shapely.to_wkb(shapely.MultiPolygon(parts))], object),
        field_data=list(values.values()),
        fields=np.array(list(values), object),
        geometry_type="MultiPolygon",
        crs=CRS,
        driver="GPKG",
        layer=layer,
        append=path.exists(),
        layer_options={"GEOMETRY_NAME": "geom"},
    )


def _lookup(properties: dict[str, Any], keys: tuple[str, ...]) -> Any:
    value: Any = properties
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _contains(path: Path, event_id: str) -> bool:
    """Return whether the GeoPackage contains an event; errors as of :func:`_reading`."""
    with _reading(path) as connection:
        return connection.execute(f"SELECT 1 FROM {EVENTS} WHERE event_id = ?", (event_id,)).fetchone() is not None


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the GeoPackage for reading.

    Raises:
        DeliveryRejected: the file is damaged or has another layout.
    """
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise DeliveryRejected(
            f"The GeoPackage {path} cannot be read ({error}). Move it away; a new one is created."
        ) from error


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on success the file written there replaces ``path``, otherwise it is removed."""
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{path.suffix}")
    try:
        yield temporary
        fsync_path(temporary)
        temporary.replace(path)
        fsync_path(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _remove_partial_files(*folders: Path) -> None:
    """Remove files that a killed process was writing; the caller holds the lock, so no other process writes them."""
    for folder in folders:
        for partial in folder.glob(f"{TEMPORARY_PREFIX}*"):
            partial.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock across processes; the kernel releases it when a process dies."""
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
