"""Pages for administrators: load layers, see what a version would change, take it into use."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from enforcement.layer_kinds import ROLES, read_layer_kinds
from errors import SettingsError
from service.context import Context
from service.layers.administration import USABLE, NewVersion, discard, request_use, submit
from service.layers.files import FORMATS, receive_layer_file
from store.access.rights import Viewer, may_see
from store.areas.areas import area_names, list_areas
from store.areas.layer_options import LayerOptions
from store.areas.layer_versions import managed_layers, version_for
from store.jobs.queue import job_of
from store.layers.layer_impact import OUTCOMES
from store.schema.tables import Layer, LayerVersion
from web.auth.authentication import Administrator, Service, client_address
from web.http_errors import InvalidInput, NotFound
from web.page import page
from web.row_ids import Id

router = APIRouter(include_in_schema=False)

MAX_MIB = 4096
"""Largest file of a layer."""

_UPLOAD_SECONDS = 3600.0
_MAX_FILES, _MAX_FIELDS = 12, 40
_BUSY = ("loading", "using")


@router.get("/layers")
def layers(request: Request, context: Service, viewer: Administrator) -> HTMLResponse:
    """Render the layers under the administrator's area with their versions, and the form that loads a file."""
    with context.database.read() as session:
        found = managed_layers(session, viewer)
        names = area_names(session, {layer.area_code for layer, _ in found})
        areas = [(area.code, area.name) for area in list_areas(session, under=viewer.code) if len(area.code) <= 9]
    return page(
        request,
        "layers.html",
        layers=found,
        names=names,
        areas=areas,
        kinds=list(read_layer_kinds().kinds),
        roles=ROLES,
        formats=FORMATS,
        max_mib=MAX_MIB,
    )


@router.post("/layers")
async def load(request: Request, context: Service, viewer: Administrator) -> JSONResponse:
    """Receive the files of a layer, and load them as a new version in the background."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or len(length) > 15 or int(length) > MAX_MIB * 2**20:
        raise InvalidInput("layers.too_large")
    async with asyncio.timeout(_UPLOAD_SECONDS), request.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS) as form:
        return await run_in_threadpool(_load, request, context, viewer, form)


def _load(request: Request, context: Context, viewer: Viewer, form: FormData) -> JSONResponse:
    def text(name: str) -> str:
        value = form.get(name, "")
        return value.strip()[:400] if isinstance(value, str) else ""

    code = text("area_code") or viewer.code
    if not may_see(viewer, code) or not (code == "" or (code.isdigit() and len(code) <= 12)):
        raise NotFound
    options = LayerOptions(
        {role: text(f"field_{role}") for role in ROLES if text(f"field_{role}")},
        text("table"),
        text("crs"),
        text("mode") == "add",
        text("number")[:200],
        _day(text("valid_from")),
        _day(text("valid_to")),
    )
    new = NewVersion(text("name"), code, text("kind"), _day(text("dated")), options, viewer.login)
    uploads = [upload for upload in form.getlist("files") if isinstance(upload, UploadFile) and upload.filename]
    with tempfile.TemporaryDirectory(prefix="tuban-layer-") as folder:
        files = []
        for number, upload in enumerate(uploads):
            path = Path(folder) / str(number)
            with path.open("wb") as target:
                shutil.copyfileobj(upload.file, target, 1 << 20)
            files.append((Path(str(upload.filename).replace("\\", "/")).name[:200], path))
        file = receive_layer_file(context, files)
    if not new.name:
        new = NewVersion(Path(file.name).stem, code, new.kind, new.dated, options, viewer.login)
    version_id = submit(context, new, file, in_background=True, address=client_address(request))
    return JSONResponse({"address": f"/layers/versions/{version_id}", "id": version_id}, 201)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise SettingsError(
            f"{text[:40]!r} is not a date; expected the form 2026-11-20.", "layer.date", text=text[:40]
        ) from None


@router.get("/layers/versions/{version_id}")
def version(request: Request, context: Service, viewer: Administrator, version_id: Id) -> HTMLResponse:
    """Render one version: its file, what was read, and what it changes or changed."""
    return page(request, "layer_version.html", **_version_values(context, viewer, version_id))


@router.get("/layers/versions/{version_id}/progress")
def progress(
    request: Request,
    context: Service,
    viewer: Administrator,
    version_id: Id,
    seen: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Render the progress of loading; 204 while it is as ``seen``. The page reloads when it has ended."""
    values = _version_values(context, viewer, version_id)
    if values["row"].state not in _BUSY:
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    if values["seen"] == seen:
        return Response(status_code=204)
    return page(request, "layer_progress.html", **values)


@router.post("/layers/versions/{version_id}/use")
def use(request: Request, context: Service, viewer: Administrator, version_id: Id) -> Response:
    """Take a version into use in the background."""
    _find(context, viewer, version_id)
    request_use(context, version_id, viewer.login, client_address(request))
    return _redirect(f"/layers/versions/{version_id}")


@router.post("/layers/versions/{version_id}/discard")
def discard_version(request: Request, context: Service, viewer: Administrator, version_id: Id) -> Response:
    """Discard a version that was never used."""
    _find(context, viewer, version_id)
    discard(context, version_id, viewer.login, client_address(request))
    return _redirect("/layers")


def _redirect(path: str) -> Response:
    return Response(status_code=204, headers={"HX-Redirect": path})


def _find(context: Context, viewer: Viewer, version_id: int) -> tuple[Layer, LayerVersion]:
    with context.database.read() as session:
        found = version_for(session, viewer, version_id)
    if found is None:
        raise NotFound
    return found


def _version_values(context: Context, viewer: Viewer, version_id: int) -> dict[str, Any]:
    layer, row = _find(context, viewer, version_id)
    job = None
    with context.database.read() as session:
        names = area_names(session, {layer.area_code})
        if row.state in _BUSY:
            job = job_of(session, f"layers:{'load' if row.state == 'loading' else 'use'}:{row.id}:")
    share = job.progress if job else 0.0
    dead = job.error if job and job.state == "dead" else ""
    return {
        "layer": layer,
        "row": row,
        "area": names.get(layer.area_code, layer.area_code),
        "options": LayerOptions.from_json(row.options),
        "found": row.options.get("found", {}),
        "remark_count": row.options.get("remark_count", len(row.remarks)),
        "outcomes": OUTCOMES,
        "usable": row.state in USABLE and row.kept,
        "busy": row.state in _BUSY and not dead,
        "dead": dead,
        "share": share,
        "seen": f"{row.state}-{share:.2f}",
    }
