"""Pages of the nightly comparisons: what was compared, and what could not be."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from store.views.night_view import night_gaps, night_scans, visible_night, visible_nights
from web.auth.authentication import CurrentUser, Service
from web.http_errors import NotFound
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
    return page(request, "nights.html", nights=found[:count], count=count, more=len(found) > count)


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
