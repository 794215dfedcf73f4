"""Page of decisions of joint meetings: who does what by when, and what became of it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from service.context import Context
from store.access.rights import Viewer, may_see, visible_areas
from store.areas.areas import area_names
from store.reports.decisions import add_decision, end_decision, visible_decision, visible_decisions
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Forbidden, NotFound
from web.page import page
from web.row_ids import Id

router = APIRouter(include_in_schema=False, prefix="/meetings")

ENTERING_ROLES = ("county", "city")
"""Roles that enter decisions and what became of them."""

Text = Annotated[str, Form(max_length=4000)]


@router.get("")
def decisions_page(request: Request, context: Service, viewer: CurrentUser) -> HTMLResponse:
    """Render the decisions of meetings in the viewer's area."""
    return _page(request, context, viewer)


@router.post("")
def add(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    area: Annotated[str, Form(max_length=12)],
    meeting_on: Annotated[dt.date, Form()],
    who: Text,
    what: Text,
    due_on: Annotated[dt.date | Literal[""], Form()] = "",
) -> HTMLResponse:
    """Add a decision."""
    _require(viewer)
    if not may_see(viewer, area) or len(area) < 6:
        raise NotFound
    with context.database.write() as session:
        row = add_decision(
            session,
            viewer,
            area,
            meeting_on=meeting_on,
            who=who,
            what=what,
            due_on=due_on or None,
            now=context.clock(),
        )
        detail = {"decision": row.id, "who": row.who, "what": row.what}
        log_action(request, session, viewer, "added_decision", about=str(meeting_on), code=area, detail=detail)
    return _page(request, context, viewer)


@router.post("/{decision_id}")
def change(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    decision_id: Id,
    state: Literal["open", "done", "dropped"] = Form(),
    outcome: Text = "",
) -> HTMLResponse:
    """Enter what became of a decision."""
    with context.database.write() as session:
        row = visible_decision(session, viewer, decision_id)
        if row is None:
            raise NotFound
        _require(viewer)
        end_decision(session, row, viewer, state=state, outcome=outcome, today=context.today, now=context.clock())
        detail = {"decision": row.id, "state": state, "outcome": row.outcome}
        log_action(
            request, session, viewer, "changed_decision", about=str(row.meeting_on), code=row.area_code, detail=detail
        )
    return _page(request, context, viewer)


def _require(viewer: Viewer) -> None:
    if not any(role in ENTERING_ROLES for role in viewer.roles):
        raise Forbidden


def _page(request: Request, context: Context, viewer: Viewer) -> HTMLResponse:
    with context.database.read() as session:
        decisions = visible_decisions(session, viewer)
        names = area_names(session, {row.area_code for row in decisions})
        areas = [
            (area.code, area.name)
            for area in visible_areas(session, viewer)
            if area.level == "county" and may_see(viewer, area.code)
        ]
    return page(
        request,
        "meetings.html",
        decisions=decisions,
        names=names,
        areas=areas or [(viewer.code, viewer.code)],
        may_enter=any(role in ENTERING_ROLES for role in viewer.roles),
        today=context.today,
    )
