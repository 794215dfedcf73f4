"""GeoPackage and Shapefile tables, read in parts by GDAL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.areas.geojson_file import RawFeatures
from store.areas.polygon_errors import PolygonFileError
from store.areas.shapefile_encoding import decode_text, text_codec

PART = 4000
"""Features that are read at once."""

_TEXT_PART = 50_000


@dataclass(frozen=True)
class TableFile:
    """A table with geometries.

    Attributes:
        fields: names of the fields.
        crs: coordinate system, or None.
        count: number of features.
        parts: yields the features.
    """

    fields: tuple[str, ...]
    crs: str | None
    count: int
    parts: Callable[[], Iterator[RawFeatures]]


def read_table(path: Path, table: str | None) -> TableFile:
    """Open a GeoPackage or Shapefile.

    Raises:
        ValueError, RuntimeError: it cannot be read, or has no geometries.
        PolygonFileError: it has several layers, and none of them was chosen.
    """
    import pyogrio  # imported here because it imports pandas, which most processes never need

    is_shapefile = path.suffix.lower() == ".shp"
    # keep the raw bytes of a Shapefile's texts: GDAL would decode them by declarations that are often wrong
    encoding = "ISO-8859-1" if is_shapefile else None
    name = _only_table(path, table)
    info = pyogrio.read_info(path, layer=name, encoding=encoding, force_feature_count=True)
    if not info["geometry_type"]:
        raise ValueError("the table has no geometries; expected polygons")
    count = int(info["features"])
    raw_fields = [str(field) for field in info["fields"]]

    def read(first: int, number: int, **options: Any) -> Any:
        return pyogrio.raw.read(
            path, layer=name, encoding=encoding, skip_features=first, max_features=number, **options
        )

    def texts() -> Iterator[list[str]]:
        yield raw_fields
        for first in range(0, count, _TEXT_PART):
            columns = read(first, _TEXT_PART, read_geometry=False)[3]
            yield [text for column in columns if column.dtype == object for text in column if isinstance(text, str)]

    codec = text_codec(texts(), path.with_suffix(".cpg")) if is_shapefile and raw_fields else None
    fields = raw_fields if codec is None else [decode_text(field, codec) for field in raw_fields]

    def parts() -> Iterator[RawFeatures]:
        for first in range(0, count, PART):
            _, _, shapes, columns = read(first, PART)
            rows = zip(*columns, strict=True) if columns else (() for _ in shapes)
            values = [dict(zip(fields, row, strict=True)) for row in rows]
            if codec is not None:
                for row in values:
                    row.update({k: decode_text(v, codec) for k, v in row.items() if isinstance(v, str)})
            yield RawFeatures(tuple(fields), info["crs"], list(shapes), values)

    return TableFile(tuple(fields), info["crs"], count, parts)


def _only_table(path: Path, table: str | None) -> str:
    import pyogrio

    tables = {str(name): str(geometry_type) for name, geometry_type in pyogrio.list_layers(path)}
    spatial = [name for name, geometry_type in tables.items() if geometry_type != "None"]
    if table in tables:
        return table
    if table is not None or len(spatial) != 1:
        names = ", ".join(tables) or "(none)"
        raise PolygonFileError(
            f"{path} has the layers {names}; specify one of them.", "polygons.tables", file=path.name, tables=names
        )
    return spatial[0]
