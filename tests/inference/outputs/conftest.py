"""Synthetic scans with known truth: positions on the earth, and dots on the ground visible on both dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from imagery import Patch  # isort: skip  (configures GDAL before other imports)
import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry import Polygon

from configs.stage_clock import StageTime
from enforcement.units import mu
from inference.changes import Change, Kind
from inference.registration.measure import Alignment
from inference.registration.shift_field import ShiftField
from inference.scan_result import ScanResult, SceneFacts
from inference.settings import MinimumAreas, Profile, ScanSettings

ARC_30 = 3_320_113.398
"""Metres along the meridian from the equator to 30° north on the WGS 84 ellipsoid; on that of CGCS2000 the same to
0.1 mm (textbook series, Snyder 1987, equation 3-21)."""

UTM_POINT = (500_000.0, ARC_30 * 0.9996)
"""117° E 30° N in EPSG:32650: on the central meridian, scaled by 0.9996."""

GAUSS_KRUGER_POINT = (500_000.0, ARC_30)
"""114° E 30° N in EPSG:4547: on the central meridian, true to scale."""


@dataclass
class Painted:
    """A grey image with white dots of 3 m, optionally displaced on the ground.

    Attributes:
        dots: (x, y) on the ground.
        off: (x, y) displacement of the image on the ground.
        edge: x from which on the image has no data.
    """

    dots: list[tuple[float, float]]
    off: tuple[float, float] = (0.0, 0.0)
    edge: float = np.inf

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        rows, columns = geobox.shape
        column, row = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
        if shift is not None:
            column, row = column + shift[..., 0], row + shift[..., 1]
        x, y = geobox.affine @ (column, row)
        rgb = np.full((rows, columns, 3), 90, np.uint8)
        for at in self.dots:
            rgb[np.hypot(x - at[0] - self.off[0], y - at[1] - self.off[1]) < 1.5] = 255
        valid = x < self.edge
        rgb[~valid] = 0
        return Patch(rgb, valid)


def _square(corner: tuple[float, float], side: float) -> Polygon:
    x, y = corner
    return Polygon([(x, y), (x, y - side), (x + side, y - side), (x + side, y)])


def _alignment(affine: list[list[float]], grid: GeoBox) -> Alignment:
    centre = (float(grid.shape[1]) / 2, float(grid.shape[0]) / 2)
    longest = float(np.abs(affine).max())
    return Alignment(True, None, 0.41, 0.9, 2.7, 60, 64, longest, ShiftField(centre, np.array(affine)))


ScanMaker = Callable[..., ScanResult]


@pytest.fixture
def make_scan() -> ScanMaker:
    """Factory of scans at 0.5 m per pixel with square changes of 20 m, the first with its north-west at ``corner``."""

    def make(
        crs: str | None = "EPSG:32650",
        corner: tuple[float, float] = UTM_POINT,
        kinds: tuple[Kind, ...] = ("construction", "ground"),
        shift: tuple[float, float] = (0.0, 0.0),
        **changed: Any,
    ) -> ScanResult:
        down = -1 if crs else 1
        unit = 0.5 if crs else 1.0
        left, top = corner[0] - 100 * unit, corner[1] - down * 100 * unit
        grid = GeoBox((600, 800), Affine(unit, 0, left, 0, down * unit, top), crs)
        to_lonlat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True) if crs else None
        changes = []
        for number, kind in enumerate(kinds, 1):
            polygon = _square((corner[0] + 60 * unit * (number - 1), corner[1]), 40 * unit)
            ring = np.array(polygon.exterior.coords)
            lonlat = Polygon(np.stack(to_lonlat.transform(*ring.T), axis=1)) if to_lonlat else None
            changes.append(Change(number, kind, 0.875, polygon, lonlat, 400.0, mu(400.0)))
        size = (800, 600)
        before = SceneFacts("before.tif", "b" * 64, dt.date(2020, 3, 1), "file name", 0.5, crs, *size)
        after = SceneFacts("after.tif", "a" * 64, dt.date(2022, 5, 2), "given", 0.5, crs, *size)
        areas = MinimumAreas(construction=200, ground=400, demolition=200)
        profile = Profile(up_to_gsd_m=0.6, resolution_m=0.5, min_area_m2=areas, search_m=20, max_residual_px=2)
        result = ScanResult(
            before=before,
            after=after,
            grid=grid,
            resolution_m=0.5,
            alignment=_alignment([[*shift], [0, 0], [0, 0]], grid),
            changes=tuple(changes),
            compared_area_m2=100_000.0,
            not_compared_area_m2={"no data on the earlier date": 20_000.0},
            settings=ScanSettings(profile_name="aerial", profile=profile),
            weights_name="fast",
            weights_sha256="c" * 64,
            runtime="openvino bf16",
            threshold={"building": 0.5, "ground": 0.4},
            stages={"registration": StageTime(1.5, 2.0)},
        )
        return replace(result, **changed)

    return make


@pytest.fixture
def blank() -> Painted:
    """An image without dots."""
    return Painted([])


@pytest.fixture
def painted() -> type[Painted]:
    """The class of synthetic images."""
    return Painted


@pytest.fixture
def points() -> dict[str, tuple[float, float]]:
    """Hand-computed points: 117° E 30° N in EPSG:32650, 114° E 30° N in EPSG:4547."""
    return {"EPSG:32650": UTM_POINT, "EPSG:4547": GAUSS_KRUGER_POINT}
