"""Batches: begun, completed, listed, and each with what became of its files; as API and as pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import shapely
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from errors import Reason, SettingsError
from service.batch_intake import check_area
from service.context import Context
from service.file_discovery import printable_name
from service.home import require_disk_space
from store.access.rights import Viewer, may_see
from store.areas.areas import area_names, list_areas
from store.scenes.batches import BatchReport, create_batch
from store.schema.tables import Batch
from store.views.batch_view import batch_progress, open_upload_batch, scenes_of_batch, visible_batch, visible_batches
from web.api.batch_schemas import BatchAnswer, BatchBegun, BatchList, Footprints
from web.api.schemas import CONFLICT, FORBIDDEN, NOT_FOUND, UNAUTHORIZED
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Conflict, InvalidInput, NotFound
from web.page import page
from web.uploads.batch_submission import resume_submissions, start_submission
from web.uploads.tus_routes import own_batch
from web.uploads.upload_files import begin_batch, is_complete, list_uploads, mark_complete, told

STATES = ("placed", "duplicate", "failed", "used", "ignored", "waiting")
_LARGEST_ID = 2**62
_REFUSED_ONE = UNAUTHORIZED | NOT_FOUND
_BEGUN = UNAUTHORIZED | FORBIDDEN | {404: NOT_FOUND[404] | {"description": "The area is not theirs."}}
_FILES_SHOWN = 100
"""Files on one page of a batch: it is drawn anew while they are checked."""

Before = Annotated[int | None, Query(ge=1, le=_LARGEST_ID)]


@asynccontextmanager
async def _from_the_beginning(app: FastAPI) -> AsyncIterator[None]:
    """A server that was killed goes on with what it was handing over."""
    await run_sync(resume_submissions, app.state.context)
    yield


router = APIRouter(lifespan=_from_the_beginning)


class NewBatch(BaseModel):
    """What a person says of the files they are about to send."""

    area: Annotated[str, Field(pattern=r"^(\d{6}|\d{9}|\d{12})$", description="administrative code")]
    name: Annotated[str, Field(max_length=400)] = ""
    source: Literal["drone", "satellite", "camera"] = "drone"
    date: Annotated[dt.date | None, Field(description="day of acquisition of images that tell none")] = None


@router.post("/api/batches", status_code=201, tags=["batches"], responses=_BEGUN)
def begin(request: Request, viewer: CurrentUser, context: Service, new: NewBatch) -> BatchBegun:
    """Begin a batch; its files are sent to ``/api/uploads`` and handed over by ``complete``."""
    if not may_see(viewer, new.area):
        raise NotFound("upload.no_area")
    try:
        check_area(context, new.area)
    except SettingsError:  # its words name areas that are like it, which may be others'
        raise InvalidInput("upload.no_area") from None
    require_disk_space(context.settings)
    resume_submissions(context)
    name = (
        printable_name(new.name.strip()) or f"{viewer.name} {context.clock().astimezone(context.settings.zone):%Y-%m-%d %H:%M}"
    )
    with context.database.write() as session:
        now = context.clock()
        batch = create_batch(
            session, area_code=new.area, name=name, origin="upload", source=new.source,
            created_by=viewer.login, unique_key=None, now=now,
        )  # fmt: skip
        begin_batch(context.settings, batch.id, new.date)
        log_action(request, session, viewer, "began_upload", about=f"batch {batch.id}", code=new.area)
        return BatchBegun(id=batch.id, state="receiving")


@router.post(
    "/api/batches/{batch_id}/complete",
    status_code=202,
    tags=["batches"],
    responses=_REFUSED_ONE | CONFLICT | FORBIDDEN,
    response_model=BatchAnswer,
    response_model_exclude_unset=True,
)
def complete(
    request: Request, viewer: CurrentUser, context: Service, batch_id: int, leave_out: bool = False
) -> dict[str, Any]:
    """Hand over what was uploaded. ``leave_out``: files that are not whole are told as failed.

    Called again it changes nothing.
    """
    with context.database.read() as session:
        row = open_upload_batch(session, viewer, _known(batch_id))
        if row is None:
            raise NotFound
        code, state = row.area_code, row.state
    if state == "receiving" and not is_complete(context.settings, batch_id):
        own_batch(context, viewer, batch_id)
        uploads = list_uploads(context.settings, batch_id)
        missing = [upload.name for upload in uploads if not upload.whole]
        if missing and not leave_out:
            words = f"{len(missing)} of {len(uploads)} files are not whole: {', '.join(missing[:5])}."
            raise Conflict(Reason(words, "sent.some_not_whole", missing=len(missing), all=len(uploads), names=missing[:5]))
        mark_complete(context.settings, batch_id)
        with context.database.write() as session:
            log_action(
                request,
                session,
                viewer,
                "completed_upload",
                about=f"batch {batch_id}",
                code=code,
                detail={"files": len(uploads), "left_out": len(missing)},
            )
    if state == "receiving":
        start_submission(context, batch_id)
    return _told(_report(context, viewer, batch_id))


@router.get("/api/batches", tags=["batches"], responses=UNAUTHORIZED, response_model=BatchList)
def list_them(
    viewer: CurrentUser,
    context: Service,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """Batches, the newest first; ``before``: the id that the last page ended with."""
    with context.database.read() as session:
        found = visible_batches(session, viewer, before_id=before, limit=limit)
        return {"batches": [_of_batch(batch) | {"files": counts} for batch, counts in found]}


@router.get(
    "/api/batches/{batch_id}",
    tags=["batches"],
    responses=_REFUSED_ONE,
    response_model=BatchAnswer,
    response_model_exclude_unset=True,
)
def one(viewer: CurrentUser, context: Service, batch_id: int) -> dict[str, Any]:
    """How a batch and each of its files stand; to who sends it also how far each upload is."""
    report = _report(context, viewer, batch_id)
    answer = _told(report)
    if report.state == "receiving" and report.created_by == viewer.login and report.origin == "upload":
        answer["complete"] = is_complete(context.settings, batch_id)
        answer["uploads"] = [told(upload) for upload in list_uploads(context.settings, batch_id)]
    return answer


@router.get("/api/batches/{batch_id}/footprints", tags=["batches"], responses=_REFUSED_ONE, response_model=Footprints)
def footprints(viewer: CurrentUser, context: Service, batch_id: int) -> dict[str, Any]:
    """Where the scenes of a batch lie: GeoJSON, longitude and latitude."""
    _report(context, viewer, batch_id)
    with context.database.read() as session:
        features = [
            {
                "type": "Feature",
                "id": scene.id,
                "geometry": shapely.geometry.mapping(scene.outline),
                "properties": {"name": scene.name, "date": scene.date and scene.date.isoformat(), "gsd_m": scene.gsd_m},
            }
            for scene in scenes_of_batch(session, viewer, batch_id)
        ]
    return {"type": "FeatureCollection", "features": features}


@router.get("/batches", include_in_schema=False)
def list_page(
    request: Request,
    viewer: CurrentUser,
    context: Service,
    before: Annotated[int | None, Query(ge=1, le=_LARGEST_ID)] = None,
) -> Response:
    """Upload, and the list."""
    with context.database.read() as session:
        areas = list_areas(session, under=viewer.code)
        found = visible_batches(session, viewer, before_id=before, limit=30)
        return page(request, "batches.html", areas=areas, batches=found, before=before, states=STATES)


@dataclass(frozen=True)
class _Part:
    """Which of a batch's files are shown."""

    page: Annotated[int, Query(ge=1, le=_LARGEST_ID // _FILES_SHOWN)] = 1
    state: Literal["", "placed", "duplicate", "failed", "used", "ignored", "waiting"] = ""


@router.get("/batches/{batch_id}", include_in_schema=False)
def one_page(
    request: Request, viewer: CurrentUser, context: Service, batch_id: int, part: Annotated[_Part, Depends()]
) -> Response:
    """One batch, live."""
    return _batch_page(request, viewer, context, batch_id, part, "batch.html")


@router.get("/batches/{batch_id}/files", include_in_schema=False)
def files_part(
    request: Request,
    viewer: CurrentUser,
    context: Service,
    batch_id: int,
    part: Annotated[_Part, Depends()],
    seen: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The part of a batch's page that changes; nothing (204) as long as it is as ``seen`` says."""
    return _batch_page(request, viewer, context, batch_id, part, "batch_files.html", seen)


def _batch_page(
    request: Request, viewer: Viewer, context: Context, batch_id: int, part: _Part, template: str, seen: str = ""
) -> Response:
    with context.database.read() as session:
        progress = batch_progress(session, viewer, _known(batch_id))
        if progress is None:
            raise NotFound
        handing_over = progress.state == "receiving" and is_complete(context.settings, batch_id)
        mark = f"{progress.mark}-over" if handing_over else progress.mark
        if mark == seen and not handing_over:
            return Response(status_code=204)
        of_state = progress.counts.get(part.state, 0) if part.state else sum(progress.counts.values())
        report = visible_batch(
            session, viewer, batch_id, state=part.state, skip=(part.page - 1) * _FILES_SHOWN, limit=_FILES_SHOWN
        )
        area = area_names(session, [report.area_code]).get(report.area_code, "") if report else ""
    if report is None:
        raise NotFound
    _go_on(context, report)
    return page(
        request,
        template,
        batch=report,
        area=area,
        states=STATES,
        progress=progress,
        part=part,
        pages=-(-of_state // _FILES_SHOWN),
        mark=mark,
        handing_over=handing_over,
    )


def _known(batch_id: int) -> int:
    if not 0 < batch_id < _LARGEST_ID:
        raise NotFound
    return batch_id


def _report(context: Context, viewer: Viewer, batch_id: int) -> BatchReport:
    with context.database.read() as session:
        report = visible_batch(session, viewer, _known(batch_id))
    if report is None:
        raise NotFound
    _go_on(context, report)
    return report


def _go_on(context: Context, report: BatchReport) -> None:
    """If the disk was full when a batch was handed over, it is tried again."""
    if report.state == "receiving" and report.origin == "upload" and is_complete(context.settings, report.id):
        start_submission(context, report.id)


def _of_batch(batch: Batch | BatchReport) -> dict[str, Any]:
    names = ("id", "area_code", "name", "origin", "source", "state", "created_by")
    moments = {name: getattr(batch, name) for name in ("created_at", "finished_at")}
    return {name: getattr(batch, name) for name in names} | {
        name: at and at.isoformat() for name, at in moments.items()
    }


def _told(report: BatchReport) -> dict[str, Any]:
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
    return _of_batch(report) | {"files": files}
