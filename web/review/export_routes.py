"""Export of filtered alerts as GeoJSON, GeoPackage, Shapefile, KMZ, parcel TXT, spreadsheet, CSV or training data.

:data:`web.app.ROUTES` lists this module before ``web.api.alert_routes``, whose ``/api/alerts/{number}`` would otherwise
match these paths.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from enforcement.alert import Alert
from enforcement.chain_settings import ChainValues
from enforcement.exports.kmz import write_kmz
from enforcement.exports.spreadsheet import write_csv, write_spreadsheet
from enforcement.exports.vector_files import ExportResult, write_geojson, write_geopackage, write_shapefile
from enforcement.parcels.write import ParcelOutline, write_parcels
from errors import Reason
from service.context import Context
from store.chain_settings import read_chain_values
from store.objects.object_store import ObjectNotFound
from store.review.reviewed_scans import reviewed_scans
from store.search.alert_search import count_alerts
from store.views.filtered_alerts import filtered_alerts
from web.api.parameters import Filter
from web.api.schemas import COMMON_ERRORS
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.http_errors import InvalidInput
from web.page import chosen_language
from web.review.training_folder import write_training_zip

router = APIRouter(prefix="/api/alerts", tags=["exports"], responses=COMMON_ERRORS)

MAX_ALERTS = 20_000
"""Maximum number of alerts in a file: writing more occupies a server thread for minutes."""

Format = Literal["geojson", "gpkg", "shp", "kmz", "xlsx", "csv", "txt"]

_TYPES: dict[Format, tuple[str, str]] = {
    "geojson": ("alerts.geojson", "application/geo+json"),
    "gpkg": ("alerts.gpkg", "application/geopackage+sqlite3"),
    "shp": ("alerts.zip", "application/zip"),
    "kmz": ("alerts.kmz", "application/vnd.google-earth.kmz"),
    "xlsx": ("alerts.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "csv": ("alerts.csv", "text/csv"),
    "txt": ("alerts.txt", "text/plain"),
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_CONTENT = {media_type: _BINARY for _, media_type in _TYPES.values()} | {
    "application/geo+json": {"schema": {"type": "object"}}
}


@router.get(
    "/export",
    response_class=FileResponse,
    responses={200: {"content": _CONTENT}},
)
def export(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    filter: Filter,  # noqa: A002  (the word of the field)
    format: Format,  # noqa: A002
    crs: Literal["4490", "zone"] = "4490",
    language: Literal["zh", "en", ""] = "",
) -> FileResponse:
    """Export the filtered alerts as one file.

    `crs` is `4490` (degrees) or, for a Shapefile, `zone`: metres of the 3° Gauss-Krüger zone. Remarks about the file
    are in the header `X-Remarks`.
    """
    if crs == "zone" and format != "shp":
        raise InvalidInput(f"crs is zone, and format {format}; only a Shapefile (shp) is written in the local zone.")
    chosen = chosen_language(request, language)
    now = context.clock()
    folder = Path(tempfile.mkdtemp(prefix="tuban-export-"))
    name, media_type = _TYPES[format]
    path = folder / name
    try:
        with context.database.read() as session:
            if count_alerts(session, viewer, filter, MAX_ALERTS + 1) > MAX_ALERTS:
                message = f"The filter matches more than {MAX_ALERTS} alerts; narrow it by place, date or state."
                raise InvalidInput(Reason(message, "export.too_many", most=MAX_ALERTS))
            alerts = filtered_alerts(session, viewer, filter, context.settings.pages_url, now)
            written: ExportResult
            if format == "geojson":
                written = write_geojson(alerts, path)
            elif format == "gpkg":
                written = write_geopackage(alerts, path, chosen)
            elif format == "shp":
                written = write_shapefile(alerts, path, chosen, local_zone=crs == "zone")
            elif format == "kmz":
                written = write_kmz(alerts, path, chosen, lambda key: _read(context, key))
            elif format == "csv":
                written = write_csv(alerts, path, chosen)
            elif format == "txt":
                written = _write_parcels(alerts, path, chosen, read_chain_values(session), context.today)
            else:
                written = write_spreadsheet(alerts, path, chosen)
        with context.database.write() as session:
            log_action(
                request,
                session,
                viewer,
                "exported",
                about=format,
                detail={"alerts": written.alerts, "filter": filter.to_query()},
            )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _download(path, media_type, " ".join(written.remarks))


@router.get("/training.zip", response_class=FileResponse, responses={200: {"content": {"application/zip": _BINARY}}})
def training(request: Request, context: Service, viewer: CurrentUser) -> FileResponse:
    """Export the reviewed alerts as folders for `tuban reviewed`, one for each scan that detected them last.

    The images are not included; the script `reviewed.sh` downloads them with an API key and creates labelled pairs for
    `tuban train`.
    """
    folder = Path(tempfile.mkdtemp(prefix="tuban-export-"))
    path = folder / "training.zip"
    try:
        with context.database.read() as session:
            scans, excluded = reviewed_scans(session, viewer)
        alerts = write_training_zip(scans, context.settings.pages_url, path)
        with context.database.write() as session:
            log_action(request, session, viewer, "exported", about="training", detail={"alerts": alerts})
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    remark = f"{excluded} alerts are excluded: their images cover more than your area." if excluded else ""
    return _download(path, "application/zip", remark)


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


def _download(path: Path, media_type: str, remarks: str) -> FileResponse:
    """Return a file as a download; its folder is deleted afterwards."""
    return FileResponse(
        path,
        media_type=media_type,
        filename=path.name,
        headers={"x-remarks": remarks.encode("ascii", "replace").decode()} if remarks else None,
        background=BackgroundTask(shutil.rmtree, path.parent, ignore_errors=True),
    )
