"""Alerts as files: what the filter of the grid asks for, as GeoJSON, GeoPackage, Shapefile or spreadsheet.

Routes of this file are found before those of ``api_alerts``, whose ``/api/alerts/{number}`` would take their names for
numbers of alerts: routers are put together by the names of their files.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from enforcement.exports.spreadsheet import write_table
from enforcement.exports.vector_files import Exported, write_geojson, write_geopackage, write_shapefile
from errors import Reason
from store.review.reviewed_scans import reviewed_scans
from store.search.alert_search import count_alerts
from store.views.filtered_alerts import filtered_alerts
from web.addresses import base_of
from web.api.parameters import Filter
from web.api.schemas import UNAUTHORIZED
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.http_errors import InvalidInput
from web.page import chosen_language
from web.review.training_folder import write_training_zip

router = APIRouter(prefix="/api/alerts", tags=["exports"], responses=UNAUTHORIZED)

MOST_ALERTS = 20_000
"""Of one file: more is not looked through by anybody, and takes a server's thread for minutes."""

Format = Literal["geojson", "gpkg", "shp", "xlsx"]

_TYPES: dict[Format, tuple[str, str]] = {
    "geojson": ("alerts.geojson", "application/geo+json"),
    "gpkg": ("alerts.gpkg", "application/geopackage+sqlite3"),
    "shp": ("alerts.zip", "application/zip"),
    "xlsx": ("alerts.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/export",
    response_class=FileResponse,
    responses={200: {"content": {media_type: _BINARY for _, media_type in _TYPES.values()}}},
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
    """Write the alerts that the filter asks for as one file.

    `crs` is `4490` (degrees) or, in a Shapefile, `zone`: metres of the Gauss-Krüger zone of three degrees. What the
    reader of the file should know stands in the header `X-Remarks`.
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
            if count_alerts(session, viewer, filter, MOST_ALERTS + 1) > MOST_ALERTS:
                words = f"The filter asks for more than {MOST_ALERTS} alerts; narrow it by place, date or state."
                raise InvalidInput(Reason(words, "export.too_many", most=MOST_ALERTS))
            alerts = filtered_alerts(session, viewer, filter, base_of(request, context), now)
            written: Exported
            if format == "geojson":
                written = write_geojson(alerts, path)
            elif format == "gpkg":
                written = write_geopackage(alerts, path, chosen)
            elif format == "shp":
                written = write_shapefile(alerts, path, chosen, local_zone=crs == "zone")
            else:
                written = write_table(alerts, path, chosen)
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
    return _sent(path, media_type, " ".join(written.remarks))


@router.get("/training.zip", response_class=FileResponse, responses={200: {"content": {"application/zip": _BINARY}}})
def training(request: Request, context: Service, viewer: CurrentUser) -> FileResponse:
    """Write the reviewed alerts as folders for `tuban reviewed`, one for each scan that saw them last.

    The images are not in it; its `reviewed.sh` fetches them with a key and makes labelled pairs for `tuban train`.
    """
    folder = Path(tempfile.mkdtemp(prefix="tuban-export-"))
    path = folder / "training.zip"
    try:
        with context.database.read() as session:
            scans, left_out = reviewed_scans(session, viewer)
        alerts = write_training_zip(scans, base_of(request, context), path)
        with context.database.write() as session:
            log_action(request, session, viewer, "exported", about="training", detail={"alerts": alerts})
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    missing = f"{left_out} alerts are left out: their images are of a larger area than yours." if left_out else ""
    return _sent(path, "application/zip", missing)


def _sent(path: Path, media_type: str, remarks: str) -> FileResponse:
    """The file, whose folder goes away when it is sent."""
    return FileResponse(
        path,
        media_type=media_type,
        filename=path.name,
        headers={"x-remarks": remarks.encode("ascii", "replace").decode()} if remarks else None,
        background=BackgroundTask(shutil.rmtree, path.parent, ignore_errors=True),
    )
