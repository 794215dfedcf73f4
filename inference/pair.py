"""Two scenes on one common grid: what can be compared, at which resolution, and how pieces of it are read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Geod, Transformer
from shapely.geometry import Polygon

from errors import NotComparable, SettingsError
from imagery import Patch, Scene
from inference.raster_source import Readable
from inference.settings import ScanSettings
from model.radiometric_normalization import Table, balance_table

LONLAT = CRS.from_epsg(4326)
ELLIPSOID = Geod(ellps="WGS84")
OVERVIEW_SIDE = 1024
"""Longer side, in pixels, of the overview from which a date's exposure is measured."""

ENLARGED_AT_MOST = 4.0
"""Times that an image coarser than the profile's resolution is enlarged to be looked at there. The network knows things
by their size in pixels: training pairs reduced to 1.1 m scored F1 0.37 at 1.1 m and 0.51 enlarged to 0.5 m, reduced to
2 m 0.32 and 0.48 (LEVIR training tiles at 0.5 m with a change, every fourth; weights at step 2650). Finer than this
the pixels only cost time."""


@dataclass(frozen=True)
class _Rescaled:
    """A scene without coordinates, addressed in the pixels of the other date: same ground, other pixel size."""

    scene: Readable
    scale: Affine

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        return self.scene.read(GeoBox(geobox.shape, self.scale * geobox.affine, None), shift)


@dataclass(frozen=True)
class Pair:
    """Two dates on one grid.

    Attributes:
        before: the earlier date.
        after: the later date; changes get its geometry.
        grid: common grid, square pixels. In a metric CRS; or CRS None and pixels of the later image.
        resolution_m: side of a grid pixel on the ground, metres.
        pixel_area_m2: ground of one grid pixel, ellipsoidal.
    """

    before: Readable
    after: Readable
    grid: GeoBox
    resolution_m: float
    pixel_area_m2: float


def resolution_for(before: Scene, after: Scene, settings: ScanSettings) -> float:
    """Metres per pixel that the pair is compared at.

    Raises:
        NotComparable: the two images differ too much in scale.
    """
    finer, coarser = sorted((before.gsd_m, after.gsd_m))
    if coarser / finer > settings.max_scale_ratio:
        raise NotComparable(
            f"The images differ too much in scale: {before.name} has {before.gsd_m:.3g} m per pixel, "
            f"{after.name} {after.gsd_m:.3g} m, a ratio of {coarser / finer:.1f}; "
            f"up to {settings.max_scale_ratio:g} can be compared.",
            "pair.scale",
            before=before.name,
            before_m=before.gsd_m,
            after=after.name,
            after_m=after.gsd_m,
            most=settings.max_scale_ratio,
        )
    return max(settings.profile.resolution_m, coarser / ENLARGED_AT_MOST)


def _footprint(geobox: GeoBox, crs: CRS) -> Polygon:
    """Outline of a geobox in ``crs``, its edges cut into short pieces so that curved ones stay curved."""
    rows, columns = geobox.shape
    steps = np.linspace(0, 1, 33)[:-1]
    ring = [(s * columns, 0) for s in steps] + [(columns, s * rows) for s in steps]
    ring += [((1 - s) * columns, rows) for s in steps] + [(0, (1 - s) * rows) for s in steps]
    outline = Polygon([geobox.affine * point for point in ring])
    source = CRS.from_user_input(str(geobox.crs))
    if source == crs:
        return outline
    turn = Transformer.from_crs(source, crs, always_xy=True)
    return shapely.transform(outline, turn.transform, interleaved=False)


def _is_metric(crs: CRS, footprint: Polygon) -> bool:
    """Whether a metre of the CRS is a metre on the ground, to 1 %, in the middle of ``footprint``."""
    if not crs.is_projected or any(axis.unit_name != "metre" for axis in crs.axis_info[:2]):
        return False
    x, y = footprint.centroid.x, footprint.centroid.y
    turn = Transformer.from_crs(crs, LONLAT, always_xy=True)
    for dx, dy in ((1000, 0), (0, 1000)):
        (lon0, lon1), (lat0, lat1) = turn.transform([x, x + dx], [y, y + dy])
        if not math.isclose(ELLIPSOID.inv(lon0, lat0, lon1, lat1)[2], 1000, rel_tol=0.01):
            return False
    return True


def _metric_crs(before: Scene, after: Scene) -> CRS:
    """The later image's CRS if it measures in metres on the ground, else the earlier one's, else the UTM zone."""
    for scene in (after, before):
        crs = CRS.from_user_input(str(scene.geobox.crs))
        if _is_metric(crs, _footprint(scene.geobox, crs)):
            return crs
    middle = _footprint(after.geobox, LONLAT).centroid
    zone = min(60, max(1, math.floor((middle.x + 180) / 6) + 1))
    return CRS.from_epsg((32600 if middle.y >= 0 else 32700) + zone)


def _where(footprint: Polygon, crs: CRS) -> str:
    turn = Transformer.from_crs(crs, LONLAT, always_xy=True)
    lon, lat = turn.transform(footprint.centroid.x, footprint.centroid.y)
    return f"{abs(lat):.4f}°{'N' if lat >= 0 else 'S'} {abs(lon):.4f}°{'E' if lon >= 0 else 'W'}"


