"""Nights: what was compared while people slept, and what could not be."""

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

_NIGHTS, _MOST = 14, 200


@router.get("/nights")
def nights(
    request: Request, context: Service, person: CurrentUser, count: Annotated[int, Query(ge=1, le=366)] = _NIGHTS
) -> HTMLResponse:
    """The last nights, the newest first."""
    with context.database.read() as session:
        shown = visible_nights(session, person, count + 1)
    return page(request, "nights.html", nights=shown[:count], count=count, more=len(shown) > count)


@router.get("/nights/{day}")
def night(request: Request, context: Service, person: CurrentUser, day: dt.date) -> HTMLResponse:
    """One night: its scans, and the ground that was not compared."""
    with context.database.read() as session:
        found = visible_night(session, person, day)
        if found is None:
            raise NotFound
        gaps = night_gaps(session, person, found.night.id, _MOST)
        scans = night_scans(session, person, found.night.id, _MOST)
    return page(
        request,
        "night.html",
        night=found.night,
        summary=found.summary,
        gaps=gaps,
        scans=scans,
        most=_MOST,
    )
