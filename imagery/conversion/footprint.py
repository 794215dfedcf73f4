"""Footprint of a scene: the outline of its valid pixels in longitude and latitude."""

from __future__ import annotations

import cv2
import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from errors import ImageError
from imagery.conversion.cog import Coverage
from imagery.resample import transformer

_MIN_SHARE = 0.0005  # of the scene's area; smaller parts and holes are dropped
_MAX_PARTS = 200  # parts and holes; above it validity is averaged over larger cells
_MAX_CORNERS = 1000
_EDGE_SEGMENTS = 16  # per edge, because a straight edge of a projected grid is curved in degrees


def footprint(coverage: Coverage, geobox: GeoBox, name: str) -> BaseGeometry:
    """Outline the valid pixels of a scene to about a cell of ``coverage``, without specks and small holes.

    Args:
        coverage: from :func:`imagery.conversion.cog.write_cog`.
        geobox: the scene's grid.
        name: for messages.

    Returns:
        a valid Polygon or MultiPolygon, longitude and latitude (EPSG:4490).

    Raises:
        ImageError: the grid extends beyond the area of its coordinate system.
    """
    height, width = geobox.shape
    frame = shapely.box(0, 0, width, height)
    outline = frame if coverage.valid_share == 1.0 else _outline(coverage, frame)
    outline = shapely.segmentize(outline, max(width, height) / _EDGE_SEGMENTS)
    to_degrees = transformer(geobox.crs.to_wkt(), "EPSG:4490")

    def to_ground(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = geobox.affine @ (pixels[:, 0], pixels[:, 1])
        return np.column_stack(to_degrees.transform(x, y))

    polygon = shapely.transform(outline, to_ground)
    if not np.isfinite(polygon.bounds).all():
        raise ImageError(
            f"{name} extends beyond the area of its coordinate system. "
            "Check that it was saved with the right coordinate system.",
            "place.beyond",
            name=name,
        )
    return polygon if polygon.is_valid else _polygons(shapely.make_valid(polygon))


def _outline(coverage: Coverage, frame: Polygon) -> BaseGeometry:
    """Return the outline in pixels of the scene."""
    shares, cell = coverage.shares, coverage.cell
    mask = _mask(shares)
    while _count_parts(mask) > _MAX_PARTS and min(mask.shape) > 1:
        size = (-(-mask.shape[1] // 2), -(-mask.shape[0] // 2))
        padded = cv2.copyMakeBorder(shares, 0, mask.shape[0] % 2, 0, mask.shape[1] % 2, cv2.BORDER_REPLICATE)
        shares, cell = np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA), np.float32), 2 * cell
        mask = _mask(shares)
    scale = Affine.scale(cell)
    parts = [shape(part) for part, _ in rasterio.features.shapes(mask, mask=mask > 0, connectivity=4, transform=scale)]
    min_area = _MIN_SHARE * frame.area
    largest = max(part.area for part in parts)
    large = [_without_small_holes(part, min_area) for part in parts if part.area >= min(min_area, largest)]
    merged = _polygons(shapely.intersection(shapely.union_all(large), frame))
    tolerance = float(cell)
    outline = merged.simplify(tolerance)
    while shapely.get_num_coordinates(outline) > _MAX_CORNERS:
        tolerance *= 2
        outline = merged.simplify(tolerance)
    outline = _polygons(outline if outline.is_valid else shapely.make_valid(outline))
    return merged.envelope if outline.is_empty else outline


def _mask(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    mask = shares >= 0.5
    return (mask if mask.any() else shares > 0).astype(np.uint8)


def _count_parts(mask: NDArray[np.uint8]) -> int:
    """Count connected parts and holes."""
    return int(cv2.connectedComponents(mask, connectivity=4)[0] + cv2.connectedComponents(1 - mask, connectivity=4)[0])


def _without_small_holes(part: Polygon, min_area: float) -> Polygon:
    return Polygon(part.exterior, [hole for hole in part.interiors if Polygon(hole).area >= min_area])


def _polygons(outline: BaseGeometry) -> BaseGeometry:
    """Return the polygons of a geometry, without its lines and points."""
    parts = [part for part in shapely.get_parts(shapely.get_parts(outline)) if isinstance(part, Polygon)]
    parts = [part for part in parts if not part.is_empty]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
