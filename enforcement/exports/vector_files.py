"""Exports of alerts for GIS software: GeoJSON, GeoPackage, Shapefile.

Coordinates are longitude and latitude in EPSG:4490 or, optionally in a Shapefile, easting and northing of the local
zone of three degrees. Files are written atomically.
"""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from enforcement.alert import CRS, STATEMENT, Alert, alert_feature
from enforcement.evidence.sheet_texts import Language, SheetTexts
from enforcement.exports.columns import COLUMNS, Column, Value, column_values
from enforcement.exports.qgis_style import add_style
from enforcement.projection_zones import majority_zone
from errors import OutputError, SettingsError

LAYER = "alerts"
SHAPEFILE = "tuban"
MAX_TEXT_BYTES = 254
"""Size of a Shapefile's text field."""

_GBK = 0x4D  # language driver id of dBASE files

_COLUMN_TYPES: dict[str, tuple[str, Any]] = {  # kind → data type of the column, and the value for unknown
    "text": ("object", ""),
    "number": ("float64", np.nan),
    "integer": ("int32", 0),  # masked
    "date": ("datetime64[D]", np.datetime64("NaT")),
}


Encoding = Literal["UTF-8", "GBK"]
"""Encoding of a Shapefile's values."""


@dataclass(frozen=True)
class ExportResult:
    """Result of an export.

    Attributes:
        alerts: number of exported alerts.
        remarks: notes for the reader, such as the zone and truncated texts.
    """

    alerts: int
    remarks: tuple[str, ...] = ()


