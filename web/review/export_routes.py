"""Export of filtered alerts in one answer, in all formats of :mod:`service.exports.writing`, or as training data.

:data:`web.app.ROUTES` lists this module before ``web.api.alert_routes``, whose ``/api/alerts/{number}`` would otherwise
match these paths.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from enforcement.exports.vector_files import Encoding
from errors import Reason, SettingsError
from service.exports.writing import FILES, ExportOptions, Format, write_export
from store.review.reviewed_scans import reviewed_scans
from store.search.alert_search import count_alerts
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

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_CONTENT = {media_type: _BINARY for _, media_type in FILES.values()} | {
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
    encoding: Encoding = "UTF-8",
    language: Literal["zh", "en", ""] = "",
) -> FileResponse:
    """Export the filtered alerts as one file.

    `qgz` is a zip with a QGIS project and its GeoPackage. `crs` is `4490` (degrees) or, for a Shapefile, `zone`: metres
    of the 3° Gauss-Krüger zone; `encoding` is that of a Shapefile's values. Remarks about the file are in the header
    `X-Remarks`. More alerts than this route accepts are written by a job: `POST /api/exports`.
    """
    options = ExportOptions(format, crs, encoding, chosen_language(request, language))
    check_options(options)
    folder = Path(tempfile.mkdtemp(prefix="tuban-export-"))
    name, media_type = FILES[format]
    path = folder / name
    try:
        with context.database.read() as session:
            if count_alerts(session, viewer, filter, MAX_ALERTS + 1) > MAX_ALERTS:
                message = f"The filter matches more than {MAX_ALERTS} alerts; narrow it by place, date or state."
                raise InvalidInput(Reason(message, "export.too_many", most=MAX_ALERTS))
            written = write_export(context, session, viewer, filter, options, path)
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


def check_options(options: ExportOptions) -> None:
    """Check that the options fit the format.

    Raises:
        InvalidInput: they do not.
    """
    try:
        options.check()
    except SettingsError as error:
        raise InvalidInput(error.reason) from None


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


def _download(path: Path, media_type: str, remarks: str) -> FileResponse:
    """Return a file as a download; its folder is deleted afterwards."""
    return FileResponse(
        path,
        media_type=media_type,
        filename=path.name,
        headers={"x-remarks": remarks.encode("ascii", "replace").decode()} if remarks else None,
        background=BackgroundTask(shutil.rmtree, path.parent, ignore_errors=True),
    )
