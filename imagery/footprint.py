"""The ground that a scene shows, as a polygon in longitude and latitude."""

from __future__ import annotations

import cv2
import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from errors import ImageError
from imagery.conversion.cog import Coverage

_SMALLEST = 0.0005  # parts and holes below this share of the scene are left out
_SPECKLED = 200  # above so many parts and holes validity is looked at on larger cells
_MOST_CORNERS = 1000
_EDGE_PARTS = 16  # a straight edge of a projected grid is bent in degrees; it is cut so often


def footprint(coverage: Coverage, geobox: GeoBox, name: str) -> BaseGeometry:
    """Outline of the valid pixels, to about a cell of ``coverage``; specks and small holes are left out.

    Args:
        coverage: from :func:`imagery.conversion.cog.write_cog`.
        geobox: the scene's grid.
        name: for messages.

    Returns:
        a valid Polygon or MultiPolygon, longitude and latitude (EPSG:4490).

    Raises:
        ImageError: the grid reaches where its coordinate system is not defined.
    """
    height, width = geobox.shape
    whole = shapely.box(0, 0, width, height)
    outline = whole if coverage.valid_share == 1.0 else _outline(coverage, whole)
    outline = shapely.segmentize(outline, max(width, height) / _EDGE_PARTS)
    to_degrees = Transformer.from_crs(CRS.from_wkt(geobox.crs.to_wkt()), "EPSG:4490", always_xy=True)

    def place(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = geobox.affine @ (pixels[:, 0], pixels[:, 1])
        return np.column_stack(to_degrees.transform(x, y))

    placed = shapely.transform(outline, place)
    if not np.isfinite(placed.bounds).all():
        raise ImageError(
            f"{name} reaches beyond where its coordinate system is defined. "
            "Check that it was saved with the right coordinate system.",
            "place.beyond",
            name=name,
        )
    return placed if placed.is_valid else _polygons(shapely.make_valid(placed))


def _outline(coverage: Coverage, whole: Polygon) -> BaseGeometry:
    """The same in pixels."""
    shares, cell = coverage.shares, coverage.cell
    mask = _mask(shares)
    while _parts(mask) > _SPECKLED and min(mask.shape) > 1:
        size = (-(-mask.shape[1] // 2), -(-mask.shape[0] // 2))
        even = cv2.copyMakeBorder(shares, 0, mask.shape[0] % 2, 0, mask.shape[1] % 2, cv2.BORDER_REPLICATE)
        shares, cell = np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), np.float32), 2 * cell
        mask = _mask(shares)
    scale = Affine.scale(cell)
    parts = [shape(part) for part, _ in rasterio.features.shapes(mask, mask=mask > 0, connectivity=4, transform=scale)]
    least = _SMALLEST * whole.area
    largest = max(part.area for part in parts)
    kept = [_without_small_holes(part, least) for part in parts if part.area >= min(least, largest)]
    merged = _polygons(shapely.intersection(shapely.union_all(kept), whole))
    tolerance = float(cell)
    outline = merged.simplify(tolerance)
    while shapely.get_num_coordinates(outline) > _MOST_CORNERS:
        tolerance *= 2
        outline = merged.simplify(tolerance)
    outline = _polygons(outline if outline.is_valid else shapely.make_valid(outline))
    return merged.envelope if outline.is_empty else outline


def _mask(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    mask = shares >= 0.5
    return (mask if mask.any() else shares > 0).astype(np.uint8)


def _parts(mask: NDArray[np.uint8]) -> int:
    """Connected parts, and holes."""
    return int(cv2.connectedComponents(mask, connectivity=4)[0] + cv2.connectedComponents(1 - mask, connectivity=4)[0])


def _without_small_holes(part: Polygon, least: float) -> Polygon:
    return Polygon(part.exterior, [hole for hole in part.interiors if Polygon(hole).area >= least])


def _polygons(outline: BaseGeometry) -> BaseGeometry:
    """What is polygon in it."""
    parts = [part for part in shapely.get_parts(shapely.get_parts(outline)) if isinstance(part, Polygon)]
    parts = [part for part in parts if not part.is_empty]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
