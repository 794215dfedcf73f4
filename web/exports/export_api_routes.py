"""API of exports that a job writes: request, watch, download, delete. Each user has only the own ones."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from enforcement.exports.vector_files import Encoding
from errors import SettingsError
from service.exports.jobs import delete_export, request_export
from service.exports.writing import FILES, ExportOptions, Format
from store.access.rights import Viewer
from store.exports.export_rows import export_of, exports_of
from store.objects.object_store import ObjectNotFound
from web.addresses import base_of
from web.api.parameters import Filter
from web.api.schemas import COMMON_ERRORS, NOT_FOUND
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service, client_address
from web.exports.export_data import ShownExport, shown_export
from web.http_errors import InvalidInput, NotFound
from web.page import chosen_language

router = APIRouter(prefix="/api/exports", tags=["exports"], responses=COMMON_ERRORS)

Uid = Annotated[str, Path(description="Of the export.", pattern=r"^[0-9a-f]{32}$")]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type: _BINARY for _, media_type in FILES.values()}}
}


class Export(BaseModel):
    """An export of alerts that a job writes."""

    uid: str
    format: Format
    state: Literal["waiting", "running", "ready", "failed", "deleted"]
    progress: Annotated[float, Field(description="Completed share, 0 to 1.")]
    alerts: Annotated[int, Field(description="Number of exported alerts.")]
    remarks: Annotated[list[str], Field(description="Notes for the reader, such as the zone.")]
    error: str
    size: Annotated[int, Field(description="Bytes.")]
    sha256: str
    requested_at: dt.datetime
    finished_at: dt.datetime | None
    expires_at: Annotated[dt.datetime | None, Field(description="When the file is deleted.")]
    file: Annotated[str | None, Field(description="Address of the file.")]


class Exports(BaseModel):
    """Exports of the user, newest first."""

    exports: list[Export]


@router.get("")
def list_exports(request: Request, context: Service, viewer: CurrentUser) -> Exports:
    """List your exports, newest first."""
    with context.database.read() as session:
        found = exports_of(session, viewer.person_id)
        keep = context.settings.web.export_days
        return Exports(exports=[_export(request, context, shown_export(row, job, keep)) for row, job in found])


@router.post("", status_code=202)
def add(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    response: Response,
    filter: Filter,  # noqa: A002  (the word of the field)
    format: Format,  # noqa: A002
    crs: Literal["4490", "zone"] = "4490",
    encoding: Encoding = "UTF-8",
    language: Literal["zh", "en", ""] = "",
) -> Export:
    """Request an export of the filtered alerts; a job writes it.

    The parameters are those of `GET /api/alerts/export`. Repeat `GET` of the answer's `Location` until `state` is
    `ready` or `failed`.
    """
    options = ExportOptions(format, crs, encoding, chosen_language(request, language))
    try:
        uid = request_export(context, viewer, filter, options, client_address(request))
    except SettingsError as error:
        raise InvalidInput(error.reason) from None
    response.headers["location"] = f"{base_of(request, context)}/api/exports/{uid}"
    return _export(request, context, find(context, viewer, uid))


@router.get("/{export_uid}", responses=NOT_FOUND)
def read(request: Request, context: Service, viewer: CurrentUser, export_uid: Uid) -> Export:
    """Return one of your exports."""
    return _export(request, context, find(context, viewer, export_uid))


@router.get("/{export_uid}/file", response_class=FileResponse, responses=NOT_FOUND | _CONTENT)
def download(request: Request, context: Service, viewer: CurrentUser, export_uid: Uid) -> FileResponse:
    """Download the file of one of your exports."""
    found = find(context, viewer, export_uid)
    if found.state != "ready":
        raise NotFound
    opened = ExitStack()
    try:
        path: FilePath = opened.enter_context(context.objects.local(found.row.object_key))
    except ObjectNotFound:
        raise NotFound from None
    try:
        with context.database.write() as session:
            detail = {"export": found.row.uid, "sha256": found.row.sha256}
            log_action(request, session, viewer, "downloaded_export", about=found.row.format, detail=detail)
    except BaseException:
        opened.close()
        raise
    name, media_type = FILES[found.row.format]  # type: ignore[index]  # checked when it was added
    closing = BackgroundTask(opened.close)
    headers = {"cache-control": "private, no-store"}
    return FileResponse(path, media_type=media_type, filename=name, headers=headers, background=closing)


@router.delete("/{export_uid}", status_code=204, responses=NOT_FOUND)
def delete(request: Request, context: Service, viewer: CurrentUser, export_uid: Uid) -> None:
    """Delete the file of one of your exports, or withdraw it before it is written."""
    delete_export(context, viewer, find(context, viewer, export_uid).row, client_address(request))


def find(context: Service, viewer: Viewer, uid: str) -> ShownExport:
    """Return an export of the viewer.

    Raises:
        NotFound: the viewer has no such export.
    """
    with context.database.read() as session:
        found = export_of(session, viewer.person_id, uid)
    if found is None:
        raise NotFound
    return shown_export(*found, context.settings.web.export_days)


def _export(request: Request, context: Service, shown: ShownExport) -> Export:
    row = shown.row
    address = f"{base_of(request, context)}/api/exports/{row.uid}/file"
    return Export(
        uid=row.uid,
        format=row.format,  # type: ignore[arg-type]  # as above
        state=shown.state,  # type: ignore[arg-type]
        progress=shown.progress,
        alerts=row.alerts,
        remarks=list(row.remarks),
        error=str(shown.error or ""),
        size=row.size,
        sha256=row.sha256,
        requested_at=row.requested_at,
        finished_at=row.finished_at,
        expires_at=shown.expires_at,
        file=address if shown.state == "ready" else None,
    )
