"""Alerts as GeoParquet 1.1 (OGC): one column each, outlines as WKB.

arro3 writes Parquet; the GDAL of pyogrio has no driver for it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyproj
import shapely
from arro3.core import Array, DataType, Field, Schema, Table
from arro3.io import write_parquet

from enforcement.alert import CRS, Alert
from enforcement.evidence.sheet_texts import Language, SheetTexts
from enforcement.exports.columns import COLUMNS, Column, Value, column_values
from enforcement.exports.vector_files import ExportResult, atomic_write, to_multipolygon

_EPOCH = dt.date(1970, 1, 1)
_TYPES = {
    "text": DataType.string(),
    "number": DataType.float64(),
    "integer": DataType.int32(),
    "date": DataType.date32(),
}


def write_geoparquet(alerts: Iterable[Alert], path: Path, language: Language = "zh") -> ExportResult:
    """Write a GeoParquet file; field names are English, values in ``language``, unknown numbers and days null.

    Raises:
        OutputError: the file cannot be written.
    """
    texts = SheetTexts(language)
    outlines, rows = [], []
    for alert in alerts:
        outlines.append(to_multipolygon(shapely.force_2d(alert.outline)))
        rows.append(column_values(alert, texts))
    fields = [Field(column.name, _TYPES[column.kind], nullable=True) for column in COLUMNS]
    arrays = [_array(column, [row[index] for row in rows]) for index, column in enumerate(COLUMNS)]
    fields.append(Field("geometry", DataType.binary(), nullable=True))
    arrays.append(Array(list(map(shapely.to_wkb, outlines)), DataType.binary()))
    table = Table.from_arrays(arrays, schema=Schema(fields))
    metadata = {"geo": json.dumps(_metadata(outlines))}
    with atomic_write(path) as temporary:
        write_parquet(table, temporary, compression="zstd(3)", key_value_metadata=metadata)
    return ExportResult(len(rows))


def _array(column: Column, values: list[Value]) -> Array:
    if column.kind == "date":  # days since 1970
        days = [(value - _EPOCH).days if isinstance(value, dt.date) else None for value in values]
        return Array(days, DataType.int32()).cast(DataType.date32())
    return Array(values, _TYPES[column.kind])


def _metadata(outlines: list[shapely.MultiPolygon]) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon"],
        "crs": pyproj.CRS.from_user_input(CRS).to_json_dict(),
        "edges": "planar",
        "orientation": "counterclockwise",
    }
    if outlines:
        column["bbox"] = list(map(float, shapely.total_bounds(outlines)))
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
