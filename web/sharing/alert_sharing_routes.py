"""Page of one alert about sharing and keeping: its shares, its place without supply, and the holds on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from errors import SettingsError
from service.context import Context
from service.sharing.jobs import add_write_job
from store.access.rights import Viewer
from store.alerts.outbox import announce_shares
from store.deadlines.supervision import LISTING_ROLES
from store.retention.holds import holds_of_alert, place_hold
from store.schema.database import Session
from store.schema.tables import AlertRow
from store.sharing.bodies import SUPPLIER, active_bodies, body_by_key
from store.sharing.service_stops import add_stop, stops_of_alert
from store.sharing.shares import ShareChange, share_by_letter, shares_of_alert, withdraw_share
from store.views.alert_view import user_names
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.http_errors import Forbidden, InvalidInput, NotFound
from web.page import page
from web.row_ids import Id

router = APIRouter(include_in_schema=False, prefix="/alerts/{number}/sharing")

Words = Annotated[str, Form(max_length=1000)]


def may_share(viewer: Viewer) -> bool:
    """Return whether the viewer may share alerts, enter places without supply, and place holds."""
    return any(role in LISTING_ROLES for role in viewer.roles)


def check_may_share(viewer: Viewer) -> None:
    """Require :func:`may_share`.

    Raises:
        Forbidden: the viewer may not.
    """
    if not may_share(viewer):
        raise Forbidden("error.403")


@router.get("")
def alert_sharing_page(request: Request, context: Service, viewer: CurrentUser, number: str) -> HTMLResponse:
    """Render who sees the alert, what was asked of suppliers, and what keeps it from deletion."""
    return _page(request, context, viewer, number)


@router.post("")
def share(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    number: str,
    body: Annotated[str, Form(max_length=40)],
    reason: Words,
    letter: Annotated[str, Form(max_length=100)] = "",
) -> HTMLResponse:
    """Share the alert with a body by a letter."""

    def change(session: Session, alert: AlertRow, now: dt.datetime) -> dict[str, Any]:
        row = body_by_key(session, body)
        if row is None:
            raise NotFound
        share_by_letter(session, row, alert, who=viewer.login, reason=reason, letter=letter, now=now)
        announce_shares(session, [ShareChange(row, alert, granted=True)], context.settings, now)
        return {"body": row.key, "letter": letter}

    return _change(request, context, viewer, number, "shared", change)


@router.post("/{share_id}/withdraw")
def withdraw(
    request: Request, context: Service, viewer: CurrentUser, number: str, share_id: Id, why: Words
) -> HTMLResponse:
    """Withdraw a share; the files of the bodies are written again at once."""

    def change(session: Session, alert: AlertRow, now: dt.datetime) -> dict[str, Any]:
        found = next(((row, body) for row, body in shares_of_alert(session, alert.id) if row.id == share_id), None)
        if found is None:
            raise NotFound
        row, body = found
        withdraw_share(session, row, who=viewer.login, why=why, now=now)
        announce_shares(session, [ShareChange(body, alert, granted=False)], context.settings, now)
        add_write_job(session, f"share {row.id}", now)
        return {"body": body.key}

    return _change(request, context, viewer, number, "withdrew_share", change)


@router.post("/stop")
def stop(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    number: str,
    place: Annotated[str, Form(max_length=200)],
    address: Annotated[str, Form(max_length=400)],
    since: Annotated[dt.date, Form()],
    reason: Words,
    until: Annotated[str, Form(max_length=10)] = "",
) -> HTMLResponse:
    """Enter the place of the alert into the list of the suppliers of water and power."""

    def change(session: Session, alert: AlertRow, now: dt.datetime) -> dict[str, Any]:
        last = _day(until)
        row = add_stop(
            session, alert, place=place, address=address, since=since, until=last, reason=reason, who=viewer.login,
            now=now,
        )  # fmt: skip
        return {"number": row.number}

    return _change(request, context, viewer, number, "entered_stop", change)


@router.post("/hold")
def hold(request: Request, context: Service, viewer: CurrentUser, number: str, reason: Words) -> HTMLResponse:
    """Place a hold on the alert: nothing of it is deleted."""

    def change(session: Session, alert: AlertRow, now: dt.datetime) -> dict[str, Any]:
        row = place_hold(session, kind="alert", code="", alert=alert, reason=reason, who=viewer.login, now=now)
        return {"hold": row.id}

    return _change(request, context, viewer, number, "placed_hold", change)


def _change(
    request: Request,
    context: Context,
    viewer: Viewer,
    number: str,
    what: str,
    change: Callable[[Session, AlertRow, dt.datetime], dict[str, Any]],
) -> HTMLResponse:
    with context.database.write() as session:
        alert = alert_of(session, viewer, number)
        check_may_share(viewer)
        try:
            detail = change(session, alert, context.clock())
        except SettingsError as error:
            raise InvalidInput(error.reason) from None
        log_action(request, session, viewer, what, about=alert.number, code=alert.grid_code, detail=detail)
    return _page(request, context, viewer, number)


def _page(request: Request, context: Context, viewer: Viewer, number: str) -> HTMLResponse:
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        shares = shares_of_alert(session, alert.id)
        holds = holds_of_alert(session, alert)
        stops = stops_of_alert(session, alert.id)
        logins = {row.shared_by for row, _ in shares} | {row.withdrawn_by for row, _ in shares}
        logins |= {row.placed_by for row in holds} | {row.entered_by for row in stops}
        names = user_names(session, logins)
        seeing = {body.key for row, body in shares if row.withdrawn_at is None}
        bodies = [
            body
            for body in active_bodies(session)
            if body.kind != SUPPLIER and alert.grid_code.startswith(body.code) and body.key not in seeing
        ]
        values = {"number": alert.number, "state": alert.state}
    return page(
        request,
        "alert_sharing.html",
        alert=values,
        shares=shares,
        holds=holds,
        stops=stops,
        names=names,
        bodies=bodies,
        may_share=may_share(viewer),
        today=context.today,
    )


def _day(text: str) -> dt.date | None:
    if not text.strip():
        return None
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput("sharing.day") from None
