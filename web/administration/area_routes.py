"""Page of areas: load a file with counties, townships and villages, list them, delete one that nothing refers to."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from enforcement.areas import LEVELS
from service.context import Context
from service.layers.files import opened_upload
from store.access.rights import Viewer, may_see
from store.areas.area_deletion import delete_area
from store.areas.areas import LoadedAreas, list_areas, load_areas
from store.schema.tables import Area
from web.auth.audit_log import log_action
from web.auth.authentication import Administrator, Service
from web.http_errors import InvalidInput, NotFound
from web.page import page
from web.row_ids import Id

router = APIRouter(include_in_schema=False)

MAX_MIB = 1024
"""Largest file of areas."""

_UPLOAD_SECONDS = 1800.0
_MAX_FILES, _MAX_FIELDS = 12, 10
_LISTED_REMARKS = 20
_FORMATS = ".gpkg, .shp, .geojson, .json, .zip"
"""Formats with fields for codes and names; parcel TXT has none."""


def _areas_page(
    request: Request, context: Context, viewer: Viewer, loaded: LoadedAreas | None = None, status: int = 200
) -> HTMLResponse:
    with context.database.read() as session:
        areas = list_areas(session, under=viewer.code)
    counts = {level: sum(area.level == level for area in areas) for level in LEVELS}
    return page(
        request,
        "areas.html",
        status,
        areas=areas,
        counts=counts,
        levels=list(LEVELS),
        loaded=loaded,
        listed_remarks=_LISTED_REMARKS,
        formats=_FORMATS,
        max_mib=MAX_MIB,
    )


@router.get("/areas")
def areas_page(request: Request, context: Service, viewer: Administrator) -> HTMLResponse:
    """Render the areas under the administrator's code, and the form that loads a file."""
    return _areas_page(request, context, viewer)


@router.post("/areas")
async def load(request: Request, context: Service, viewer: Administrator) -> HTMLResponse:
    """Load areas from a file. Known codes are updated, codes outside the administrator's area are refused."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or len(length) > 15 or int(length) > MAX_MIB * 2**20:
        raise InvalidInput("areas.too_large")
    async with asyncio.timeout(_UPLOAD_SECONDS), request.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS) as form:
        loaded = await run_in_threadpool(_load, request, context, viewer, form)
        return await run_in_threadpool(_areas_page, request, context, viewer, loaded)


def _load(request: Request, context: Context, viewer: Viewer, form: FormData) -> LoadedAreas:
    def text(name: str) -> str | None:
        value = form.get(name, "")
        return (value.strip()[:100] or None) if isinstance(value, str) else None

    uploads = [upload for upload in form.getlist("files") if isinstance(upload, UploadFile) and upload.filename]
    if not uploads:
        raise InvalidInput("areas.no_file")
    with tempfile.TemporaryDirectory(prefix="tuban-areas-") as folder:
        files = []
        for number, upload in enumerate(uploads):
            path = Path(folder) / str(number)
            with path.open("wb") as target:
                shutil.copyfileobj(upload.file, target, 1 << 20)
            files.append((Path(str(upload.filename).replace("\\", "/")).name[:200], path))
        with opened_upload(files) as file:
            loaded = load_areas(
                context.database,
                file,
                code_field=text("code_field"),
                name_field=text("name_field"),
                table=text("table"),
                under=viewer.code,
                now=context.clock(),
            )
    with context.database.write() as session:
        detail = {"added": loaded.added, "changed": loaded.changed, "invalid": len(loaded.invalid)}
        log_action(request, session, viewer, "loaded_areas", about=files[0][0], detail=detail)
    return loaded


@router.post("/areas/{area_id}/delete")
def delete(request: Request, context: Service, viewer: Administrator, area_id: Id) -> HTMLResponse:
    """Delete an area that nothing refers to."""
    with context.database.write() as session:
        area = session.get(Area, area_id)
        if area is None or not may_see(viewer, area.code):
            raise NotFound
        code, name = area.code, area.name
        delete_area(session, area)
        log_action(request, session, viewer, "deleted_area", about=f"{code} {name}", code=code)
    return _areas_page(request, context, viewer)
