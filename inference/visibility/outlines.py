"""Outlines of hidden ground on the map."""

from __future__ import annotations

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from shapely.geometry import MultiPolygon, Polygon, shape

from imagery.resample import transformer
from inference.pair import LONLAT
from inference.registration.shift_field import NOT_REGISTERED, Parts
from inference.visibility.hidden_ground import CELL_PX, HiddenGround

MIN_PIECE_CELLS = 100
"""Smallest outlined area, cells; smaller ones count in the areas only."""


def hidden_outlines(hidden: HiddenGround, grid: GeoBox, parts: Parts | None = None) -> dict[str, MultiPolygon]:
    """Return the hidden ground by date in longitude and latitude; empty dates and scans without coordinates are absent.

    Args:
        hidden: of both dates.
        grid: the scan's grid.
        parts: displaced parts of the earlier image; ground along them that is not registered counts as hidden by it.

    Returns:
        ``earlier``: ground that only the earlier date hides, where another earlier image would help; ``later``: ground
        that the later date hides. Outlines are simplified by one cell.
    """
    if grid.crs is None:
        return {}
    earlier = hidden.before > 0
    if parts is not None:
        xs, ys = (
            (np.arange(count, dtype=np.float64) + 0.5) * CELL_PX - 0.5 for count in (earlier.shape[1], earlier.shape[0])
        )
        earlier = earlier | (parts.labels_at(xs[None, :], ys[:, None]) == NOT_REGISTERED)
    masks = {"earlier": earlier & (hidden.after == 0), "later": hidden.after > 0}
    outlines = {date: _outline(mask, grid) for date, mask in masks.items()}
    return {date: outline for date, outline in outlines.items() if not outline.is_empty}


def _outline(mask: NDArray[np.bool_], grid: GeoBox) -> MultiPolygon:
    to_map = grid.affine * Affine.scale(CELL_PX)
    to_lonlat = transformer(str(grid.crs), LONLAT)
    parts: list[Polygon] = []
    for geometry, _ in shapes(mask.astype(np.uint8), mask=mask, connectivity=4):
        cells = shape(geometry)
        if cells.area < MIN_PIECE_CELLS:
            continue
        simplified = shapely.simplify(cells, 1.0).buffer(0)
        placed = shapely.transform(simplified, lambda xy: np.column_stack(to_map @ (xy[:, 0], xy[:, 1])))
        lonlat = shapely.transform(placed, to_lonlat.transform, interleaved=False)
        parts += [part for part in shapely.get_parts(lonlat) if isinstance(part, Polygon)]
    return MultiPolygon(parts)
