"""Hide what a picture shows outside a user's area, of images that belong to a larger one."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from web.maps.tiles import MercatorBox, Picture, mercator_array

MARGIN_M = 200.0
"""Ground shown around the area, so that what lies at its boundary can be judged, in metres of Web Mercator."""


def clip_to_region(picture: Picture | None, bounds: MercatorBox, region: BaseGeometry) -> Picture | None:
    """Return a picture with all pixels outside of a region invalid; None: it shows nothing of the region.

    Args:
        picture: None: it shows nothing.
        bounds: of the picture.
        region: longitude and latitude; empty: nothing is shown.
    """
    if picture is None or region.is_empty:
        return None
    import rasterio.features  # after GDAL's settings, which importing imagery applies
    from rasterio.transform import from_bounds

    window = shapely.box(*bounds).buffer(MARGIN_M)
    near = shapely.transform(region, mercator_array).intersection(window).buffer(MARGIN_M)
    if near.is_empty:
        return None
    rows, columns = picture.valid.shape
    transform = from_bounds(*bounds, columns, rows)
    inside = rasterio.features.geometry_mask([near], (rows, columns), transform, all_touched=True, invert=True)
    valid = picture.valid & inside
    return Picture(np.where(valid[..., None], picture.rgb, np.uint8(0)), valid) if valid.any() else None
