"""Polygon files for tests, in several formats, coordinate systems and encodings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from pyproj import Transformer
from shapely import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from store.schema.database import Database
from store.schema.tables import Area

COUNTY = box(113.9, 34.5, 114.3, 34.9)
TOWNSHIP = box(114.0, 34.6, 114.1, 34.7)
VILLAGE = box(114.02, 34.62, 114.04, 34.64)
CODES = ["410122", "410122101", "410122101203"]
NAMES = ["中牟县", "郑庵镇", "台前村"]
DRIVERS = {".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".geojson": "GeoJSON"}


def write(
    path: Path,
    outlines: list[BaseGeometry | None],
    fields: dict[str, list[Any]],
    crs: str | None = "EPSG:4490",
    encoding: str | None = None,
    layer: str | None = None,
) -> Path:
    """Write outlines, given in longitude and latitude, to a file in another coordinate system."""
    if crs is not None:
        transformer = Transformer.from_crs(4490, crs, always_xy=True)
        outlines = [
            o and shapely.transform(o, lambda p: np.column_stack(transformer.transform(p[:, 0], p[:, 1])))
            for o in outlines
        ]
    shapes = np.empty(len(outlines), object)
    shapes[:] = [None if o is None else shapely.to_wkb(o) for o in outlines]
    columns = [np.array(v, object if isinstance(v[0], str | None) else None) for v in fields.values()]
    pyogrio.raw.write(
        path,
        geometry=shapes,
        field_data=columns,
        fields=np.array(list(fields), object),
        geometry_type="Unknown" if path.suffix == ".gpkg" else "Polygon",
        crs=crs,
        driver=DRIVERS[path.suffix],
        encoding=encoding,
        layer=layer,
        append=path.exists(),
    )
    return path


def three(path: Path, crs: str = "EPSG:4490", encoding: str | None = None) -> Path:
    """Write a county, a township and a village."""
    return write(path, [COUNTY, TOWNSHIP, VILLAGE], {"XZQDM": CODES, "XZQMC": NAMES}, crs, encoding)


def geojson(path: Path, *features: tuple[BaseGeometry | dict[str, Any] | None, dict[str, Any]], **more: Any) -> Path:
    """Write a GeoJSON file of (geometry, properties) pairs; ``more`` are further members of the collection."""
    content = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(o) if isinstance(o, BaseGeometry) else o,
            "properties": p,
        }
        for o, p in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": content} | more), encoding="utf-8")
    return path


def all_areas(database: Database) -> list[Area]:
    """Return all stored areas, ordered by code."""
    with database.read() as session:
        return list(session.scalars(select(Area).order_by(Area.code)))
