"""Registration of a drone photo to the reference image of its area, with the method for two dates of a scan."""

from __future__ import annotations

import numpy as np
from odc.geo.geobox import GeoBox

from imagery.drone.reference_matching import Registration
from inference.raster_source import RasterSource
from inference.registration.measure import AlignSettings, measure_alignment

_ROUGH = AlignSettings(search_m=25.0, max_rotation_deg=8.0, max_scale_error=0.06, max_residual_px=6.0, local=False)
"""For a photo located by its sensors: metres of displacement, degrees of rotation, wrong height."""

_NEAR = AlignSettings(search_m=6.0, max_rotation_deg=2.0, max_scale_error=0.02, max_residual_px=3.0)
"""For a photo already located by its neighbours or by features."""

_LATTICE = 6  # points along each side of the grid; those outside of the photo are dropped


def register_photo(photo: RasterSource, reference: RasterSource, grid: GeoBox, rough: bool) -> Registration | None:
    """Register a photo to the reference image on a grid.

    Args:
        photo: the photo.
        reference: the reference image.
        grid: grid around the footprint of the photo.
        rough: whether the photo may be far from its true position.

    Returns:
        matching points of photo and reference; None if the two have too little in common.
    """
    alignment = measure_alignment(reference, photo, grid, _ROUGH if rough else _NEAR)
    if not alignment.usable or alignment.residual_px is None:
        return None
    rows, columns = (int(side) for side in grid.shape)
    x, y = np.meshgrid(*((np.arange(_LATTICE) + 0.5) / _LATTICE * side for side in (columns, rows)))
    valid = photo.read(grid).valid
    inside = valid[y.astype(int), x.astype(int)]
    points = np.column_stack([x[inside], y[inside]])
    return Registration(points, points + alignment.field.at(points - 0.5), alignment.residual_px)