def _placed_grid(before: Scene, after: Scene, resolution: float, settings: ScanSettings) -> GeoBox:
    crs = _metric_crs(before, after)
    one, other = _footprint(before.geobox, crs), _footprint(after.geobox, crs)
    common = one.intersection(other)
    share = common.area / min(one.area, other.area)
    if common.is_empty or share < settings.min_overlap:
        away = one.centroid.distance(other.centroid)
        raise NotComparable(
            f"The images hardly show the same ground: {share:.1%} of the smaller one is covered by the other "
            f"(at least {settings.min_overlap:.0%} is needed). {before.name} lies at {_where(one, crs)}, "
            f"{after.name} at {_where(other, crs)}, {away / 1000:.1f} km away. "
            "Check the files and their coordinate systems.",
            "pair.overlap",
            before=before.name,
            after=after.name,
            share=share,
            least=settings.min_overlap,
            away_km=away / 1000,
        )
    left, bottom, right, top = common.bounds
    columns, rows = (max(1, round((high - low) / resolution)) for low, high in ((left, right), (bottom, top)))
    # anchored to multiples of the resolution: the same place has the same grid on every date
    x, y = math.floor(left / resolution) * resolution, math.ceil(top / resolution) * resolution
    return GeoBox((rows, columns), Affine(resolution, 0, x, 0, -resolution, y), crs.to_wkt())


def _pixel_pair(before: Scene, after: Scene, resolution: float) -> tuple[Readable, GeoBox]:
    scale = Affine.scale(before.width / after.width, before.height / after.height)
    ground = [(scene.width * scene.gsd_m, scene.height * scene.gsd_m) for scene in (before, after)]
    if any(not math.isclose(a, b, rel_tol=0.02) for a, b in zip(*ground, strict=True)):
        raise NotComparable(
            f"Without coordinates both images must show the same ground: {before.name} covers "
            f"{ground[0][0]:.0f} × {ground[0][1]:.0f} m, {after.name} {ground[1][0]:.0f} × {ground[1][1]:.0f} m. "
            "Crop them to the same place, or give images with coordinates.",
            "pair.other_ground",
            before=before.name,
            after=after.name,
        )
    step = resolution / after.gsd_m
    rows, columns = max(1, math.floor(after.height / step)), max(1, math.floor(after.width / step))
    return _Rescaled(before, scale), GeoBox((rows, columns), Affine.scale(step), None)


def _pixel_area(grid: GeoBox) -> float:
    outline = _footprint(grid, LONLAT)
    return float(abs(ELLIPSOID.geometry_area_perimeter(outline)[0]) / (grid.shape[0] * grid.shape[1]))


def common_pair(before: Scene, after: Scene, settings: ScanSettings) -> Pair:
    """Lay two scenes onto one grid at the resolution of detection.

    Raises:
        NotComparable: too little overlap, scales too different, dates in the wrong order, or the same file twice.
        SettingsError: one image has coordinates and the other has none.
    """
    if before.path == after.path or before.path.samefile(after.path):
        raise NotComparable(
            f"Both dates are the same file, {after.name}: there is nothing to compare. Give two images.",
            "pair.same",
            name=after.name,
        )
    if before.date and after.date and before.date > after.date:
        raise NotComparable(
            f"The dates are in the wrong order: {before.name} is of {before.date}, {after.name} of {after.date}. "
            "Give the earlier image first.",
            "pair.order",
            before=before.name,
            after=after.name,
        )
    if before.placed != after.placed:
        lacking, having = (before, after) if after.placed else (after, before)
        raise SettingsError(
            f"{lacking.name} has no coordinates and {having.name} has: they cannot be laid onto each other. "
            "Give the first one coordinates (a GeoTIFF, or a world file with a .prj).",
            "pair.no_place",
            name=lacking.name,
        )
    resolution = resolution_for(before, after, settings)
    if not after.placed:
        earlier, grid = _pixel_pair(before, after, resolution)
        return Pair(earlier, after, grid, resolution, resolution**2)
    grid = _placed_grid(before, after, resolution, settings)
    return Pair(before, after, grid, resolution, _pixel_area(grid))


def overview_of(grid: GeoBox, side: int) -> GeoBox:
    """The same ground as ``grid`` with at most ``side`` pixels on its longer side, and never finer than the grid."""
    rows, columns = grid.shape
    factor = max(1.0, max(rows, columns) / side)
    shape = (max(1, round(rows / factor)), max(1, round(columns / factor)))
    scale = Affine.scale(columns / shape[1], rows / shape[0])
    return GeoBox(shape, grid.affine * scale, grid.crs)


@dataclass(frozen=True)
class Exposure:
    """The tables that bring both dates to one standard (:mod:`model.radiometric_normalization`)."""

    before: Table
    after: Table


def measure_exposure(pair: Pair) -> Exposure:
    """Measure both dates over the ground that both show.

    Raises:
        NotComparable: no ground is valid on both dates.
    """
    overview = overview_of(pair.grid, OVERVIEW_SIDE)
    before, after = pair.before.read(overview), pair.after.read(overview)
    both = before.valid & after.valid
    if not both.any():
        raise NotComparable(
            "No ground is shown by both images: where they overlap, one or the other has no data "
            f"(before: {before.valid.mean():.0%} valid, after: {after.valid.mean():.0%} valid).",
            "pair.no_ground",
            before=float(before.valid.mean()),
            after=float(after.valid.mean()),
        )
    return Exposure(balance_table(before.rgb, both), balance_table(after.rgb, both))
