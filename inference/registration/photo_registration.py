"""One photo of a drone registered to the reference image of the area, as the two dates of a scan are."""

from __future__ import annotations

import numpy as np
from odc.geo.geobox import GeoBox

from imagery.drone.reference_matching import Registration
from inference.raster_source import RasterSource
from inference.registration.measure import AlignSettings, measure_alignment

_ROUGH = AlignSettings(search_m=25.0, max_rotation_deg=8.0, max_scale_error=0.06, max_residual_px=6.0, local=False)
"""A photo as its sensors place it: some metres off, turned by degrees, and of another height."""

_NEAR = AlignSettings(search_m=6.0, max_rotation_deg=2.0, max_scale_error=0.02, max_residual_px=3.0)
"""A photo that its neighbours, or features, have placed."""

_LATTICE = 6  # points along each side of the grid, of which those in the photo are kept


def register_photo(photo: RasterSource, reference: RasterSource, grid: GeoBox, rough: bool) -> Registration | None:
    """Compare a photo with the reference on a grid.

    Args:
        photo, reference: both readable on the grid.
        grid: around the photo's ground.
        rough: the photo may lie far off.

    Returns:
        where the reference shows what the photo shows, or None where they have too little in common.
    """
    found = measure_alignment(reference, photo, grid, _ROUGH if rough else _NEAR)
    if not found.usable or found.residual_px is None:
        return None
    rows, columns = (int(side) for side in grid.shape)
    x, y = np.meshgrid(*((np.arange(_LATTICE) + 0.5) / _LATTICE * side for side in (columns, rows)))
    valid = photo.read(grid).valid
    seen = valid[y.astype(int), x.astype(int)]
    at = np.column_stack([x[seen], y[seen]])
    return Registration(at, at + found.field.at(at - 0.5), found.residual_px)