def geojson_lines(alerts: Iterable[Alert]) -> Iterator[str]:
    """Generate a FeatureCollection (RFC 7946) in pieces, one feature per line, for streaming."""
    head = {"type": "FeatureCollection", "statement": {"zh": STATEMENT[0], "en": STATEMENT[1]}}
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "features": ['
    for index, alert in enumerate(alerts):
        yield ("," if index else "") + "\n" + json.dumps(alert_feature(alert), ensure_ascii=False, allow_nan=False)
    yield "\n]}\n"


def write_geojson(alerts: Iterable[Alert], path: Path) -> ExportResult:
    """Write a FeatureCollection, holding one alert in memory at a time.

    Raises:
        OutputError: the file cannot be written.
    """
    count = -2  # the first and the last piece are no features
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for piece in geojson_lines(alerts):
            file.write(piece)
            count += 1
    return ExportResult(count)


def write_geopackage(alerts: Iterable[Alert], path: Path, language: Language = "zh") -> ExportResult:
    """Write a GeoPackage with the layer ``alerts``, EPSG:4490; field names are English, values in ``language``.

    It contains a style for QGIS, with field aliases in ``language``.

    Raises:
        OutputError: the file cannot be written.
    """
    outlines, rows = _outlines_and_rows(alerts, language)
    with atomic_write(path) as temporary:
        _write(temporary, LAYER, CRS, outlines, rows, [column.name for column in COLUMNS])
        add_style(temporary, LAYER, "geom", language)
    return ExportResult(len(rows))


def write_shapefile(
    alerts: Iterable[Alert],
    path: Path,
    language: Language = "zh",
    *,
    local_zone: bool = False,
    encoding: Encoding = "UTF-8",
) -> ExportResult:
    """Write a zip with one Shapefile: field names of at most ten characters, multipolygons.

    Args:
        alerts: alerts to be written.
        path: path of the zip.
        language: language of the values.
        local_zone: use metres of the most frequent zone of three degrees (EPSG:4513 to 4533) instead of degrees.
        encoding: of the values; GBK for older Chinese software. The .cpg file names it.

    Raises:
        SettingsError: ``local_zone`` is set and no alert lies in a zone.
        OutputError: the file cannot be written.
    """
    outlines, rows = _outlines_and_rows(alerts, language)
    remarks: list[str] = []
    code = CRS
    if local_zone and outlines:
        zone, counts = majority_zone(float(outline.centroid.x) for outline in outlines)
        if zone is None:
            raise SettingsError(
                "No alert lies in a zone of three degrees (25 to 45): export in degrees instead.", "export.zone"
            )
        code = zone.code
        outlines = [zone.project(outline) for outline in outlines]
        remarks.append(f"Coordinates are metres in {zone.name} ({zone.code}); eastings have the zone number as prefix.")
        if others := len(rows) - counts[zone.number]:
            del counts[zone.number]
            listed = ", ".join(f"{number or 'none'}: {count}" for number, count in sorted(counts.items()))
            remarks.append(f"{others} of {len(rows)} alerts lie in other zones ({listed}), projected to this one.")
    elif local_zone:
        remarks.append("There are no alerts: the empty file is in EPSG:4490.")
    remarks += _truncate_texts(rows, encoding)
    with atomic_write(path) as temporary, tempfile.TemporaryDirectory(dir=temporary.parent) as folder:
        names = [column.short for column in COLUMNS]
        _write(Path(folder) / f"{SHAPEFILE}.shp", None, code, outlines, rows, names, encoding)
        if encoding == "GBK":
            _set_code_page(Path(folder) / f"{SHAPEFILE}.dbf", _GBK)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(Path(folder).iterdir()):
                archive.write(part, part.name)
    return ExportResult(len(rows), tuple(remarks))


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; its file replaces ``path`` on success.

    Raises:
        OutputError: the file cannot be written.
    """
    # imported here, because pyogrio imports pandas, which most processes never need
    from pyogrio.errors import DataLayerError, DataSourceError

    folder = path.parent / f".writing-{secrets.token_hex(6)}"
    try:
        folder.mkdir()
        yield folder / path.name
        (folder / path.name).replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
    except (DataSourceError, DataLayerError) as error:
        raise OutputError(f"{path} cannot be written: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _outlines_and_rows(alerts: Iterable[Alert], language: Language) -> tuple[list[BaseGeometry], list[list[Value]]]:
    """Return outlines and column values; the alerts themselves are not kept in memory."""
    texts = SheetTexts(language)
    outlines, rows = [], []
    for alert in alerts:
        outlines.append(shapely.force_2d(alert.outline))
        rows.append(column_values(alert, texts))
    return outlines, rows


def _truncate_texts(rows: list[list[Value]], encoding: Encoding) -> list[str]:
    """Truncate texts too long for a Shapefile between two characters; return remarks with their number.

    Characters that the encoding lacks become question marks, as ``m²`` in GBK.
    """
    truncated: dict[str, int] = {}
    for row in rows:
        for index, value in enumerate(row):
            if not isinstance(value, str):
                continue
            data = value.encode(encoding, errors="replace")
            row[index] = data[:MAX_TEXT_BYTES].decode(encoding, errors="ignore")
            if len(data) > MAX_TEXT_BYTES:
                truncated[COLUMNS[index].short] = truncated.get(COLUMNS[index].short, 0) + 1
    return [f"{name} was truncated to {MAX_TEXT_BYTES} bytes in {count} alerts." for name, count in truncated.items()]


def _set_code_page(path: Path, number: int) -> None:
    """Set the language driver id of a dBASE file, for software that does not read the .cpg file."""
    with path.open("r+b") as file:
        file.seek(29)
        file.write(bytes([number]))


def _write(
    path: Path,
    layer: str | None,
    crs: str,
    outlines: Sequence[BaseGeometry],
    rows: Sequence[Sequence[Value]],
    names: Sequence[str],
    encoding: Encoding = "UTF-8",
) -> None:
    import pyogrio  # imported here, because it imports pandas, which most processes never need

    is_geopackage = layer is not None
    shapes: NDArray[Any] = np.empty(len(outlines), object)
    shapes[:] = [shapely.to_wkb(to_multipolygon(outline)) for outline in outlines]
    columns = [[row[index] for row in rows] for index in range(len(COLUMNS))]
    pyogrio.raw.write(
        path,
        geometry=shapes,
        field_data=[_to_array(column, values) for column, values in zip(COLUMNS, columns, strict=True)],
        field_mask=[
            np.array([value is None for value in values], bool) if column.kind == "integer" else None
            for column, values in zip(COLUMNS, columns, strict=True)
        ],
        fields=np.array(names, object),
        geometry_type="MultiPolygon",
        crs=crs,
        driver="GPKG" if is_geopackage else "ESRI Shapefile",
        layer=layer,
        encoding=encoding,
        dataset_options={"VERSION": "1.2"} if is_geopackage else None,  # readable by older software
        layer_options={"GEOMETRY_NAME": "geom"} if is_geopackage else None,
    )


def to_multipolygon(outline: BaseGeometry) -> shapely.MultiPolygon:
    """Convert to a multipolygon with counter-clockwise outer rings, because a layer has one geometry type."""
    oriented = shapely.orient_polygons(outline, exterior_cw=False)
    return shapely.MultiPolygon([part for part in shapely.get_parts(oriented) if part.geom_type == "Polygon"])


def _to_array(column: Column, values: Sequence[Value]) -> NDArray[Any]:
    dtype, unknown = _COLUMN_TYPES[column.kind]
    array: NDArray[Any] = np.empty(len(values), dtype)
    array[:] = [unknown if value is None else value for value in values]
    return array
