"""Small rows for tests of the store: scenes, scans, areas and changes, placed in metres."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyproj import Transformer
from shapely import transform
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from enforcement.overlap_ratio import area_m2
from store.alerts.placed_changes import DetectedChange
from store.schema.outlines import bounds_of
from store.schema.tables import Area, Feature, Layer, Scan, SceneRow

NOW = dt.datetime(2026, 11, 23, 18, 0, tzinfo=dt.UTC)  # two in the morning of the 24th in Shanghai
VILLAGE = "130131001002"
ORIGIN = 489_600.0, 3_424_200.0
CRS = "EPSG:4547"
_TO_LONLAT = Transformer.from_crs(4547, 4490, always_xy=True).transform


def ground(west: float, south: float, east: float, north: float) -> BaseGeometry:
    """Return a rectangle, given in metres from :data:`ORIGIN`, in longitude and latitude."""
    rectangle = box(ORIGIN[0] + west, ORIGIN[1] + south, ORIGIN[0] + east, ORIGIN[1] + north)
    return transform(rectangle, _TO_LONLAT, interleaved=False)


def add_scene(session: Session, date: dt.date | None, outline: BaseGeometry | None = None, **given: Any) -> SceneRow:
    """Add a scene of one square kilometre, named after its date."""
    name = f"{date}-{session.query(SceneRow).count()}"
    values: dict[str, Any] = {
        "area_code": VILLAGE,
        "sha256": name.rjust(64, "0"),
        "name": f"{name}.tif",
        "source": "drone",
        "date": date,
        "date_source": "given",
        "gsd_m": 0.5,
        "crs": CRS,
        "width": 2000,
        "height": 2000,
        "object_key": f"scenes/{name}.tif",
        "object_sha256": "0" * 64,
        "created_at": NOW,
    }
    scene = SceneRow(**(values | given), **bounds_of(outline or ground(0, 0, 1000, 1000)))
    session.add(scene)
    session.flush()
    return scene


def add_scan(session: Session, before: SceneRow, after: SceneRow, **given: Any) -> Scan:
    """Add a scan of two scenes."""
    values: dict[str, Any] = {
        "unique_key": f"scan:{before.id}:{after.id}:test",
        "area_code": after.area_code,
        "before_id": before.id,
        "after_id": after.id,
        "state": "waiting",
        "created_at": NOW,
    }
    scan = Scan(**(values | given))
    session.add(scan)
    session.flush()
    return scan


def add_area(session: Session, code: str, outline: BaseGeometry) -> None:
    """Add a village, township or county named after its code."""
    level = {6: "county", 9: "township", 12: "village"}[len(code)]
    session.add(Area(code=code, name=f"area {code}", level=level, loaded_at=NOW, **bounds_of(outline)))


def add_approval(
    session: Session, outline: BaseGeometry, valid_from: dt.date | None = None, valid_to: dt.date | None = None
) -> None:
    """Add a layer with one approval."""
    layer = Layer(name=f"approvals {session.query(Layer).count()}", kind="approval", dated=None, loaded_at=NOW)
    session.add(layer)
    session.flush()
    session.add(
        Feature(layer_id=layer.id, number="A-17", valid_from=valid_from, valid_to=valid_to, **bounds_of(outline))
    )


def change(
    number: int, west: float, south: float, side: float, kind: str = "construction", score: float = 0.8
) -> DetectedChange:
    """Return a square change; corner and side in metres."""
    outline = ground(west, south, west + side, south + side)
    detected = box(ORIGIN[0] + west, ORIGIN[1] + south, ORIGIN[0] + west + side, ORIGIN[1] + south + side)
    pictures = {when: f"scans/1/{number:04d}_{when}.jpg" for when in ("before", "after")}
    return DetectedChange(
        number, kind, score, round(area_m2(outline), 2), outline, {"crs": CRS, "wkt": detected.wkt}, pictures
    )
