"""Pages of listed supervision: the list, one supervision, and its entries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from enforcement.chain_settings import ChainValues
from service.context import Context
from store.access.rights import Viewer
from store.chain_settings import read_chain_values
from store.deadlines.supervision import (
    LISTING_ROLES,
    MAX_TEXT,
    REPORTING_ROLES,
    Supervision,
    decide_extension,
    end_supervision,
    list_for_supervision,
    report_progress,
    request_extension,
    visible_supervision,
    visible_supervisions,
)
from store.schema.database import Session
from store.views.alert_view import user_names
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.http_errors import NotFound
from web.page import page
from web.row_ids import Id

router = APIRouter(include_in_schema=False, prefix="/supervision")

Words = Annotated[str, Form(max_length=2 * MAX_TEXT)]
Change = Callable[[Session, Supervision, ChainValues, dt.datetime], None]


@router.get("")
def supervision_list(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    alert: Annotated[str, Query(max_length=40)] = "",
    state: Literal["", "open"] = "",
) -> HTMLResponse:
    """Render the supervisions of alerts in the user's area, and the form that lists one (``alert``: its number)."""
    return _list_page(request, context, viewer, alert, state)


@router.post("")
def list_alert(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    alert: Annotated[str, Form(max_length=40)],
    duty_unit: Annotated[str, Form(max_length=400)],
    requirements: Words,
    due_on: Annotated[dt.date, Form()],
) -> Response:
    """List an alert, and show its supervision."""
    with context.database.write() as session:
        found = alert_of(session, viewer, alert.strip())
        row = list_for_supervision(
            session,
            found,
            viewer,
            duty_unit=duty_unit,
            requirements=requirements,
            due_on=due_on,
            values=read_chain_values(session),
            today=context.today,
            now=context.clock(),
        )
        detail = {"due": due_on.isoformat(), "unit": row.duty_unit}
        log_action(request, session, viewer, "listed_alert", about=found.number, code=found.grid_code, detail=detail)
        address = f"/supervision/{row.id}"
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}{address}"})


@router.get("/{supervision_id}")
def supervision_page(request: Request, context: Service, viewer: CurrentUser, supervision_id: Id) -> HTMLResponse:
    """Render one supervision with its entries."""
    return _page(request, context, viewer, supervision_id)


@router.post("/{supervision_id}/progress")
def progress(
    request: Request, context: Service, viewer: CurrentUser, supervision_id: Id, text: Words = ""
) -> HTMLResponse:
    """Report progress."""

    def change(session: Session, found: Supervision, values: ChainValues, now: dt.datetime) -> None:
        report_progress(session, found, viewer, text, values, context.today, now)

    return _change(request, context, viewer, supervision_id, "reported_progress", change)


@router.post("/{supervision_id}/extension")
def extension(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    supervision_id: Id,
    day: Annotated[dt.date, Form()],
    text: Words = "",
) -> HTMLResponse:
    """Request a later limit."""

    def change(session: Session, found: Supervision, values: ChainValues, now: dt.datetime) -> None:
        request_extension(session, found, viewer, day, text, values, now)

    detail = {"day": day.isoformat()}
    return _change(request, context, viewer, supervision_id, "requested_extension", change, detail)


@router.post("/{supervision_id}/decision")
def decision(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    supervision_id: Id,
    granted: Annotated[bool, Form()],
    text: Words = "",
) -> HTMLResponse:
    """Grant or refuse the requested extension."""

    def change(session: Session, found: Supervision, values: ChainValues, now: dt.datetime) -> None:
        decide_extension(
            session, found, viewer, granted=granted, text=text, values=values, today=context.today, now=now
        )

    detail = {"granted": granted}
    return _change(request, context, viewer, supervision_id, "decided_extension", change, detail)


@router.post("/{supervision_id}/result")
def result(
    request: Request, context: Service, viewer: CurrentUser, supervision_id: Id, text: Words = ""
) -> HTMLResponse:
    """End the supervision with its result."""

    def change(session: Session, found: Supervision, values: ChainValues, now: dt.datetime) -> None:
        end_supervision(session, found, viewer, text, now)

    return _change(request, context, viewer, supervision_id, "ended_supervision", change)


def _change(
    request: Request,
    context: Context,
    viewer: Viewer,
    supervision_id: int,
    what: str,
    change: Change,
    detail: dict[str, Any] | None = None,
) -> HTMLResponse:
    with context.database.write() as session:
        found = _found(session, viewer, supervision_id, lock=True)
        change(session, found, read_chain_values(session), context.clock())
        alert = found.alert
        log_action(request, session, viewer, what, about=alert.number, code=alert.grid_code, detail=detail)
    return _page(request, context, viewer, supervision_id)


def _found(session: Session, viewer: Viewer, supervision_id: int, *, lock: bool = False) -> Supervision:
    found = visible_supervision(session, viewer, supervision_id, lock=lock)
    if found is None:
        raise NotFound
    return found


def _list_page(request: Request, context: Context, viewer: Viewer, alert: str, state: str) -> HTMLResponse:
    with context.database.read() as session:
        found = visible_supervisions(session, viewer, state=state)
        names = user_names(session, {each.row.listed_by for each in found})
        days = read_chain_values(session).whole("supervision.limit_days")
    return page(
        request,
        "supervisions.html",
        supervisions=found,
        names=names,
        state=state,
        alert=alert,
        may_list=_holds(viewer, LISTING_ROLES),
        days=days,
        first=context.today + dt.timedelta(days=1),
        last_day=context.today + dt.timedelta(days=days),
        today=context.today,
    )


def _page(request: Request, context: Context, viewer: Viewer, supervision_id: int) -> HTMLResponse:
    with context.database.read() as session:
        found = _found(session, viewer, supervision_id)
        names = user_names(session, {found.row.listed_by, *(entry.who for entry in found.entries)})
        values = read_chain_values(session)
    is_open = found.row.state == "open"
    may_decide = is_open and _holds(viewer, LISTING_ROLES)
    return page(
        request,
        "supervision.html",
        found=found,
        names=names,
        today=context.today,
        may_report=is_open and _holds(viewer, REPORTING_ROLES),
        may_decide=may_decide,
        own_request=found.request is not None and found.request.who == viewer.login,
        first_extension=found.row.due_on + dt.timedelta(days=1),
        last_extension=found.row.due_on + dt.timedelta(days=values.whole("supervision.extension_days")),
    )


def _holds(viewer: Viewer, roles: tuple[str, ...]) -> bool:
    return any(role in roles for role in viewer.roles)
