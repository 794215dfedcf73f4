"""Common grid of two scenes: checks that they can be compared, and chooses CRS, extent and resolution."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS
from shapely.geometry import Polygon

from errors import NotComparable, SettingsError
from imagery import Patch, Scene
from imagery.ellipsoid import ELLIPSOID
from imagery.raster_kind import COMPARED_KINDS, not_a_picture
from imagery.resample import transformer, turn_of
from imagery.set_operations import intersection
from inference.raster_source import RasterSource
from inference.settings import ScanSettings, scales_differ_too_much
from model.radiometric_normalization import LookupTable, normalization_table

LONLAT = CRS.from_epsg(4326)
OVERVIEW_SIDE = 1024
"""Longer side, in pixels, of the overview that radiometric statistics are computed from."""

MIN_VISIBLE_SHARE = 0.02
"""Smallest share of the common ground that both dates must show."""

MAX_UPSAMPLING = 4.0
"""Largest factor by which an image coarser than the profile's resolution is upsampled to it. The network recognizes
objects by their size in pixels: training pairs downsampled to 1.1 m scored F1 0.37 at 1.1 m and 0.51 upsampled to
0.5 m; downsampled to 2 m, 0.32 and 0.48 (LEVIR training tiles at 0.5 m with a change, every fourth; weights at step
2650). More upsampling only costs time."""


@dataclass(frozen=True)
class _Rescaled:
    """A scene without coordinates, addressed in pixels of the other date, which has the same extent."""

    scene: RasterSource
    scale: Affine

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        return self.scene.read(GeoBox(geobox.shape, self.scale * geobox.affine, None), shift)


@dataclass(frozen=True)
class Pair:
    """Two dates on one grid.

    Attributes:
        before: the earlier date.
        after: the later date; changes are located by its geometry.
        grid: common grid of square pixels, in a metric CRS; without coordinates in pixels of the later image, CRS None.
        resolution_m: side of a grid pixel on the ground, metres.
        pixel_area_m2: ellipsoidal ground area of one grid pixel.
    """

    before: RasterSource
    after: RasterSource
    grid: GeoBox
    resolution_m: float
    pixel_area_m2: float


def resolution_for(before: Scene, after: Scene, settings: ScanSettings) -> float:
    """Return the resolution, in metres per pixel, at which the pair is compared.

    Raises:
        NotComparable: the two images differ too much in scale.
    """
    finer, coarser = sorted((before.gsd_m, after.gsd_m))
    if scales_differ_too_much(finer, coarser, settings.max_scale_ratio):
        raise NotComparable(
            f"The images differ too much in scale: {before.name} has {before.gsd_m:.3g} m per pixel, "
            f"{after.name} {after.gsd_m:.3g} m, a ratio of {coarser / finer:.1f}; "
            f"the largest allowed ratio is {settings.max_scale_ratio:g}.",
            "pair.scale",
            before=before.name,
            before_m=before.gsd_m,
            after=after.name,
            after_m=after.gsd_m,
            most=settings.max_scale_ratio,
        )
    return max(settings.profile.resolution_m, coarser / MAX_UPSAMPLING)


def _footprint(geobox: GeoBox, crs: CRS) -> Polygon:
    """Return the outline of a geobox in ``crs``; edges are densified so that they stay curved after projection."""
    rows, columns = geobox.shape
    steps = np.linspace(0, 1, 33)[:-1]
    ring = [(s * columns, 0) for s in steps] + [(columns, s * rows) for s in steps]
    ring += [((1 - s) * columns, rows) for s in steps] + [(0, (1 - s) * rows) for s in steps]
    outline = Polygon([geobox.affine * point for point in ring])
    source = CRS.from_user_input(str(geobox.crs))
    if source == crs:
        return outline
    placed = shapely.transform(outline, transformer(source, crs).transform, interleaved=False)
    period = turn_of(crs)
    if period is None:
        return placed
    # across 180°: longitudes continue beyond it
    first = float(placed.exterior.coords[0][0])
    return shapely.transform(placed, lambda xy: xy - [period, 0.0] * np.rint((xy[:, :1] - first) / period))


def _is_metric(crs: CRS, footprint: Polygon) -> bool:
    """Whether a metre in the CRS is a metre on the ground, within 1 %, at the centre of ``footprint``."""
    if not crs.is_projected or any(axis.unit_name != "metre" for axis in crs.axis_info[:2]):
        return False
    x, y = footprint.centroid.x, footprint.centroid.y
    to_lonlat = transformer(crs, LONLAT)
    for dx, dy in ((1000, 0), (0, 1000)):
        (lon0, lon1), (lat0, lat1) = to_lonlat.transform([x, x + dx], [y, y + dy])
        if not math.isclose(ELLIPSOID.inv(lon0, lat0, lon1, lat1)[2], 1000, rel_tol=0.01):
            return False
    return True


def _metric_crs(before: Scene, after: Scene) -> CRS:
    """Return the later image's CRS if it is metric, else the earlier one's if that is, else the UTM zone."""
    for scene in (after, before):
        crs = CRS.from_user_input(str(scene.geobox.crs))
        if _is_metric(crs, _footprint(scene.geobox, crs)):
            return crs
    centre = _footprint(after.geobox, LONLAT).centroid
    zone = math.floor((centre.x + 180) % 360 / 6) + 1
    return CRS.from_epsg((32600 if centre.y >= 0 else 32700) + zone)


def _format_position(footprint: Polygon, crs: CRS) -> str:
    to_lonlat = transformer(crs, LONLAT)
    lon, lat = to_lonlat.transform(footprint.centroid.x, footprint.centroid.y)
    return f"{abs(lat):.4f}°{'N' if lat >= 0 else 'S'} {abs(lon):.4f}°{'E' if lon >= 0 else 'W'}"


def _georeferenced_grid(before: Scene, after: Scene, resolution: float, settings: ScanSettings) -> GeoBox:
    crs = _metric_crs(before, after)
    earlier, later = _footprint(before.geobox, crs), _footprint(after.geobox, crs)
    common = intersection(earlier, later)
    overlap = common.area / min(earlier.area, later.area)
    if common.is_empty or overlap < settings.min_overlap:
        distance = earlier.centroid.distance(later.centroid)
        raise NotComparable(
            f"The images hardly overlap: {overlap:.1%} of the smaller one is covered by the other "
            f"(at least {settings.min_overlap:.0%} is needed). {before.name} is at {_format_position(earlier, crs)}, "
            f"{after.name} at {_format_position(later, crs)}, {distance / 1000:.1f} km away. "
            "Check the files and their coordinate systems.",
            "pair.overlap",
            before=before.name,
            after=after.name,
            share=overlap,
            least=settings.min_overlap,
            away_km=distance / 1000,
        )
    left, bottom, right, top = common.bounds
    columns, rows = (max(1, round((high - low) / resolution)) for low, high in ((left, right), (bottom, top)))
    # aligned to multiples of the resolution, so that scans of other dates of the same place share the grid
    x, y = math.floor(left / resolution) * resolution, math.ceil(top / resolution) * resolution
    return GeoBox((rows, columns), Affine(resolution, 0, x, 0, -resolution, y), crs.to_wkt())


def _pixel_pair(before: Scene, after: Scene, resolution: float) -> tuple[RasterSource, GeoBox]:
    """Return the earlier scene in pixels of the later one, and the common grid in pixels of the later one."""
    scale = Affine.scale(before.width / after.width, before.height / after.height)
    ground = [(scene.width * scene.gsd_m, scene.height * scene.gsd_m) for scene in (before, after)]
    if any(not math.isclose(a, b, rel_tol=0.02) for a, b in zip(*ground, strict=True)):
        raise NotComparable(
            f"Images without coordinates must show the same ground: {before.name} covers "
            f"{ground[0][0]:.0f} × {ground[0][1]:.0f} m, {after.name} {ground[1][0]:.0f} × {ground[1][1]:.0f} m. "
            "Crop them to the same extent, or use images with coordinates.",
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
    """Put two scenes on one grid at the resolution of detection.

    Raises:
        NotComparable: too little overlap, scales too different, dates in the wrong order, or the same file twice.
        SettingsError: only one of the images has coordinates.
    """
    if before.path == after.path or before.path.samefile(after.path):
        raise NotComparable(
            f"Both dates are the same file, {after.name}: there is nothing to compare. Use two different images.",
            "pair.same",
            name=after.name,
        )
    _check_kinds(before, after)
    _check_blocks(before, after)
    if before.date and after.date and before.date > after.date:
        raise NotComparable(
            f"The dates are in the wrong order: {before.name} is from {before.date}, {after.name} from {after.date}. "
            "Put the earlier image first.",
            "pair.order",
            before=before.name,
            after=after.name,
        )
    if before.georeferenced != after.georeferenced:
        without, other = (before, after) if after.georeferenced else (after, before)
        raise SettingsError(
            f"{without.name} has no coordinates, but {other.name} has: they cannot be put on one grid. "
            f"Georeference {without.name} (GeoTIFF, or world file with a .prj).",
            "pair.no_place",
            name=without.name,
        )
    resolution = resolution_for(before, after, settings)
    if not after.georeferenced:
        rescaled, grid = _pixel_pair(before, after, resolution)
        return Pair(rescaled, after, grid, resolution, resolution**2)
    grid = _georeferenced_grid(before, after, resolution, settings)
    return Pair(before, after, grid, resolution, _pixel_area(grid))


def _check_kinds(before: Scene, after: Scene) -> None:
    for scene in (before, after):
        if scene.kind not in COMPARED_KINDS:
            raise NotComparable(not_a_picture(scene.name, scene.kind))
    if before.kind != after.kind:
        raise NotComparable(
            f"Only images of one kind are compared: {before.name} is {before.kind}, {after.name} is {after.kind}. "
            "Use two pictures, two panchromatic or two infrared images.",
            "pair.kind",
            before=before.name,
            after=after.name,
        )


def _check_blocks(before: Scene, after: Scene) -> None:
    """Raise :class:`NotComparable` if an image consists of blocks: what they hide would look demolished."""
    for scene in (before, after):
        if scene.block_px > 1:
            shown = scene.block_px * scene.gsd_m
            raise NotComparable(
                f"{scene.name} consists of blocks of one colour, about {scene.block_px:g} pixels wide: it was enlarged "
                f"or compressed too strongly and shows {shown:.2g} m per pixel, not {scene.gsd_m:.2g} m. "
                "Use the original image.",
                "pair.blocks",
                name=scene.name,
                blocks_px=scene.block_px,
                shown_m=shown,
                gsd_m=scene.gsd_m,
            )


def overview_of(grid: GeoBox, side: int) -> GeoBox:
    """Return the extent of ``grid`` with at most ``side`` pixels on its longer side, never finer than ``grid``."""
    rows, columns = grid.shape
    factor = max(1.0, max(rows, columns) / side)
    shape = (max(1, round(rows / factor)), max(1, round(columns / factor)))
    scale = Affine.scale(columns / shape[1], rows / shape[0])
    return GeoBox(shape, grid.affine * scale, grid.crs)


@dataclass(frozen=True)
class NormalizationTables:
    """Lookup tables for the radiometric normalization of both dates (:mod:`model.radiometric_normalization`)."""

    before: LookupTable
    after: LookupTable


def measure_normalization(
    pair: Pair, visible: Callable[[tuple[int, int]], NDArray[np.bool_]] | None = None
) -> NormalizationTables:
    """Compute the normalization of both dates from the ground that both show.

    Args:
        pair: both dates.
        visible: returns where both dates show the ground, on an overview with this number of rows and columns; None:
            wherever they have data.

    Raises:
        NotComparable: no ground is valid on both dates, or next to none is visible.
    """
    overview = overview_of(pair.grid, OVERVIEW_SIDE)
    before, after = pair.before.read(overview), pair.after.read(overview)
    both = before.valid & after.valid
    if not both.any():
        raise NotComparable(
            "No ground is valid in both images: wherever they overlap, one of them has no data "
            f"(before: {before.valid.mean():.0%} valid, after: {after.valid.mean():.0%} valid).",
            "pair.no_ground",
            before=float(before.valid.mean()),
            after=float(after.valid.mean()),
        )
    if visible is not None:
        shown = both & visible((both.shape[0], both.shape[1]))
        share = float(shown.sum() / both.sum())
        if share < MIN_VISIBLE_SHARE:
            raise NotComparable(
                f"The ground cannot be seen: cloud, snow, overexposure or blur leave {share:.0%} of the common ground "
                "visible on both dates. Use another image.",
                "pair.hidden",
                share=share,
            )
        both = shown
    return NormalizationTables(normalization_table(before.rgb, both), normalization_table(after.rgb, both))
