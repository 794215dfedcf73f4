"""Small georeferenced images of a test area."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagery  # noqa: F401  (settings of GDAL before rasterio)

import numpy as np  # isort: skip
import rasterio
import shapely
from pyproj import Transformer

from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import Area
from tests.workers.embedded import NOW

CODE, NEIGHBOUR = "330102", "330106"
WEST, NORTH = 500_000.0, 3_400_000.0  # of the area, in EPSG:4547; it is 10 km wide and tall
AREA_M = 10_000.0


def ground(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """Return a rectangle, in metres from the north-west corner of the area, in longitude and latitude."""
    corners = shapely.box(WEST + west, NORTH + south, WEST + east, NORTH + north)
    return shapely.transform(corners, Transformer.from_crs(4547, 4490, always_xy=True).transform, interleaved=False)


def add_areas(database: Database) -> None:
    """Add the area and its neighbour to the east."""
    with database.write() as session:
        for code, name, west in ((CODE, "上城区", 0.0), (NEIGHBOUR, "西湖区", AREA_M)):
            outline = ground(west, -AREA_M, west + AREA_M, 0)
            session.add(Area(code=code, name=name, level="county", loaded_at=NOW, **bounds_of(outline)))


def write_image(path: Path, seed: int, *, east: float = 1000.0, size: int = 64, **profile: Any) -> Path:
    """Write an 8-bit image of 0.5 m per pixel with random pixels, ``east`` metres into the area."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "crs": "EPSG:4547", "compress": "deflate"} | profile
    place = rasterio.Affine(0.5, 0, WEST + east, 0, -0.5, NORTH - 1000.0)
    pixels = np.random.default_rng(seed).integers(1, 250, (3, size, size), np.uint8)
    with rasterio.open(path, "w", width=size, height=size, count=3, dtype="uint8", transform=place, **profile) as image:
        image.write(pixels)
    return path
