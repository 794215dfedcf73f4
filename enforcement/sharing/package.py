"""The GeoPackage of a receiving body: one layer with the fields that it may see, in EPSG:4490."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from enforcement.alert import CRS
from enforcement.exports.vector_files import atomic_write

LAYER = "shared"

Rows = Iterable[tuple[Mapping[str, object], shapely.geometry.base.BaseGeometry | None]]


def write_package(rows: Rows, path: Path, names: list[str]) -> int:
    """Write a GeoPackage atomically and return its number of rows.

    Args:
        rows: values by field, and the outline or point in longitude and latitude; None: without a place.
        path: of the file; its folder exists.
        names: fields in order; numbers become real numbers, everything else text.

    Raises:
        OutputError: the file cannot be written.
    """
    import pyogrio  # imported here, because it imports pandas, which most processes never need

    outlines, values = [], []
    for row, outline in rows:
        outlines.append(outline)
        values.append(row)
    shapes: NDArray[Any] = np.empty(len(outlines), object)
    shapes[:] = [None if outline is None else shapely.to_wkb(outline) for outline in outlines]
    with atomic_write(path) as temporary:
        pyogrio.raw.write(
            temporary,
            geometry=shapes,
            field_data=[_column([row.get(name) for row in values]) for name in names],
            fields=np.array(names, object),
            geometry_type="Unknown",
            crs=CRS,
            driver="GPKG",
            layer=LAYER,
        )
    return len(values)


def _column(values: list[object]) -> NDArray[Any]:
    numeric = [value for value in values if value is not None]
    if numeric and all(isinstance(value, int | float) and not isinstance(value, bool) for value in numeric):
        return np.array([np.nan if value is None else float(str(value)) for value in values])
    return np.array(["" if value is None else str(value) for value in values], object)
