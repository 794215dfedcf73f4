"""API and pages of batches: create, complete, list, and show each with the outcome of its files."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from errors import Reason, SettingsError
from imagery.conversion.given_metadata import GivenMetadata, parse_bands, parse_crs
from service.batch_intake import check_area
from service.context import Context
from service.file_discovery import printable_name
from service.home import require_intake_space
from store.access.rights import Viewer, may_see
from store.areas.areas import area_names, list_areas
from store.scenes.batches import BatchReport, create_batch
from store.schema.tables import Batch
from store.views.batch_view import batch_progress, open_upload_batch, scenes_of_batch, visible_batch, visible_batches
from web.api.batch_schemas import BatchCreated, BatchDetail, BatchList, Footprints
from web.api.geojson import geojson_geometry
from web.api.schemas import COMMON_ERRORS, CONFLICT, FORBIDDEN, NOT_FOUND
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Conflict, InvalidInput, NotFound
from web.page import page
from web.uploads.batch_submission import resume_submissions, start_submission
from web.uploads.tus_routes import require_open_batch
from web.uploads.upload_files import create_batch_folder, is_complete, list_uploads, mark_complete, upload_progress

STATES = ("placed", "duplicate", "failed", "used", "ignored", "waiting")
_MAX_BATCH_ID = 2**62
_BATCH_ERRORS = COMMON_ERRORS | NOT_FOUND
_CREATE_ERRORS = COMMON_ERRORS | FORBIDDEN | {404: NOT_FOUND[404] | {"description": "The user may not see the area."}}
_FILES_PER_PAGE = 100
"""Files on one page of a batch, which is rendered again while the files are checked."""

Before = Annotated[int | None, Query(ge=1, le=_MAX_BATCH_ID)]


@asynccontextmanager
async def _resume_at_startup(app: FastAPI) -> AsyncIterator[None]:
    """Resume the submissions that were interrupted when the server stopped."""
    await run_sync(resume_submissions, app.state.context)
    yield


router = APIRouter(lifespan=_resume_at_startup)


class NewBatch(BaseModel):
    """The batch to be created for the files that follow."""

    model_config = ConfigDict(extra="forbid")
    area: Annotated[str, Field(pattern=r"^(\d{6}|\d{9}|\d{12})$", description="administrative code")]
    name: Annotated[str, Field(max_length=400)] = ""
    source: Literal["drone", "satellite", "camera"] = "drone"
    date: Annotated[dt.date | None, Field(description="acquisition date of images that do not contain one")] = None
    bands: Annotated[
        tuple[int, ...], Field(max_length=3, description="numbers of the red, green and blue band, or one for grey")
    ] = ()
    crs: Annotated[
        str, Field(max_length=20, description="system of images that have coordinates but none, like EPSG:4547")
    ] = ""
    override: Annotated[bool, Field(description="use the date and the system also for images that contain others")] = (
        False
    )
    folder: Annotated[
        str, Field(max_length=255, description="name of the folder that contains the files, which may hold their date")
    ] = ""

    def given(self) -> GivenMetadata:
        """Return what was stated about the files.

        Raises:
            SettingsError: the coordinate system is unknown, or the bands are not one or three.
        """
        bands = parse_bands(",".join(map(str, self.bands)))
        return GivenMetadata(self.date, parse_crs(self.crs), self.override, bands, self.folder)


@router.post("/api/batches", status_code=201, tags=["batches"], responses=_CREATE_ERRORS)
def create(request: Request, viewer: CurrentUser, context: Service, new: NewBatch) -> BatchCreated:
    """Create a batch; its files are uploaded to ``/api/uploads`` and submitted by ``complete``."""
    if not may_see(viewer, new.area):
        raise NotFound("upload.no_area")
    try:
        check_area(context, new.area)
    except SettingsError:  # its message lists areas with similar codes, which the user may not be allowed to see
        raise InvalidInput("upload.no_area") from None
    try:
        given = new.given()
    except SettingsError as error:
        raise InvalidInput(error.reason) from None
    require_intake_space(context.settings)
    resume_submissions(context)
    name = (
        printable_name(new.name.strip())
        or f"{viewer.name} {context.clock().astimezone(context.settings.zone):%Y-%m-%d %H:%M}"
    )
    with context.database.write() as session:
        now = context.clock()
        batch = create_batch(
            session, area_code=new.area, name=name, origin="upload", source=new.source,
            created_by=viewer.login, unique_key=None, now=now,
        )  # fmt: skip
        create_batch_folder(context.settings, batch.id, given)
        log_action(request, session, viewer, "began_upload", about=f"batch {batch.id}", code=new.area)
        return BatchCreated(id=batch.id, state="receiving")


@router.post(
    "/api/batches/{batch_id}/complete",
    status_code=202,
    tags=["batches"],
    responses=_BATCH_ERRORS | CONFLICT | FORBIDDEN,
    response_model=BatchDetail,
    response_model_exclude_unset=True,
)
def complete(
    request: Request, viewer: CurrentUser, context: Service, batch_id: int, leave_out: bool = False
) -> dict[str, Any]:
    """Submit the uploaded files. ``leave_out``: submit although some are incomplete; these are reported as failed.

    The request is idempotent.
    """
    with context.database.read() as session:
        row = open_upload_batch(session, viewer, _checked_id(batch_id))
        if row is None:
            raise NotFound
        code, state = row.area_code, row.state
    if state == "receiving" and not is_complete(context.settings, batch_id):
        require_open_batch(context, viewer, batch_id)
        uploads = list_uploads(context.settings, batch_id)
        incomplete = [upload.name for upload in uploads if not upload.complete]
        if incomplete and not leave_out:
            message = f"{len(incomplete)} of {len(uploads)} files are incomplete: {', '.join(incomplete[:5])}."
            missing, names = len(incomplete), incomplete[:5]
            raise Conflict(Reason(message, "sent.some_not_whole", missing=missing, all=len(uploads), names=names))
        mark_complete(context.settings, batch_id)
        with context.database.write() as session:
            log_action(
                request,
                session,
                viewer,
                "completed_upload",
                about=f"batch {batch_id}",
                code=code,
                detail={"files": len(uploads), "left_out": len(incomplete)},
            )
    if state == "receiving":
        start_submission(context, batch_id)
    return _batch_detail(_report(context, viewer, batch_id))


@router.get("/api/batches", tags=["batches"], responses=COMMON_ERRORS, response_model=BatchList)
def list_batches(
    viewer: CurrentUser,
    context: Service,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """List batches, newest first; ``before``: the last id of the previous page."""
    with context.database.read() as session:
        found = visible_batches(session, viewer, before_id=before, limit=limit)
        return {"batches": [_batch_summary(batch) | {"files": counts} for batch, counts in found]}


@router.get(
    "/api/batches/{batch_id}",
    tags=["batches"],
    responses=_BATCH_ERRORS,
    response_model=BatchDetail,
    response_model_exclude_unset=True,
)
def get_batch(viewer: CurrentUser, context: Service, batch_id: int) -> dict[str, Any]:
    """Return a batch with the state of each file; the user who uploads it also gets the progress of each upload."""
    report = _report(context, viewer, batch_id)
    detail = _batch_detail(report)
    if report.state == "receiving" and report.created_by == viewer.login and report.origin == "upload":
        detail["complete"] = is_complete(context.settings, batch_id)
        detail["uploads"] = [upload_progress(upload) for upload in list_uploads(context.settings, batch_id)]
    return detail


@router.get("/api/batches/{batch_id}/footprints", tags=["batches"], responses=_BATCH_ERRORS, response_model=Footprints)
def footprints(viewer: CurrentUser, context: Service, batch_id: int) -> dict[str, Any]:
    """Return the footprints of a batch's scenes: GeoJSON, longitude and latitude."""
    _report(context, viewer, batch_id)
    with context.database.read() as session:
        features = [
            {
                "type": "Feature",
                "id": scene.id,
                "geometry": geojson_geometry(scene.outline),
                "properties": {"name": scene.name, "date": scene.date and scene.date.isoformat(), "gsd_m": scene.gsd_m},
            }
            for scene in scenes_of_batch(session, viewer, batch_id)
        ]
    return {"type": "FeatureCollection", "features": features}


