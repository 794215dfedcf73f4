"""Pages of the nightly comparisons: what was compared, and what could not be."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from service.scan_jobs import add_night_job
from store.access.rights import Viewer
from store.views.night_progress import NightProgress, night_progress
from store.views.night_view import night_gaps, night_scans, visible_night, visible_nights
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Forbidden, NotFound
from web.page import page

router = APIRouter(include_in_schema=False)

_NIGHTS, _MAX_ROWS = 14, 200


@router.get("/nights")
def nights(
    request: Request, context: Service, viewer: CurrentUser, count: Annotated[int, Query(ge=1, le=366)] = _NIGHTS
) -> HTMLResponse:
    """Render the list of the last nights, newest first."""
    with context.database.read() as session:
        found = visible_nights(session, viewer, count + 1)
        progress = night_progress(session)
    return page(
        request,
        "nights.html",
        nights=found[:count],
        count=count,
        more=len(found) > count,
        progress=progress,
        may_start=may_start(viewer),
        seen=_version(progress),
    )


@router.post("/nights")
def start(request: Request, context: Service, viewer: CurrentUser) -> Response:
    """Plan a night now, for all images received since the last one; ignored while one is being planned."""
    if not may_start(viewer):
        raise Forbidden
    now = context.clock()
    with context.database.write() as session:
        if not night_progress(session).planned:
            add_night_job(session, now.astimezone(context.settings.zone).date(), now, again=True)
            log_action(request, session, viewer, "started_night")
    return Response(status_code=204, headers={"HX-Redirect": "/nights"})


@router.get("/nights/now")
def progress_fragment(
    request: Request, context: Service, viewer: CurrentUser, seen: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """Render the progress of the running night; 204 while it is as ``seen``. The page reloads when it has ended."""
    with context.database.read() as session:
        progress = night_progress(session)
    if _version(progress) == seen:
        return Response(status_code=204)
    if not progress.running:
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    return page(request, "night_progress.html", progress=progress, may_start=may_start(viewer), seen=_version(progress))


def may_start(viewer: Viewer) -> bool:
    """Return whether a person may start a night: administrators, counties and cities."""
    return viewer.administrator or viewer.role in ("county", "city")


def _version(progress: NightProgress) -> str:
    """Return a text that changes with the shown progress."""
    return f"{progress.planned}-{progress.day}-{progress.done}-{progress.scans}-{progress.share:.2f}"


@router.get("/nights/{day}")
def night(request: Request, context: Service, viewer: CurrentUser, day: dt.date) -> HTMLResponse:
    """Render one night with its scans and the areas that were not compared."""
    with context.database.read() as session:
        found = visible_night(session, viewer, day)
        if found is None:
            raise NotFound
        gaps = night_gaps(session, viewer, found.night.id, _MAX_ROWS)
        scans = night_scans(session, viewer, found.night.id, _MAX_ROWS)
    return page(
        request,
        "night.html",
        night=found.night,
        summary=found.summary,
        gaps=gaps,
        scans=scans,
        limit=_MAX_ROWS,
    )
