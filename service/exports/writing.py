"""Write the alerts of a filter in any format."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from enforcement.alert import Alert
from enforcement.chain_settings import ChainValues
from enforcement.exports.geoparquet import write_geoparquet
from enforcement.exports.kmz import write_kml, write_kmz
from enforcement.exports.qgis_project import write_qgis_project
from enforcement.exports.spreadsheet import write_csv, write_spreadsheet
from enforcement.exports.vector_files import (
    Encoding,
    ExportResult,
    write_geojson,
    write_geopackage,
    write_shapefile,
)
from enforcement.parcels.write import ParcelOutline, write_parcels
from errors import SettingsError
from service.context import Context
from store.access.rights import Viewer
from store.chain_settings import read_chain_values
from store.objects.object_store import ObjectNotFound
from store.schema.database import Session
from store.search.alert_filter import AlertFilter
from store.views.filtered_alerts import filtered_alerts

Format = Literal["gpkg", "qgz", "shp", "xlsx", "csv", "kmz", "kml", "geojson", "parquet", "txt"]
FORMATS: tuple[Format, ...] = get_args(Format)

FILES: dict[Format, tuple[str, str]] = {
    "geojson": ("alerts.geojson", "application/geo+json"),
    "gpkg": ("alerts.gpkg", "application/geopackage+sqlite3"),
    "qgz": ("alerts-qgis.zip", "application/zip"),
    "shp": ("alerts.zip", "application/zip"),
    "kmz": ("alerts.kmz", "application/vnd.google-earth.kmz"),
    "kml": ("alerts.kml", "application/vnd.google-earth.kml+xml"),
    "xlsx": ("alerts.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "csv": ("alerts.csv", "text/csv"),
    "parquet": ("alerts.parquet", "application/vnd.apache.parquet"),
    "txt": ("alerts.txt", "text/plain"),
}
"""Format → name of the file and its media type."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class ExportOptions:
    """How alerts are written.

    Attributes:
        format: of the file.
        crs: ``4490``, or for a Shapefile ``zone``: metres of the zone of three degrees.
        encoding: of a Shapefile's values.
        language: of values and headings.
    """

    format: Format
    crs: Literal["4490", "zone"] = "4490"
    encoding: Encoding = "UTF-8"
    language: Literal["zh", "en"] = "zh"

    def check(self) -> None:
        """Check that the options fit the format.

        Raises:
            SettingsError: only a Shapefile has a local zone and an encoding.
        """
        for name, value in (("crs", self.crs), ("encoding", self.encoding)):
            if self.format != "shp" and value not in ("4490", "UTF-8"):
                message = f"{name} is {value}, and format {self.format}; only a Shapefile (shp) has it."
                raise SettingsError(message, "export.shapefile_only", name=name, value=value, format=self.format)


def write_export(
    context: Context,
    session: Session,
    viewer: Viewer,
    alert_filter: AlertFilter,
    options: ExportOptions,
    path: Path,
    progress: Progress = lambda _count: None,
) -> ExportResult:
    """Write the viewer's alerts.

    Args:
        context: of the service.
        session: one read transaction, so that all alerts are of the same snapshot.
        viewer: only alerts that this user may see are written.
        alert_filter: conditions and order.
        options: how they are written.
        path: of the file, in an existing folder.
        progress: called with the number of alerts read so far.

    Raises:
        OutputError: the file cannot be written.
        SettingsError: no alert lies in a zone of three degrees, and ``crs`` is ``zone``.
    """
    found = filtered_alerts(session, viewer, alert_filter, context.settings.pages_url, context.clock())
    alerts, language = _counted(found, progress), options.language
    match options.format:
        case "geojson":
            return write_geojson(alerts, path)
        case "gpkg":
            return write_geopackage(alerts, path, language)
        case "qgz":
            return write_qgis_project(alerts, path, language)
        case "shp":
            zone = options.crs == "zone"
            return write_shapefile(alerts, path, language, local_zone=zone, encoding=options.encoding)
        case "kmz":
            return write_kmz(alerts, path, language, lambda key: _read(context, key))
        case "kml":
            return write_kml(alerts, path, language)
        case "csv":
            return write_csv(alerts, path, language)
        case "parquet":
            return write_geoparquet(alerts, path, language)
        case "xlsx":
            return write_spreadsheet(alerts, path, language)
        case "txt":
            return _write_parcels(alerts, path, language, read_chain_values(session), context.today)


def _counted(alerts: Iterable[Alert], progress: Progress) -> Iterator[Alert]:
    for count, alert in enumerate(alerts, start=1):
        yield alert
        progress(count)


def _read(context: Context, key: str) -> bytes | None:
    try:
        with context.objects.local(key) as path:
            return path.read_bytes()
    except ObjectNotFound:
        return None


def _write_parcels(
    alerts: Iterable[Alert], path: Path, language: Literal["zh", "en"], values: ChainValues, today: dt.date
) -> ExportResult:
    """Write the outlines as parcel TXT, as bureaus exchange parcels."""
    parcels = [
        ParcelOutline(
            alert.number,
            next((area.name for area in (alert.village, alert.township, alert.county) if area and area.name), ""),
            alert.outline,
            (alert.change_type_names or alert.kind_names)[0 if language == "zh" else 1],
        )
        for alert in alerts
    ]
    content, remarks = write_parcels(
        parcels,
        made_by=values.text("layers.parcel_maker"),
        made_on=today,
        area_unit="m2" if values.text("layers.parcel_unit") == "m2" else "ha",
        encoding="utf-8" if values.text("layers.parcel_encoding") == "utf-8" else "gb18030",
    )
    path.write_bytes(content)
    return ExportResult(len(parcels), tuple(map(str, remarks)))