@router.get("/batches", include_in_schema=False)
def batches_page(request: Request, viewer: CurrentUser, context: Service, before: Before = None) -> Response:
    """Render the page with the upload form and the list of batches."""
    with context.database.read() as session:
        areas = list_areas(session, under=viewer.code)
        found = visible_batches(session, viewer, before_id=before, limit=30)
        return page(request, "batches.html", areas=areas, batches=found, before=before, states=STATES)


@dataclass(frozen=True)
class _FileSelection:
    """The page and state of the files to be shown."""

    page: Annotated[int, Query(ge=1, le=_MAX_BATCH_ID // _FILES_PER_PAGE)] = 1
    state: Literal["", "placed", "duplicate", "failed", "used", "ignored", "waiting"] = ""


@router.get("/batches/{batch_id}", include_in_schema=False)
def batch_page(
    request: Request,
    viewer: CurrentUser,
    context: Service,
    batch_id: int,
    selection: Annotated[_FileSelection, Depends()],
) -> Response:
    """Render the page of one batch, which updates itself."""
    return _render_batch(request, viewer, context, batch_id, selection, "batch.html")


@router.get("/batches/{batch_id}/files", include_in_schema=False)
def files_fragment(
    request: Request,
    viewer: CurrentUser,
    context: Service,
    batch_id: int,
    selection: Annotated[_FileSelection, Depends()],
    seen: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Render the part of a batch's page that changes; 204 while its version is still ``seen``."""
    return _render_batch(request, viewer, context, batch_id, selection, "batch_files.html", seen)


def _render_batch(
    request: Request,
    viewer: Viewer,
    context: Context,
    batch_id: int,
    selection: _FileSelection,
    template: str,
    seen: str = "",
) -> Response:
    with context.database.read() as session:
        progress = batch_progress(session, viewer, _checked_id(batch_id))
        if progress is None:
            raise NotFound
        submitting = progress.state == "receiving" and is_complete(context.settings, batch_id)
        version = f"{progress.mark}-over" if submitting else progress.mark
        if version == seen and not submitting:
            return Response(status_code=204)
        counts = progress.counts
        file_count = counts.get(selection.state, 0) if selection.state else sum(counts.values())
        report = visible_batch(
            session,
            viewer,
            batch_id,
            state=selection.state,
            skip=(selection.page - 1) * _FILES_PER_PAGE,
            limit=_FILES_PER_PAGE,
        )
        area = area_names(session, [report.area_code]).get(report.area_code, "") if report else ""
    if report is None:
        raise NotFound
    _resume_submission(context, report)
    return page(
        request,
        template,
        batch=report,
        area=area,
        states=STATES,
        progress=progress,
        selection=selection,
        pages=-(-file_count // _FILES_PER_PAGE),
        mark=version,
        submitting=submitting,
    )


def _checked_id(batch_id: int) -> int:
    if not 0 < batch_id < _MAX_BATCH_ID:
        raise NotFound
    return batch_id


def _report(context: Context, viewer: Viewer, batch_id: int) -> BatchReport:
    with context.database.read() as session:
        report = visible_batch(session, viewer, _checked_id(batch_id))
    if report is None:
        raise NotFound
    _resume_submission(context, report)
    return report


def _resume_submission(context: Context, report: BatchReport) -> None:
    """Submit a complete batch again, for example after the disk was full."""
    if report.state == "receiving" and report.origin == "upload" and is_complete(context.settings, report.id):
        start_submission(context, report.id)


def _batch_summary(batch: Batch | BatchReport) -> dict[str, Any]:
    names = ("id", "area_code", "name", "origin", "source", "state", "created_by")
    times = {name: getattr(batch, name) for name in ("created_at", "finished_at")}
    return {name: getattr(batch, name) for name in names} | {
        name: time and time.isoformat() for name, time in times.items()
    }


def _batch_detail(report: BatchReport) -> dict[str, Any]:
    files = [
        {
            "name": file.name,
            "size": file.size,
            "state": file.state,
            "reason": str(file.reason),
            "why": file.reason.to_json(),
            "scene": file.scene_id,
            "date": file.date and file.date.isoformat(),
            "job": file.job,
        }
        for file in report.files
    ]
    return _batch_summary(report) | {"files": files}
