"""Find pixels that show no ground although the file does not mark them, and ground that it marks as nodata."""

from __future__ import annotations

import numpy as np

from errors import Reason
from imagery.collar import declared_collar, find_collars
from imagery.pyramid import Pyramid, Validity

_CELLS = 1024  # of the coarse grid, along the longer side of the image
_BORDER_WINDOWS, _WINDOW = 16, 8  # windows along each side of the image, and their size in pixels
_HOLE_M2 = 20_000.0  # region of a nodata value inside the picture that is larger than any roof
_TOLD_SHARE = 0.0005  # of the image, from which a collar is worth a remark


def exclude_collars(pyramid: Pyramid, gsd_m: float) -> list[Reason]:
    """Find collars and set :attr:`imagery.pyramid.Pyramid.collars`; return remarks.

    A nodata value that is the largest one, like 255, is what saturated ground has, too: white roofs. It then marks
    what is connected to the border, and holes larger than any roof.

    Args:
        pyramid: of the image.
        gsd_m: metres per pixel.

    Raises:
        rasterio.errors.RasterioError: the pixels cannot be decoded.
    """
    saturated = _saturated_nodata(pyramid)
    if saturated is None and not _is_border_uniform(pyramid):
        return []
    remarks = []
    if saturated is not None:
        pyramid.validity = Validity("none")
    native = pyramid.levels[0]
    ratio = max(native.width, native.height) / _CELLS
    level = pyramid.level_for(ratio, ratio)
    cell = max(1, round(max(level.width, level.height) / _CELLS))
    values, valid = pyramid.read(level, (0, level.height, 0, level.width), cell, cell)
    extent = (level.height / cell, level.width / cell)
    collars = []
    if saturated is not None:
        cell_m2 = (gsd_m * level.scale_x * cell) * (gsd_m * level.scale_y * cell)
        declared, inside = declared_collar(values, saturated, _HOLE_M2 / cell_m2, extent)
        collars.append(declared)
        valid = valid & ~(declared.cells & declared.matches(values))
        if inside:
            words = (
                f"its nodata value {saturated:g} also occurs inside the picture ({inside:.1%} of the image), for "
                "example on white roofs, and is used as picture there"
            )
            remarks.append(Reason(words, "remark.nodata_inside", nodata=saturated, share=inside))
    found = find_collars(values, valid, extent)
    pyramid.collars = collars + found
    share = sum(collar.share for collar in found)
    if share >= _TOLD_SHARE:
        words = f"a uniform margin around the picture ({share:.1%} of the image) is not compared"
        remarks.append(Reason(words, "remark.collar", share=share))
    return remarks


def _saturated_nodata(pyramid: Pyramid) -> float | None:
    """Return the nodata value if it is the largest value of the data type."""
    validity, dtype = pyramid.validity, np.dtype(pyramid.levels[0].dataset.dtypes[0])
    if validity.source != "nodata" or dtype.kind not in "iu":
        return None
    return validity.nodata if validity.nodata == np.iinfo(dtype).max else None


def _is_border_uniform(pyramid: Pyramid) -> bool:
    """Return whether any of some small windows along the border has one value: at little cost, most have not."""
    level = pyramid.levels[0]
    height, width = min(_WINDOW, level.height), min(_WINDOW, level.width)
    rows, columns = (
        np.linspace(0, side - size, _BORDER_WINDOWS).astype(int).tolist()
        for side, size in ((level.height, height), (level.width, width))
    )
    starts = {(row, column) for row in rows for column in (columns[0], columns[-1])}
    starts |= {(row, column) for column in columns for row in (rows[0], rows[-1])}
    for row, column in sorted(starts):
        values, valid = pyramid.read(level, (row, row + height, column, column + width))
        if valid.all() and (values == values[0, 0]).all():
            return True
    return False
