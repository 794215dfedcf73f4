"""The drop folder: each event as a GeoJSON file, and all events of a day in one GeoPackage.

A file is there whole or not at all, and an event that is dropped again changes nothing. Names::

    202612/3301062026120001_2_1f0c9a7e.geojson    alert, sequence, beginning of the event's id
    20261204.gpkg                                  layer "alerts": one row for each event of that local day
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

LAYER = "alerts"
CRS = "EPSG:4490"
TEMPORARY = ".writing-"

_TEXTS: dict[str, tuple[str, ...]] = {  # column → where it stands in the feature's properties
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
_NUMBERS: dict[str, tuple[str, ...]] = {
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
    """Write an event into the drop folder.

    Args:
        event: a CloudEvent with an alert's feature.
        folder: the drop folder; made if it is not there.
        zone: whose days and months the names tell.

    Raises:
        DeliveryRejected: the folder cannot be written, or the day's GeoPackage cannot be read.
    """
    day = dt.datetime.fromisoformat(event["time"]).astimezone(zone)
    number = re.sub(r"[^A-Za-z0-9-]", "-", event["subject"])
    name = f"{number}_{event['sequence']}_{event['id'][:8]}.geojson"
    try:
        month = folder / f"{day:%Y%m}"
        month.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            _remove_left(folder, month)
            _write_whole(month / name, _geojson(event))
            _add_to_day(folder / f"{day:%Y%m%d}.gpkg", event)
    except OSError as error:
        raise DeliveryRejected(f"The drop folder {folder} cannot be written: {error.strerror or error}.") from error


def _geojson(event: dict[str, Any]) -> bytes:
    """The feature, with what happened among its properties, so that a map program shows it."""
    feature = event["data"]
    told = {"event_id": event["id"], "event_type": event["type"], "event_time": event["time"]}
    properties = {**feature["properties"], **told, "sequence": int(event["sequence"])}
    return json.dumps({**feature, "properties": properties}, ensure_ascii=False, allow_nan=False).encode()


def _write_whole(path: Path, content: bytes) -> None:
    with _renamed(path) as temporary:
        temporary.write_bytes(content)


def _add_to_day(path: Path, event: dict[str, Any]) -> None:
    """Add the event to its day's GeoPackage: a copy is added to and takes the other's place."""
    from pyogrio.errors import (  # here, as it brings pandas, which most processes never need
        DataLayerError,
        DataSourceError,
    )

    if path.exists() and _holds(path, event["id"]):
        return
    with _renamed(path) as temporary:
        if path.exists():
            shutil.copyfile(path, temporary)
        try:
            _append(temporary, event)
        except (DataSourceError, DataLayerError) as error:
            raise DeliveryRejected(f"The GeoPackage {path} cannot be added to: {error}.") from error
        if not _holds(temporary, event["id"]):  # GDAL may learn of a full disk only when it closes the file
            raise DeliveryRejected(f"The GeoPackage {path} cannot be written: is the disk full?")


def _append(path: Path, event: dict[str, Any]) -> None:
    import pyogrio  # here, as it brings pandas, which most processes never need

    properties = event["data"]["properties"]
    told = {
        "event_id": event["id"],
        "event_type": event["type"],
        "event_time": event["time"],
        "sequence": int(event["sequence"]),
    }
    values: dict[str, Any] = {}
    for name, where in _TEXTS.items():
        value = told.get(name) if not where else _found(properties, where)
        values[name] = np.array([value if isinstance(value, str | None) else _short(value)], object)
    for name, where in _NUMBERS.items():
        value = told.get(name) if not where else _found(properties, where)
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
        layer=LAYER,
        append=path.exists(),
        layer_options={"GEOMETRY_NAME": "geom"},
    )


def _found(properties: dict[str, Any], where: tuple[str, ...]) -> Any:
    value: Any = properties
    for name in where:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _holds(path: Path, event_id: str) -> bool:
    """Whether the GeoPackage has that event.

    Raises:
        DeliveryRejected: it is damaged, or no GeoPackage of ours.
    """
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found = connection.execute(f"SELECT 1 FROM {LAYER} WHERE event_id = ?", (event_id,))
            return found.fetchone() is not None
    except sqlite3.Error as error:
        raise DeliveryRejected(
            f"The GeoPackage {path} cannot be read ({error}): move it away, a new one is made."
        ) from error


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    """A name beside ``path``; the file written there takes its place when all went well, and is removed otherwise."""
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(6)}{path.suffix}")
    try:
        yield temporary
        fsync_path(temporary)
        temporary.replace(path)
        fsync_path(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _remove_left(*folders: Path) -> None:
    """Remove what a process that died was writing: all is written under the lock, so nobody writes it now."""
    for folder in folders:
        for left in folder.glob(f"{TEMPORARY}*"):
            left.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock among all processes; a process that dies lets go of it."""
    with (folder / ".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
