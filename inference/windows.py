"""Windows of a scan: the only ground that it compares, around known alerts."""

from __future__ import annotations

from collections.abc import Sequence

from odc.geo.geobox import GeoBox
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from imagery.set_operations import union_all
from inference.blocks import Block
from inference.changes import Change

Window = Sequence[float]
"""Bounds: west, south, east, north in longitude and latitude."""


def blocks_in_windows(blocks: Sequence[Block], grid: GeoBox, windows: Sequence[Window] | None) -> list[Block]:
    """Return the blocks that show any of the windows, at least one so that the scan ends; without windows all."""
    if windows is None:
        return list(blocks)
    ground = _ground(windows)
    return [block for block in blocks if _footprint(block, grid).intersects(ground)] or list(blocks[:1])


def changes_in_windows(changes: Sequence[Change], windows: Sequence[Window] | None) -> tuple[Change, ...]:
    """Return the changes that reach into any of the windows; all changes without windows."""
    if windows is None:
        return tuple(changes)
    ground = _ground(windows)
    return tuple(change for change in changes if change.lonlat is not None and change.lonlat.intersects(ground))


def _ground(windows: Sequence[Window]) -> BaseGeometry:
    return union_all([box(*window) for window in windows])


def _footprint(block: Block, grid: GeoBox) -> BaseGeometry:
    """Return the ground of a block without its halo; longitude, latitude."""
    (top, bottom), (left, right) = block.rows, block.cols
    rows, columns = grid.shape
    part = grid[top : min(bottom, int(rows)), left : min(right, int(columns))]
    return part.extent.to_crs("EPSG:4490").geom
