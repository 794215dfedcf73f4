"""Alerts as files for map programs: GeoJSON, GeoPackage, Shapefile.

Coordinates are longitude and latitude in EPSG:4490, or, in a Shapefile that is asked for so, easting and northing of
the local zone of three degrees. Each file is there whole or not at all. ``export_table`` writes the spreadsheet.
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
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from enforcement.alert import CRS, STATEMENT, Alert, alert_feature
from enforcement.evidence.sheet_texts import Language, Words
from enforcement.exports.columns import COLUMNS, Column, Value, values_of
from enforcement.projection_zones import majority_zone
from errors import OutputError, SettingsError

LAYER = "alerts"
SHAPEFILE = "tuban"
LONGEST_TEXT = 254
"""Bytes of a Shapefile's text field."""

_STORED: dict[str, tuple[str, Any]] = {  # kind → type of its column, and what stands where nothing is known
    "text": ("object", ""),
    "number": ("float64", np.nan),
    "whole": ("int32", 0),  # masked
    "date": ("datetime64[D]", np.datetime64("NaT")),
}


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        alerts: how many.
        remarks: what the reader should know: in which zone, what was shortened.
    """

    alerts: int
    remarks: tuple[str, ...] = ()


def geojson_lines(alerts: Iterable[Alert]) -> Iterator[str]:
    """A FeatureCollection (RFC 7946) in pieces, one feature a line, so that it can be sent while it is made."""
    head = {"type": "FeatureCollection", "statement": {"zh": STATEMENT[0], "en": STATEMENT[1]}}
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "features": ['
    for index, alert in enumerate(alerts):
        yield ("," if index else "") + "\n" + json.dumps(alert_feature(alert), ensure_ascii=False, allow_nan=False)
    yield "\n]}\n"


def write_geojson(alerts: Iterable[Alert], path: Path) -> Exported:
    """Write a FeatureCollection; never more than one alert is held.

    Raises:
        OutputError: it cannot be written.
    """
    count = -2  # head and end are pieces too
    with written_whole(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
        for piece in geojson_lines(alerts):
            file.write(piece)
            count += 1
    return Exported(count)


def write_geopackage(alerts: Iterable[Alert], path: Path, language: Language = "zh") -> Exported:
    """Write a GeoPackage with the layer ``alerts``, EPSG:4490; names of fields are English, values of ``language``.

    Raises:
        OutputError: it cannot be written.
    """
    outlines, rows = _gathered(alerts, language)
    with written_whole(path) as beside:
        _write(beside, LAYER, CRS, outlines, rows, [column.name for column in COLUMNS])
    return Exported(len(rows))


def write_shapefile(
    alerts: Iterable[Alert], path: Path, language: Language = "zh", *, local_zone: bool = False
) -> Exported:
    """Write a zip with one Shapefile: fields of at most ten letters, UTF-8, several parts of an alert in one feature.

    Args:
        alerts: those to be written.
        path: of the zip.
        language: of the values.
        local_zone: metres of the zone of three degrees that most alerts lie in (EPSG:4513 to 4533), instead of degrees.

    Raises:
        SettingsError: a zone is asked for and no alert lies in one.
        OutputError: it cannot be written.
    """
    outlines, rows = _gathered(alerts, language)
    remarks: list[str] = []
    code = CRS
    if local_zone and outlines:
        zone, counted = majority_zone(float(outline.centroid.x) for outline in outlines)
        if zone is None:
            raise SettingsError(
                "No alert lies in a zone of three degrees (25 to 45): export in degrees instead.", "export.zone"
            )
        code = zone.code
        outlines = [zone.project(outline) for outline in outlines]
        remarks.append(f"Coordinates are metres of {zone.name} ({zone.code}), easting with the zone's number.")
        if others := len(rows) - counted[zone.number]:
            del counted[zone.number]
            listed = ", ".join(f"{number or 'none'}: {count}" for number, count in sorted(counted.items()))
            remarks.append(f"{others} of {len(rows)} alerts lie in other zones ({listed}) and are written in this one.")
    elif local_zone:
        remarks.append("There are no alerts: the empty file is in EPSG:4490.")
    remarks += _shorten(rows)
    with written_whole(path) as beside, tempfile.TemporaryDirectory(dir=beside.parent) as folder:
        _write(Path(folder) / f"{SHAPEFILE}.shp", None, code, outlines, rows, [column.short for column in COLUMNS])
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in sorted(Path(folder).iterdir()):
                archive.write(part, part.name)
    return Exported(len(rows), tuple(remarks))


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A name in a folder beside ``path``; what is written there takes its place when all went well.

    Raises:
        OutputError: it cannot be written.
    """
    from pyogrio.errors import (  # here, as it brings pandas, which most processes never need
        DataLayerError,
        DataSourceError,
    )

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


def _gathered(alerts: Iterable[Alert], language: Language) -> tuple[list[BaseGeometry], list[list[Value]]]:
    """Outlines and values; of each alert no more is held than what is written."""
    words = Words(language)
    outlines, rows = [], []
    for alert in alerts:
        outlines.append(shapely.force_2d(alert.outline))
        rows.append(values_of(alert, words))
    return outlines, rows


def _shorten(rows: list[list[Value]]) -> list[str]:
    """Cut texts that are too long for a Shapefile between two letters, and say how many."""
    cut: dict[str, int] = {}
    for row in rows:
        for index, value in enumerate(row):
            if isinstance(value, str) and len(data := value.encode()) > LONGEST_TEXT:
                row[index] = data[:LONGEST_TEXT].decode(errors="ignore")
                cut[COLUMNS[index].short] = cut.get(COLUMNS[index].short, 0) + 1
    return [f"{name} was cut to {LONGEST_TEXT} bytes in {count} alerts." for name, count in cut.items()]


def _write(
    path: Path,
    layer: str | None,
    system: str,
    outlines: Sequence[BaseGeometry],
    rows: Sequence[Sequence[Value]],
    names: Sequence[str],
) -> None:
    import pyogrio  # here, as it brings pandas, which most processes never need

    package = layer is not None
    shapes: NDArray[Any] = np.empty(len(outlines), object)
    shapes[:] = [shapely.to_wkb(_multi(outline)) for outline in outlines]
    columns = [[row[index] for row in rows] for index in range(len(COLUMNS))]
    pyogrio.raw.write(
        path,
        geometry=shapes,
        field_data=[_values(column, values) for column, values in zip(COLUMNS, columns, strict=True)],
        field_mask=[
            np.array([value is None for value in values], bool) if column.kind == "whole" else None
            for column, values in zip(COLUMNS, columns, strict=True)
        ],
        fields=np.array(names, object),
        geometry_type="MultiPolygon",
        crs=system,
        driver="GPKG" if package else "ESRI Shapefile",
        layer=layer,
        encoding="UTF-8",
        dataset_options={"VERSION": "1.2"} if package else None,  # what older programs read as well
        layer_options={"GEOMETRY_NAME": "geom"} if package else None,
    )


def _multi(outline: BaseGeometry) -> BaseGeometry:
    """Always several parts, outer rings counter-clockwise: a layer holds one kind of shape."""
    turned = shapely.orient_polygons(outline, exterior_cw=False)
    return shapely.MultiPolygon([part for part in shapely.get_parts(turned) if part.geom_type == "Polygon"])


def _values(column: Column, values: Sequence[Value]) -> NDArray[Any]:
    dtype, missing = _STORED[column.kind]
    found: NDArray[Any] = np.empty(len(values), dtype)
    found[:] = [missing if value is None else value for value in values]
    return found
